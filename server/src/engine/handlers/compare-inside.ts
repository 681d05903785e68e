/**
 * Layers inside If, Loop and Scan bodies of a quantized file beside those of its float original: figures of their
 * weights, and errors on data where both networks run in one session.
 */
import { innerMatches, type LayerTwins } from '../analysis/layer-pairs';
import type { ShadowResult } from '../analysis/run-shadow';
import { defined } from '../base/invariant';
import { type Issue, issue } from '../base/issue';
import type { CompareJob } from '../jobs';
import { openSession } from '../runtime/session-model';
import { type InnerRun, type InnerTwins, innerCumulative, innerLocal, neverRuns } from './inner-layers';
import type { PreparedModel } from './open';
import { shareOpsets } from './schemes';
import { openTwins, type Twins } from './twins';

/** What is known before anything runs. */
export interface Inside {
  readonly twins: readonly LayerTwins[];
  /** Of those that found no counterpart, or one with another weight. */
  readonly issues: readonly Issue[];
  /** Layers that can be compared on data. */
  readonly compared: readonly string[];
}

/** Pairs the layers inside bodies of both files, whose graphs are only read. */
export function inside({ float, quantized }: Twins): Inside {
  const { pairs, twins, unmatched, differing } = innerMatches(float, quantized);
  return {
    twins,
    compared: pairs.map(({ name }) => name),
    issues: [
      ...unmatched.map((layer) => issue('layer-unmatched', { layer }, { layer }, 'warning')),
      ...differing.map((facts) => issue('weight-differs', facts, { layer: facts.layer }, 'error')),
    ],
  };
}

export interface InsideInput extends Omit<InnerRun, 'twins' | 'stage' | 'open' | 'prepared' | 'options'> {
  readonly job: CompareJob;
  readonly floatFile: PreparedModel;
  readonly quantizedFile: PreparedModel;
}

export interface InsideErrors {
  readonly results: readonly ShadowResult[];
  readonly issues: readonly Issue[];
}

/** Own and cumulative errors; a body that cannot be compared is told and fails nothing else. */
export async function errorsInside(input: InsideInput, { twins, compared }: Inside): Promise<InsideErrors> {
  const run = compared.length > 0 ? innerRunOf(input) : undefined;
  const local = run && input.job.only !== 'cumulative' ? await innerLocal(run) : undefined;
  const cumulative = run && input.job.only !== 'local' ? await innerCumulative(run) : [];
  const results = [local?.value?.errors, ...cumulative.map(({ value }) => value)].filter(
    (one) => one !== undefined,
  );
  const known = new Set(
    results.flatMap(({ sqnr }) => Object.keys({ ...sqnr.local, ...sqnr.localWeights, ...sqnr.cumulative })),
  );
  const idle = local?.value?.idle ?? [];
  const lost = twins.map(({ name }) => name).filter((name) => !known.has(name));
  return {
    results,
    issues: [
      ...(idle.length > 0 ? [neverRuns(idle)] : []),
      // Where nothing is known, the last sentence says more.
      ...(known.size > 0 ? cumulative.flatMap(({ issues }) => issues) : []),
      ...(lost.length > 0 ? [weightsOnly(lost)] : []),
    ],
  };
}

function weightsOnly(layers: readonly string[]): Issue {
  return issue('inner-weights-only', { layers }, { layer: layers[0] }, 'information');
}

function innerRunOf(input: InsideInput): InnerRun {
  const { job, floatFile, quantizedFile } = input;
  return {
    ...input,
    prepared: floatFile,
    options: job,
    stage: 'compare',
    twins: () => fresh(floatFile, quantizedFile),
    open: (model) => openSession(model, floatFile.open, { threads: job.threads, optimization: 'disabled' }),
  };
}

function fresh(floatFile: PreparedModel, quantizedFile: PreparedModel): InnerTwins {
  const twins = defined(openTwins(floatFile, quantizedFile).value, 'two files that were paired before');
  const { float, quantized } = twins;
  shareOpsets(float, quantized);
  return { float, quantized, pairs: innerMatches(float, quantized).pairs };
}
