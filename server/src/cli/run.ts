/**
 * Runs one command: engine made and disposed, Ctrl+C cancels, outcome → exit code. Commands return a code and never
 * call `process.exit`. 0 done · 1 findings or gates (lint, check) · 2 bad usage or input · 3 our failure or the native
 * library's · 130 cancelled.
 */
import * as path from 'node:path';
import { Cancelled } from '../engine/base/cancel';
import { issue } from '../engine/base/issue';
import { Engine } from '../engine/index';
import type { CommonOptions } from '../engine/jobs';
import type { Issue, IssueCode } from '../protocol/issues';
import { early } from './early';
import { exitCodes } from './exit-codes';
import { commonOptions, type GlobalFlags } from './options';
import { type LoadedRecipe, loadRecipe } from './recipe';
import { RunNote } from './run-note';
import { openTerminal, type Terminal } from './terminal';

export { exitCodes } from './exit-codes';

export interface CommandContext {
  readonly engine: Engine;
  readonly terminal: Terminal;
  readonly common: CommonOptions;
  readonly signal: AbortSignal;
  /** For the editor's history of runs. */
  readonly note: RunNote;
  /** The recipe that `--recipe` names. */
  readonly recipe: LoadedRecipe | undefined;
}

export type CommandBody = (context: CommandContext) => Promise<number>;

/** Codes that are not the user's input's fault. */
const internalCodes: ReadonlySet<IssueCode> = new Set([
  'internal',
  'inference-crashed',
  'inference-unavailable',
  'inference-failed',
  'write-failed',
  'verify-failed',
]);

/** Exit code of a command that ended with these issues and no value. */
export function failureCode(issues: readonly Issue[]): number {
  if (issues.some((one) => one.code === 'cancelled')) return exitCodes.cancelled;
  return issues.some((one) => internalCodes.has(one.code)) ? exitCodes.internal : exitCodes.input;
}

/** Prints the issues of a failed outcome and returns its exit code. */
export function failed(terminal: Terminal, issues: readonly Issue[]): number {
  terminal.failed(issues);
  return failureCode(issues);
}

export async function runCommand(flags: GlobalFlags, body: CommandBody): Promise<number> {
  const terminal = openTerminal(flags);
  const { interruption, child } = early();
  const note = new RunNote(flags.history !== false);
  const engine = new Engine({
    entry: path.join(__dirname, 'inference-process.js'),
    early: child,
    single: true,
    // A command line runs what its user names.
    trusted: () => true,
  });
  try {
    const code = await guarded(terminal, async () => {
      const { signal } = interruption;
      // What came while the program loaded is waiting to be told.
      await new Promise((resolve) => setImmediate(resolve));
      if (signal.aborted) return failed(terminal, [issue('cancelled', {})]);
      const recipe = loadRecipe(flags.recipe, flags.seed);
      if (flags.recipe !== undefined && !recipe.value) return failed(terminal, recipe.issues);
      return body({ recipe: recipe.value, engine, terminal, common: commonOptions(flags), signal, note });
    });
    note.end(code, terminal.failure());
    return code;
  } finally {
    interruption.release();
    terminal.endProgress();
    await engine.dispose();
  }
}

/** The exit code of a command, whatever it throws. */
async function guarded(terminal: Terminal, body: () => Promise<number>): Promise<number> {
  try {
    return await body();
  } catch (error) {
    if (error instanceof Cancelled) return failed(terminal, [issue('cancelled', {})]);
    const reason = error instanceof Error ? error.message : String(error);
    return failed(terminal, [issue('internal', { reason })]);
  }
}
