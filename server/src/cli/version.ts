/** The package's version, inlined by the bundler. */
import manifest from '../../../package.json';

export const version: string = manifest.version;
