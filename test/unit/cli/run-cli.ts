/** Runs the built command line as a user does: a process, its exit code, what it printed. */
import { spawn, spawnSync } from 'node:child_process';
import * as path from 'node:path';

export const root = path.resolve(__dirname, '../../..');
const cli = path.join(root, 'dist/cli.js');

/** Runs of tests are no history of the user's. */
process.env.QUANTLENS_NO_HISTORY ??= '1';

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function runCli(
  args: readonly string[],
  options: { readonly cwd?: string; readonly node?: readonly string[] } = {},
): CliResult {
  const result = spawnSync(process.execPath, [...(options.node ?? []), cli, ...args], {
    cwd: options.cwd ?? root,
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: result.status, stdout: result.stdout, stderr: result.stderr };
}

/** Starts the command line and interrupts it as soon as its output shows `marker`. */
export function interruptCli(args: readonly string[], marker: RegExp): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [cli, ...args], { cwd: root });
    let stdout = '';
    let stderr = '';
    let interrupted = false;
    child.stdout.on('data', (data) => {
      stdout += data;
    });
    child.stderr.on('data', (data) => {
      stderr += data;
      // Once: a second Ctrl+C ends the process at once, as everywhere.
      if (!interrupted && marker.test(stderr)) interrupted = child.kill('SIGINT');
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
