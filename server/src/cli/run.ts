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
import { catchInterruption, releaseInterruption } from './interruption';
import { commonOptions, type GlobalFlags } from './options';
import { type LoadedRecipe, loadRecipe } from './recipe';
import { openTerminal, type Terminal } from './terminal';

export const exitCodes = { done: 0, findings: 1, input: 2, internal: 3, cancelled: 130 } as const;

export interface CommandContext {
  readonly engine: Engine;
  readonly terminal: Terminal;
  readonly common: CommonOptions;
  readonly signal: AbortSignal;
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
  const signal = catchInterruption();
  const engine = new Engine({
    entry: path.join(__dirname, 'inference-process.js'),
    // A command line runs what its user names.
    trusted: () => true,
  });
  try {
    // What came while the program loaded is waiting to be told.
    await new Promise((resolve) => setImmediate(resolve));
    if (signal.aborted) return failed(terminal, [issue('cancelled', {})]);
    const recipe = loadRecipe(flags.recipe, flags.seed);
    if (flags.recipe !== undefined && !recipe.value) return failed(terminal, recipe.issues);
    return await body({
      recipe: recipe.value,
      engine,
      terminal,
      common: commonOptions(flags),
      signal,
    });
  } catch (error) {
    if (error instanceof Cancelled) return failed(terminal, [issue('cancelled', {})]);
    const reason = error instanceof Error ? error.message : String(error);
    return failed(terminal, [issue('internal', { reason })]);
  } finally {
    releaseInterruption();
    terminal.endProgress();
    await engine.dispose();
  }
}
