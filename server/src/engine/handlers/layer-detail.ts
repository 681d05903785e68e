/**
 * Job `layer-detail`: distributions and channels of one layer, float against quantized. Without data only its weight,
 * which needs no native inference; with data also its output, everything before it quantized.
 */
import type { LayerDetail } from '../../protocol/reports';
import { batchSizeFor } from '../analysis/batch-size';
import { layerDetail, TensorPair } from '../analysis/layer-detail';
import { matchedPairs } from '../analysis/layer-pairs';
import { openLikelyFeeds } from '../analysis/likely-noise';
import { realWeight } from '../analysis/real-weight';
import { runBatch } from '../analysis/run-batch';
import type { LayerPair } from '../analysis/shadow';
import { checkpoint } from '../base/cancel';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import { type Layer, listLayers } from '../graph/layers';
import type { LayerDetailJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import type { FeedBatch, Feeds } from '../runtime/feeds';
import type { InputTensors, RuntimeTensor, Session } from '../runtime/ort';
import { openSession } from '../runtime/session-model';
import { tapModel } from '../runtime/tap';
import { differentInputs } from './compare';
import { type PreparedModel, withModel } from './open';

export function layerDetailHandler(
  job: LayerDetailJob,
  context: ServedContext,
): Promise<Outcome<LayerDetail>> {
  return withModel(job.float, (float) =>
    withModel(job.quantized, (quantized) => detail(job, context, float, quantized)),
  );
}

async function detail(
  job: LayerDetailJob,
  context: ServedContext,
  floatFile: PreparedModel,
  quantizedFile: PreparedModel,
): Promise<Outcome<LayerDetail>> {
  const float = floatFile.folded();
  const quantized = quantizedFile.plain();
  const different = differentInputs(float, quantized);
  if (different !== undefined) return fail(issue('models-differ', { reason: different }));
  const pair = matchedPairs(float, quantized).pairs.find(({ name }) => name === job.layer);
  if (!pair) return fail(issue('layer-unmatched', { layer: job.layer }, { layer: job.layer }));
  const layer = layerAt(float, pair.float);
  const twin = layerAt(quantized, pair.quantized);
  const weight = layer && twin && weightPair(layer, twin);
  const known = layerDetail(job.layer, weight, undefined);
  if (!job.data || !layer) return ok(known);
  context.partial(known);
  const batch = runBatch([float, quantized], job.data.dimensions);
  if (!batch.value) return fail(...batch.issues);
  const feeds = await openLikelyFeeds(job.data, float, floatFile.open.model, batch.value.size);
  if (!feeds.value) return fail(...feeds.issues);
  try {
    const run = { job, context, pair, layer, float, quantized, floatFile, quantizedFile, feeds: feeds.value };
    const output = await outputPair(run);
    return output.value ? ok(layerDetail(job.layer, weight, output.value)) : fail(...output.issues);
  } finally {
    feeds.value.close();
  }
}

function layerAt(model: Model, ends: LayerPair['float']): Layer | undefined {
  return listLayers(model).find(({ node }) => node === ends.chain[0]);
}

/** Both weights in real numbers, channel by channel; `undefined` where one cannot be read. */
function weightPair(layer: Layer, twin: Layer): TensorPair | undefined {
  const exact = realWeight(layer).value;
  const approximate = realWeight(twin).value;
  if (!exact || !approximate || exact.length !== approximate.length) return undefined;
  const channels = channelsOf(layer);
  const pair = new TensorPair(channels);
  // Real weights come channel by channel.
  pair.observe(exact, approximate, channels === 0 ? 0 : exact.length / channels);
  return pair;
}

function channelsOf({ shape, channelAxis }: Layer): number {
  return shape[channelAxis < 0 ? channelAxis + shape.length : channelAxis] ?? 0;
}

interface OutputRun {
  readonly job: LayerDetailJob;
  readonly context: ServedContext;
  readonly pair: LayerPair;
  readonly layer: Layer;
  readonly float: Model;
  readonly quantized: Model;
  readonly floatFile: PreparedModel;
  readonly quantizedFile: PreparedModel;
  readonly feeds: Feeds;
}

/** Runs both networks up to the layer and takes its output in each. */
async function outputPair(run: OutputRun): Promise<Outcome<TensorPair>> {
  const exact = await openTap(run, run.float, run.pair.float.output.name, run.floatFile);
  if (!exact.value) return fail(...exact.issues);
  const twin = await openTap(run, run.quantized, run.pair.quantized.output.name, run.quantizedFile);
  if (!twin.value) {
    await exact.value.session.release();
    return fail(...twin.issues);
  }
  try {
    return await observed(run, exact.value, twin.value);
  } finally {
    await exact.value.session.release();
    await twin.value.session.release();
  }
}

interface TappedSession {
  readonly session: Session;
  readonly output: string;
  readonly inputs: readonly string[];
}

async function openTap(
  { job }: OutputRun,
  model: Model,
  value: string,
  { open }: PreparedModel,
): Promise<Outcome<TappedSession>> {
  const tapped = tapModel(model, [{ value, what: 'all', float: true }]);
  // As the comparison itself runs, so that its figures are these.
  const options = { threads: job.threads, optimization: 'disabled' } as const;
  const session = await openSession(tapped.model, open, options);
  if (!session.value) return fail(...session.issues);
  return ok({
    session: session.value,
    output: tapped.outputs[0]?.[0] ?? value,
    inputs: model.graph.dataInputs.map(({ name }) => name),
  });
}

async function observed(
  { job, context, layer, float, feeds }: OutputRun,
  exact: TappedSession,
  twin: TappedSession,
): Promise<Outcome<TensorPair>> {
  const { signal, progress } = context;
  let pair: TensorPair | undefined;
  let samples = 0;
  for await (const batch of feeds.batches(batchSizeFor(float, job.dimensions), signal)) {
    await checkpoint(signal);
    if (!batch.value) return fail(...batch.issues);
    const one = await ranOn(exact, batch.value, exact.inputs);
    const other = await ranOn(twin, batch.value, exact.inputs);
    if (!one.value || !other.value) return fail(...one.issues, ...other.issues);
    const parts = [floats(one.value), floats(other.value)] as const;
    if (!parts[0] || parts[0].length !== parts[1]?.length) {
      const [left, right] = [one.value.dims.join(', '), other.value.dims.join(', ')];
      return fail(issue('models-differ', { reason: `${layer.name} makes [${left}] against [${right}]` }));
    }
    const view = outputView(layer, one.value.dims);
    pair ??= new TensorPair(view.channels);
    pair.observe(parts[0], parts[1], view.inner);
    samples += batch.value.count;
    progress({ stage: 'compare', done: samples, total: feeds.count, unit: 'samples', detail: layer.name });
  }
  return ok(pair ?? new TensorPair(0));
}

/** One forward; inputs are fed by position, because the two networks may name them differently. */
async function ranOn(
  { session, output, inputs }: TappedSession,
  { feeds }: FeedBatch,
  names: readonly string[],
): Promise<Outcome<RuntimeTensor>> {
  const given: Record<string, RuntimeTensor> = {};
  const needed = new Set(session.inputs.map(({ name }) => name));
  inputs.forEach((name, index) => {
    const tensor = (feeds as InputTensors)[names[index] ?? name];
    if (tensor && needed.has(name)) given[name] = tensor;
  });
  const ran = await session.run(given);
  const tensor = ran.value?.[output];
  return tensor ? ok(tensor) : fail(...ran.issues);
}

function floats({ data }: RuntimeTensor): Float32Array | undefined {
  return data instanceof Float32Array ? data : undefined;
}

const convolutions: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'com.microsoft.FusedConv']);

/** Where the channels of an output stand: behind the batch for convolutions, last for matrix products. */
function outputView(layer: Layer, dims: readonly number[]): { channels: number; inner: number } {
  const axis = convolutions.has(layer.op) ? 1 : dims.length - 1;
  const channels = channelsOf(layer);
  if (dims[axis] !== channels) return { channels: 0, inner: 0 };
  return { channels, inner: dims.slice(axis + 1).reduce((product, size) => product * size, 1) };
}
