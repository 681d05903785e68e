/** The flags of `quantize` and `encodings` that say what becomes of a model, as the part of a job that they share. */
import { issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import type { CommonOptions, PlanningJob } from '../engine/jobs';
import { isAvailable, methodIssue } from '../engine/methods/available';
import { readRangesFile } from '../engine/ranges-file';
import { readEncodingRanges } from './encodings-file';
import { type DataFlags, dataSpec, type GlobalFlags } from './options';
import type { LoadedRecipe } from './recipe';

export interface PlanFlags {
  readonly scheme?: string;
  readonly ranges?: string;
  readonly encodings?: string;
  readonly target?: string;
  readonly estimator?: string;
  readonly methods?: readonly string[];
  readonly keepFloat?: readonly string[];
}

export interface PlannedJob {
  readonly job: PlanningJob;
  readonly data: PlanningJob['data'];
  /** Files that the flags name: none may be written over. */
  readonly files: readonly (string | undefined)[];
}

/** Issues: neither scheme nor recipe, methods that do not exist yet, files that cannot be read. */
export function planJob(
  model: string,
  flags: GlobalFlags & DataFlags & PlanFlags,
  recipe: LoadedRecipe | undefined,
  common: CommonOptions,
): Outcome<PlannedJob> {
  if (flags.scheme === undefined && !recipe) {
    return fail(usage('--scheme or --recipe', 'neither is given', 'one of them'));
  }
  const unsupported = flags.methods?.find((method) => !isAvailable(method));
  if (unsupported !== undefined) return fail(methodIssue(unsupported));
  if (flags.ranges !== undefined && flags.encodings !== undefined) {
    return fail(usage('--ranges and --encodings', 'both are given', 'one of them'));
  }
  const ranges = flags.ranges === undefined ? undefined : readRangesFile(flags.ranges);
  if (ranges && !ranges.value) return fail(...ranges.issues);
  const encodings = readEncodingRanges(flags.encodings);
  if (flags.encodings !== undefined && !encodings.value) return fail(...encodings.issues);
  const data = dataSpec(flags, recipe?.data);
  return ok({
    data,
    files: [flags.recipe, flags.ranges, flags.encodings],
    job: {
      model,
      recipe: recipe?.text,
      scheme: flags.scheme,
      estimator: flags.estimator,
      keepFloat: flags.keepFloat ?? [],
      target: flags.target,
      data,
      ranges: ranges?.value,
      rangesPath: flags.ranges,
      encodings: encodings.value,
      ...common,
    },
  });
}

function usage(key: string, reason: string, expected: string) {
  return issue('recipe-value', { key, reason, expected });
}
