/**
 * Gains of the repairs that findings on a quantized file offer, measured by running the file with each of them against
 * the float original: one scale per output channel, and activation ranges of the data at hand.
 */
import type { Gain } from '../../protocol/issues';
import type { RemedyGain } from '../../protocol/remedies';
import type { ActivationRange, Decibel, LayerReport } from '../../protocol/reports';
import { batchSizeFor } from '../analysis/batch-size';
import { giveChannelScales, giveRanges } from '../analysis/repairs';
import type { ShadowResult } from '../analysis/run-shadow';
import { checkpoint } from '../base/cancel';
import { fail, type Outcome, ok } from '../base/outcome';
import type { CompareJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import { openSession } from '../runtime/session-model';
import { tapModel } from '../runtime/tap';
import type { PreparedModel } from './open';
import { outputReport, simulate } from './simulate';
import { openTwins, type Twins } from './twins';

/** Ranges of which the data uses a smaller share of the codes are tried anew; the threshold of the finding. */
const USED_SHARE = 0.25;
/** So are those that cut off a larger share of the values. */
const CLIPPED_SHARE = 0.01;

export interface RepairInput {
  readonly job: CompareJob;
  readonly context: Pick<ServedContext, 'signal' | 'progress'>;
  readonly floatFile: PreparedModel;
  readonly quantizedFile: PreparedModel;
  readonly feeds: Feeds;
  readonly before: ShadowResult;
  /** With facts of stored weights and counted codes. */
  readonly layers: readonly LayerReport[];
}

/**
 * Tries the repairs that apply; none where nothing would change. Where ranges do not fit the data, scales per channel
 * are tried on top of fitting ones: beside a broken range no other error can be seen.
 */
export async function measureRepairs(input: RepairInput): Promise<Outcome<readonly RemedyGain[]>> {
  const ranges = await rangesOfData(input);
  if (!ranges.value) return fail(...ranges.issues);
  const fresh = ranges.value;
  const channels = perTensor(input.layers);
  const recalibrate = ({ quantized }: Twins) => giveRanges(quantized, fresh.byCodes).length > 0;
  const refine = ({ quantized, twins }: Twins) => {
    const wanted = twins.filter(({ name }) => channels.includes(name));
    return giveChannelScales(quantized, wanted).length > 0;
  };
  const gains: RemedyGain[] = [];
  let base = input.before;
  const moved = [...fresh.byLayer.keys()];
  const ranged = moved.length > 0 ? await repaired(input, moved, recalibrate) : undefined;
  if (ranged && !ranged.value) return fail(...ranged.issues);
  if (ranged?.value) {
    gains.push(...gainOf(input, 'recalibrate', moved, base, ranged.value));
    // A layer's own noise only changes with its own range.
    const local = { ...base.sqnr.local, ...ranged.value.sqnr.local };
    base = { ...ranged.value, sqnr: { ...ranged.value.sqnr, local } };
  }
  const given = ranged?.value ? ({ given: 'recalibrated' } as const) : {};
  const telling = input.layers.filter(gainsByChannel).map(({ name }) => name);
  if (telling.length === 0) return ok(gains);
  const all = await repaired(input, telling, (twins) => {
    if (ranged?.value) recalibrate(twins);
    return refine(twins);
  });
  if (all && !all.value) return fail(...all.issues);
  if (all?.value) gains.push(...gainOf(input, 'per-channel-weights', channels, base, all.value, given));
  return ok(gains);
}

/** Layers on which one scale may cost much: only their own error is worth a comparison. */
function gainsByChannel({ depthwise, facts, quantized }: LayerReport): boolean {
  if (!hasOneScale(quantized)) return false;
  return depthwise === true || (facts?.channelSpread ?? 0) > 4 || (facts?.worstChannelSqnr ?? 99) < 20;
}

/**
 * Runs the file after a change; `undefined` when there was nothing to change.
 * @param layers whose own error is measured too.
 */
async function repaired(
  input: RepairInput,
  layers: readonly string[],
  change: (twins: Twins) => boolean,
): Promise<Outcome<ShadowResult> | undefined> {
  const { job, context, floatFile, quantizedFile, feeds } = input;
  await checkpoint(context.signal);
  const twins = openTwins(floatFile, quantizedFile);
  if (!twins.value) return fail(...twins.issues);
  if (!change(twins.value)) return undefined;
  return simulate({
    float: twins.value.float,
    quantized: twins.value.quantized,
    pairs: twins.value.pairs.filter(({ name }) => layers.includes(name)),
    prepared: floatFile,
    feeds,
    what: { local: true, cumulative: false, output: true },
    options: job,
    stage: 'compare',
    context,
  });
}

function gainOf(
  { job }: RepairInput,
  fix: RemedyGain['fix'],
  layers: readonly string[],
  before: ShadowResult,
  after: ShadowResult,
  given: Pick<Gain, 'given'> = {},
): readonly RemedyGain[] {
  const data = { source: job.data.source, samples: after.samples };
  const gain = (of: Gain['of'], old: Decibel | undefined, now: Decibel | undefined): Gain | undefined => {
    if (typeof old !== 'number' || typeof now !== 'number') return undefined;
    const many = of === 'output' && layers.length > 1 ? { layers: layers.length } : {};
    return { of, before: old, after: now, ...many, ...given, data };
  };
  const [old, now] = [outputReport(before, 'simulated'), outputReport(after, 'simulated')];
  const output = gain('output', old.sqnr, now.sqnr);
  if (!output) return [];
  const local = layers.flatMap((name) => {
    const one = gain('local', before.sqnr.local[name], after.sqnr.local[name]);
    return one ? [[name, one] as const] : [];
  });
  const [was, is] = [old.topOneAgreement, now.topOneAgreement];
  const agreement = was !== null && is !== null ? { agreement: { before: was, after: is } } : {};
  return [{ fix, layers, output, ...agreement, local: Object.fromEntries(local) }];
}

function perTensor(layers: readonly LayerReport[]): readonly string[] {
  return layers.filter(({ quantized }) => hasOneScale(quantized)).map(({ name }) => name);
}

/** Of integers: small floats have the same steps at any range. */
function hasOneScale(quantized: LayerReport['quantized']): boolean {
  return quantized?.granularity === 'tensor' && quantized.weightFloat === undefined;
}

interface FreshRanges {
  /** By the name of the codes' tensor. */
  readonly byCodes: ReadonlyMap<string, ActivationRange>;
  readonly byLayer: ReadonlyMap<string, string>;
}

/** Extremes, on this data, of the float activations whose ranges in the file do not fit them. */
async function rangesOfData(input: RepairInput): Promise<Outcome<FreshRanges>> {
  const { job, context, floatFile, quantizedFile, feeds } = input;
  const opened = openTwins(floatFile, quantizedFile);
  if (!opened.value) return fail(...opened.issues);
  const { float, twins } = opened.value;
  const activations = new Map(
    twins.map(({ name, float: { node, activationInput } }) => [name, node.input(activationInput)?.name]),
  );
  const byLayer = new Map<string, string>();
  // Noise tells nothing of the ranges that real data needs.
  if (job.data.source === 'none' || job.data.source === 'random') return ok({ byCodes: new Map(), byLayer });
  const reals = new Map<string, string>();
  for (const { name, quantized } of input.layers) {
    const { input: seen, inputQuantizer } = quantized ?? {};
    const real = activations.get(name);
    if (!seen || !inputQuantizer || real === undefined) continue;
    if (!(seen.codesUsed < USED_SHARE * seen.levels) && !((seen.clippedShare ?? 0) > CLIPPED_SHARE)) continue;
    byLayer.set(name, inputQuantizer.tensor);
    reals.set(inputQuantizer.tensor, real);
  }
  const byCodes = new Map<string, ActivationRange>();
  if (reals.size === 0) return ok({ byCodes, byLayer });
  const taps = [...reals];
  const tapped = tapModel(
    float,
    taps.map(([, value]) => ({ value, what: 'extremes', float: true })),
  );
  const session = await openSession(tapped.model, floatFile.open, {
    threads: job.threads,
    optimization: 'basic',
  });
  if (!session.value) return fail(...session.issues);
  try {
    for await (const batch of feeds.batches(batchSizeFor(float, job.dimensions))) {
      await checkpoint(context.signal);
      if (!batch.value) return fail(...batch.issues);
      const ran = await session.value.run(batch.value.feeds);
      if (!ran.value) return fail(...ran.issues);
      const outputs = ran.value;
      for (const [index, [codes]] of taps.entries()) {
        const [low = Number.NaN, high = Number.NaN] = (tapped.outputs[index] ?? []).map((one) =>
          Number(outputs[one]?.data[0]),
        );
        const known = byCodes.get(codes) ?? { min: low, max: high };
        byCodes.set(codes, { min: Math.min(known.min, low), max: Math.max(known.max, high) });
      }
    }
  } finally {
    await session.value.release();
  }
  return ok({ byCodes, byLayer });
}
