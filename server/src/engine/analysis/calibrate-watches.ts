/** What a calibration watches, and how: which tensors, what leaves the session of each, and how many samples at a time. */
import type { DataSpec } from '../../protocol/reports';
import type { Model } from '../graph/ir';
import { defaultOpset } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { opFacts } from '../graph/ops';
import { createEstimator, needsOnlyExtremes } from '../numerics/ranges';
import type { ValueShape } from '../runtime/shapes';
import { type ActivationTensor, observedFor, outputBounds } from './activation-taps';
import { batchSizeFor } from './batch-size';
import { keptShare, STRIDED_SLICE, stridesFor, thins } from './calibrate-taps';
import { countMacs } from './macs';
import { TensorWatch } from './tensor-watch';

/** Stands for free dimensions when sizes are estimated: a sequence of tokens. */
export const FREE_DIMENSION = 256;

/**
 * Elements of one tensor, over all samples, that are counted one by one. Of larger ones a part is, spread over every
 * sample, beside the exact extremes: neighbours in an image hardly tell more.
 */
const COUNTED_ELEMENTS = 4 << 20;

/**
 * Counting and copying one element takes about as long as so many multiply-adds: networks of few multiply-adds per
 * activation, such as depthwise ones, would spend most of a calibration on it. Their tensors are thinned out further, as
 * far as {@link FEWEST_COUNTED}: percentile 99.99 still has fifty elements beyond it.
 */
const MACS_PER_COUNTED = 512;
const FEWEST_COUNTED = 512 << 10;

/** The same where an estimator needs extremes only: every other run shows its part, for the facts. */
const LOOK_ELEMENTS = 64 << 10;

/**
 * Bytes of observed tensors that one run may return. They exist twice for a moment, in the session and outside, and are
 * the only memory beyond that of plain inference.
 */
const SHOWN_BYTES = 5 << 20;

/** Bytes of all tensors of one run together; onnxruntime frees most of them on the way. */
const COMPUTED_BYTES = 512 << 20;

/** Bytes of the largest tensor of a run, where one sample does not have more: it is read again while it is in cache. */
const LARGEST_BYTES = 512 << 10;

export interface WatchesInput {
  /** After BatchNormalization folding. */
  readonly model: Model;
  readonly data: DataSpec;
  readonly tensors: readonly ActivationTensor[];
  readonly shapes: ReadonlyMap<string, ValueShape>;
  readonly estimator: string;
  readonly samples: number;
  /** Names of tensors and sources that need not be watched. */
  readonly known: ReadonlySet<string>;
}

/** One watch per source tensor; only float tensors are watched. */
export function watchesFor(input: WatchesInput): readonly TensorWatch[] {
  const { model, tensors, shapes, samples, known } = input;
  const watches = new Map<string, TensorWatch>();
  const look = needsOnlyExtremes(input.estimator);
  // Facts are told of what layers read.
  const readByLayers = new Set(
    listLayers(model).flatMap(({ node, activationInput }) => {
      const read = node.input(activationInput);
      return read ? observedFor(read).name : [];
    }),
  );
  const canThin = defaultOpset(model) >= STRIDED_SLICE;
  const bound = look ? LOOK_ELEMENTS : countedElements(input);
  for (const { name, source } of tensors) {
    const { type, shape = [] } = shapes.get(source) ?? {};
    if (watches.has(source) || known.has(source) || known.has(name)) continue;
    const estimator = createEstimator(input.estimator).value;
    if (!type?.startsWith('float') || !estimator) continue;
    const all = elementsPerSample(shape) * samples;
    const shows = !look || readByLayers.has(source);
    const thinned = canThin ? stridesFor(shape, all, bound) : [];
    const strides = shows ? thinned : undefined;
    // What cannot be thinned out in the graph is afterwards; to draw from less takes longer than to count.
    const drawn = thins(thinned) || look ? 1 : Math.ceil(all / (64 * COUNTED_ELEMENTS));
    const reduced = look || thins(thinned) || drawn > 1;
    const ends = reduced ? (bounded(model, source) ? 'largest' : 'both') : 'none';
    const tap = { value: source, float: type === 'float32', shape, ends, strides } as const;
    watches.set(source, new TensorWatch({ name: source, estimator, tap, often: !look, drawn, samples }));
  }
  return [...watches.values()];
}

/** Samples of a run. */
export function watchedBatchSize(
  model: Model,
  data: DataSpec,
  shapes: ReadonlyMap<string, ValueShape>,
  watches: readonly TensorWatch[],
): number {
  const most = batchSizeFor(model, data.dimensions);
  const bytesOf = (name: string) => 4 * elementsPerSample(shapes.get(name)?.shape ?? []);
  let shown = 1;
  let largest = 1;
  for (const { name, tap } of watches) {
    shown += bytesOf(name) * keptShare(tap.shape, tap.strides);
    largest = Math.max(largest, bytesOf(name));
  }
  let computed = 1;
  for (const name of shapes.keys()) computed += bytesOf(name);
  const limit = Math.floor(Math.min(SHOWN_BYTES / shown, COMPUTED_BYTES / computed, LARGEST_BYTES / largest));
  return Math.max(1, Math.min(most, limit));
}

/** Elements of one tensor, over all samples, beyond which it is thinned out: as many as the network's work allows. */
function countedElements({ model, data, tensors, shapes, samples }: WatchesInput): number {
  const sources = new Set(tensors.map(({ source }) => source));
  const sizes = [...sources].map((name) => elementsPerSample(shapes.get(name)?.shape ?? []) * samples);
  const macs = countMacs(model, data.dimensions).total;
  // Sizes that depend on the samples were guessed.
  if (macs === null) return COUNTED_ELEMENTS;
  const counted = (bound: number) => sizes.reduce((sum, size) => sum + Math.min(size, bound), 0);
  let bound = COUNTED_ELEMENTS;
  while (bound > FEWEST_COUNTED && counted(bound) > (macs * samples) / MACS_PER_COUNTED) bound /= 2;
  return bound;
}

/** What comes from a Relu or a Clip at 0 need not be asked for its smallest value. */
function bounded(model: Model, name: string): boolean {
  const producer = model.graph.values.get(name)?.producer;
  if (!producer || opFacts(producer).fusedActivation !== true) return false;
  return outputBounds(producer)?.min === 0;
}

function elementsPerSample(shape: readonly (number | string)[]): number {
  const [batch, ...rest] = shape;
  const size = (dimension: number | string) => (typeof dimension === 'number' ? dimension : FREE_DIMENSION);
  const first = typeof batch === 'number' ? batch : 1;
  return rest.reduce<number>((product, dimension) => product * size(dimension), first);
}
