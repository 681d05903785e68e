/**
 * What VS Code calls inside its extension host: runs every test of this folder with mocha and writes the
 * verdict file that the runner demands (a crashed extension host looks like success otherwise).
 */
import { readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import Mocha from 'mocha';

/** Runs the tests; rejects when one fails, as VS Code expects. */
export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, forbidPending: true, color: false });
  if (process.env.QUANTLENS_GREP) mocha.grep(process.env.QUANTLENS_GREP);
  const files = readdirSync(__dirname).filter((file) => file.endsWith('.test.js'));
  for (const file of files.sort()) mocha.addFile(path.join(__dirname, file));

  const failures: string[] = [];
  const stats = await new Promise<Mocha.Stats | undefined>((resolve) => {
    const runner = mocha.run(() => resolve(runner.stats));
    runner.on('fail', (test, error: Error) => failures.push(`${test.fullTitle()}: ${error.message}`));
  });
  const verdict = { passed: stats?.passes ?? 0, failed: failures.length, failures };
  if (process.env.QUANTLENS_VERDICT) {
    writeFileSync(process.env.QUANTLENS_VERDICT, JSON.stringify(verdict, null, 2));
  }
  if (failures.length > 0) throw new Error(`${failures.length} of the editor tests failed`);
}
