/**
 * What VS Code calls inside its extension host: runs every test of this folder with mocha and writes the
 * verdict file that the runner demands (a crashed extension host looks like success otherwise).
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import Mocha from 'mocha';
import { runToVerdict } from '../../scripts/lib/verdict.mjs';

/** Runs the tests; rejects when one fails, as VS Code expects. */
export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: 'bdd', timeout: 60_000, forbidPending: true, color: false });
  if (process.env.QUANTLENS_GREP) mocha.grep(process.env.QUANTLENS_GREP);
  const files = readdirSync(__dirname).filter((file) => file.endsWith('.test.js'));
  for (const file of files.sort()) mocha.addFile(path.join(__dirname, file));
  const { failed } = await runToVerdict(mocha, process.env.QUANTLENS_VERDICT);
  if (failed > 0) throw new Error(`${failed} of the editor tests failed`);
}
