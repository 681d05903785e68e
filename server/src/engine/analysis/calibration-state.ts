/**
 * A calibration under way as plain data, so that one that was stopped goes on where it stopped. It belongs to the
 * content of model and data and to every option that changes a number; of anything else it is refused.
 */
import { z } from 'zod';
import { fingerprintOf } from '../base/fingerprint';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { WatchState } from './tensor-watch';

/** Raise when a state of before can no longer be continued. */
export const stateVersion = 1;

export interface CalibrationState {
  readonly version: number;
  readonly key: { readonly model: string; readonly data: string; readonly options: string };
  /** Samples seen. */
  readonly samples: number;
  /** By tensor name. */
  readonly tensors: Readonly<Record<string, WatchState>>;
}

const numbers = z.array(z.number());
const histogram = z.object({
  size: z.number().int().positive(),
  count: z.number(),
  zeros: z.number(),
  nonFinite: z.number(),
  sum: z.number(),
  squares: z.number(),
  min: z.number().optional(),
  max: z.number().optional(),
  leastDeviation: z.number().optional(),
  largestDeviation: z.number(),
  exponent: z.number().int(),
  first: z.number().int(),
  from: z.number().int().nonnegative(),
  counts: numbers,
});
const watch = z.object({
  estimator: z.object({ numbers: z.record(z.string(), z.number()), histogram: histogram.optional() }),
  look: histogram.optional(),
  groups: numbers,
  open: numbers,
});
const schema = z.object({
  version: z.number(),
  key: z.object({ model: z.string(), data: z.string(), options: z.string() }),
  samples: z.number().int().nonnegative(),
  tensors: z.record(z.string(), watch),
});

/** Key of a calibration: what it reads, and everything else that decides its numbers. */
export function stateKey(of: {
  readonly model: string;
  readonly data: string;
  readonly options: unknown;
}): CalibrationState['key'] {
  return { model: of.model, data: of.data, options: fingerprintOf(JSON.stringify(of.options)) };
}

/** `ranges-stale` for a state of another version, model, data or other options. */
export function checkState(
  state: CalibrationState,
  key: CalibrationState['key'],
  path: string,
): readonly Issue[] {
  const stale = (what: 'model' | 'data' | 'version' | 'options') => [
    issue('ranges-stale', { what, path }, { path }),
  ];
  if (state.version !== stateVersion) return stale('version');
  if (state.key.model !== key.model) return stale('model');
  if (state.key.data !== key.data) return stale('data');
  return state.key.options === key.options ? [] : stale('options');
}

/** Reads the text of a state; `format-damaged` for anything that is none, `ranges-stale` for another version. */
export function parseState(text: string, path: string): Outcome<CalibrationState> {
  const damaged = (reason: string) => fail(issue('format-damaged', { path, offset: 0, reason }, { path }));
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return damaged('not JSON');
  }
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed && parsed.version !== stateVersion)
    return fail(issue('ranges-stale', { what: 'version', path }, { path }));
  const checked = schema.safeParse(parsed);
  if (checked.success) return ok(checked.data);
  return damaged(`not the state of a calibration: ${checked.error.issues[0]?.path.join('.') ?? ''}`);
}
