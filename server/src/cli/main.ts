/** The command line: runs the program and turns every ending into an exit code. */
import { CommanderError } from 'commander';
import { type Early, keepEarly } from './early';
import { makeProgram } from './program';
import { exitCodes } from './run';

/** Commander's endings that are not errors. */
const calm: ReadonlySet<string> = new Set(['commander.helpDisplayed', 'commander.help', 'commander.version']);

/** @param early what {@link file://./launch.ts} did already. */
export async function main(argv: readonly string[], early: Early): Promise<void> {
  keepEarly(early);
  watchOutput();
  const json = argv.includes('--json');
  const program = makeProgram((code) => {
    process.exitCode = code;
  });
  const setup = (command: typeof program) => {
    command.exitOverride().configureOutput({
      outputError: (text, write) => {
        const message = text.replace(/^error: /, '').trim();
        if (json)
          process.stdout.write(
            `${JSON.stringify({ issues: [{ code: 'usage', severity: 'error', message, facts: {}, fixes: [] }] }, null, 2)}\n`,
          );
        write(`quantlens: ${/[.!?]$/.test(message) ? message : `${message}.`} Run "quantlens --help".\n`);
      },
    });
    command.commands.forEach(setup);
  };
  setup(program);
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = calm.has(error.code) && error.exitCode === 0 ? exitCodes.done : exitCodes.input;
      return;
    }
    process.stderr.write(
      `quantlens: internal error: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exitCode = exitCodes.internal;
  }
}

function watchOutput(): void {
  // A closed pipe (`| head`) is no failure of ours; a full disk behind a redirection must not pass for success.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.done);
    process.stderr.write(`quantlens: the output could not be written (${error.code ?? error.message}).\n`);
    process.exit(exitCodes.internal);
  });
}
