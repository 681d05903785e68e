/**
 * Entry of the command line, small so that it runs at once: whoever interrupts while the program still loads gets the
 * answer of a cancelled command, and the process that a command is going to need starts meanwhile.
 */
import * as path from 'node:path';
import { EarlyChild } from '../engine/runtime/early-child';
import { loadProgram } from '../engine/runtime/program';
import { catchInterruption } from './interruption';

/** Commands that end in a job, unless their flags are wrong. */
const withJobs: ReadonlySet<string | undefined> = new Set([
  'analyze',
  'calibrate',
  'quantize',
  'encodings',
  'export-code',
  'compare',
  'evaluate',
]);

function launch(argv: readonly string[]): void {
  const interruption = catchInterruption();
  const asksHelp = argv.includes('--help') || argv.includes('-h');
  const child =
    withJobs.has(argv[0]) && !asksHelp
      ? EarlyChild.start(path.join(__dirname, 'inference-process.js'))
      : undefined;
  const { main } = loadProgram(path.join(__dirname, 'cli-program.js')) as typeof import('./main');
  void main(argv, { interruption, child });
}

launch(process.argv.slice(2));
