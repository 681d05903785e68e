/** The package's version, inlined by the bundler: it alone, not the whole manifest. */
export { version } from '../../../package.json';
