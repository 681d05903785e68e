/** What the launcher did before the program was there; see `launch.ts`. */
import type { EarlyChild } from '../engine/runtime/early-child';
import { catchInterruption, type Interruption } from './interruption';

export interface Early {
  readonly interruption: Interruption;
  /** Serves the command's first job. */
  readonly child?: EarlyChild;
}

let given: Early | undefined;

/** Keeps it for the one command of this process. */
export function keepEarly(early: Early): void {
  given = early;
}

export function early(): Early {
  given ??= { interruption: catchInterruption() };
  return given;
}
