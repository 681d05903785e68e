/** Builds the programs once before the tests that run them as processes. */
import { spawnSync } from 'node:child_process';
import * as path from 'node:path';

export default function setup(): void {
  // Set by a caller that has built already.
  if (process.env.QUANTLENS_PREBUILT) return;
  const root = path.resolve(__dirname, '..');
  const result = spawnSync(process.execPath, ['esbuild.mjs'], { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`the build failed:\n${result.stdout}${result.stderr}`);
}
