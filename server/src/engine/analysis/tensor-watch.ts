/**
 * One activation tensor under calibration: its range estimator, and beside it a histogram and the ranges of groups of
 * samples, from which the facts that findings judge are made. Memory does not depend on the number of samples.
 */
import type { ActivationFacts, ActivationRange } from '../../protocol/reports';
import { distributionFacts } from '../numerics/activation-facts';
import type { Random } from '../numerics/random';
import type { Estimator, EstimatorState } from '../numerics/ranges';
import { extremesOf } from '../numerics/ranges/min-max';
import type { QuantScheme } from '../numerics/scheme';
import { Histogram, type HistogramState } from '../numerics/stats';
import type { RuntimeTensor } from '../runtime/runtime-tensor';
import type { CalibrationTap } from './calibrate-taps';

type Scheme = Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;

/** Samples whose range counts once when it is asked how much ranges vary: a usual batch. */
const GROUP = 32;

/** Bins of the histogram beside an estimator that has none, and elements that it is given at once. */
const LOOK_BINS = 2048;
const LOOK_CHUNK = 8192;

export interface WatchInit {
  readonly name: string;
  readonly estimator: Estimator;
  readonly tap: CalibrationTap;
  /** Every run shows its elements, not only one in many. */
  readonly often: boolean;
  /** Of what is shown, one of so many elements is looked at. */
  readonly drawn: number;
  /** Samples of a group, at most. */
  readonly samples: number;
}

/** Plain data of a watch under way. */
export interface WatchState {
  readonly estimator: EstimatorState;
  readonly look?: HistogramState;
  readonly groups: readonly number[];
  /** Smallest and largest value and number of samples of the group under way. */
  readonly open: readonly number[];
}

export class TensorWatch {
  readonly name: string;
  readonly estimator: Estimator;
  private shownAs: CalibrationTap;
  private shownOften: boolean;
  private readonly drawn: number;
  /** Of an estimator that needs no more than extremes: some batches are counted here. */
  private readonly look: Histogram | undefined;
  private readonly groupSize: number;
  private readonly groups = { count: 0, mean: 0, squares: 0 };
  /** Elements that the histogram is still to be given. */
  private readonly waiting: { elements: Float32Array | undefined; length: number; row: number } = {
    elements: undefined,
    length: 0,
    row: 0,
  };
  private open = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, samples: 0 };

  constructor({ name, estimator, tap, often, drawn, samples }: WatchInit) {
    this.name = name;
    this.estimator = estimator;
    this.shownAs = tap;
    this.shownOften = often;
    this.drawn = drawn;
    this.look = estimator.histogram ? undefined : new Histogram(LOOK_BINS);
    // Few samples make four groups all the same, else there would be nothing to compare.
    this.groupSize = Math.max(1, Math.min(GROUP, Math.floor(samples / 4)));
  }

  get tap(): CalibrationTap {
    return this.shownAs;
  }

  get often(): boolean {
    return this.shownOften;
  }

  /**
   * From now on every element is looked at: an infinity was among them, as attention masks hold them, and the extremes
   * of the finite values are what a range needs.
   */
  lookCarefully(): void {
    this.shownAs = { ...this.shownAs, ends: 'none', strides: [] };
    this.shownOften = true;
  }

  /** Takes in what one run returned: the extremes where they are reduced, and elements where they were fetched. */
  observe(
    { extremes, shown }: { extremes?: Float32Array; shown?: RuntimeTensor },
    samples: number,
    random: Random,
  ): void {
    const { estimator, look } = this;
    const elements = shown?.data instanceof Float32Array ? shown.data : undefined;
    const row = elements ? rowLength(elements, shown?.dims ?? [], samples) : 0;
    const drawn = extremes ? this.drawn : 1;
    const seen = elements && thinned(elements, row, drawn, random);
    const seenRow = drawn > 1 ? Math.max(1, Math.floor(row / drawn)) : row;
    if (look && seen) this.lookAt(look, seen, seenRow);
    // Counted as elements too, the extremes of every run would be a third of what lies beyond a percentile.
    if (extremes && estimator.histogram) estimator.histogram.widen(extremes[0] ?? 0, extremes[1] ?? 0);
    else if (extremes) estimator.observe(extremes);
    if (seen && (!extremes || !look)) estimator.observe(seen, seenRow);
    if (extremes) this.group(extremes[0] ?? 0, extremes[1] ?? 0, samples);
    else if (seen && estimator.histogram) {
      const { chunkMin, chunkMax } = estimator.histogram;
      this.group(chunkMin, chunkMax, samples);
    } else if (seen) {
      const { min, max } = extremesOf(seen);
      this.group(min, max, samples);
    }
  }

  facts(range: ActivationRange, scheme: Scheme): ActivationFacts | undefined {
    const { estimator } = this;
    this.flush();
    const histogram = estimator.histogram ?? this.look;
    if (!histogram || histogram.count === 0 || estimator.count === 0) return undefined;
    const { leastDeviation, largestDeviation } = histogram;
    const { count, mean, squares } = this.groups;
    const spread = Number.isFinite(leastDeviation) ? largestDeviation / leastDeviation : undefined;
    return {
      tensor: this.name,
      min: Math.min(estimator.min, histogram.min),
      max: Math.max(estimator.max, histogram.max),
      mean: histogram.mean,
      std: histogram.deviation,
      ...distributionFacts(histogram, range, scheme),
      ...(count > 1 && mean > 0 ? { rangeVariation: Math.sqrt(squares / count) / mean } : {}),
      ...(spread === undefined ? {} : { sampleSpread: spread }),
    };
  }

  save(): WatchState {
    this.flush();
    const { count, mean, squares } = this.groups;
    const { min, max, samples } = this.open;
    return {
      estimator: this.estimator.save(),
      ...(this.look ? { look: this.look.save() } : {}),
      groups: [count, mean, squares],
      open: samples === 0 || min > max ? [] : [min, max, samples],
    };
  }

  restore({ estimator, look, groups, open }: WatchState): void {
    this.estimator.restore(estimator);
    if (look) this.look?.restore(look);
    const [count = 0, mean = 0, squares = 0] = groups;
    Object.assign(this.groups, { count, mean, squares });
    const [min = Number.POSITIVE_INFINITY, max = Number.NEGATIVE_INFINITY, samples = 0] = open;
    this.open = { min, max, samples };
  }

  /** A few elements at a time cost more than they tell: they are collected first. */
  private lookAt(look: Histogram, seen: Float32Array, row: number): void {
    const { waiting } = this;
    if (waiting.length > 0 && (row !== waiting.row || waiting.length + seen.length > LOOK_CHUNK))
      this.flush();
    if (2 * seen.length > LOOK_CHUNK) {
      look.observe(seen, row);
      return;
    }
    waiting.elements ??= new Float32Array(LOOK_CHUNK);
    waiting.elements.set(seen, waiting.length);
    waiting.length += seen.length;
    waiting.row = row;
  }

  private flush(): void {
    const { elements, length, row } = this.waiting;
    if (!elements || length === 0) return;
    this.look?.observe(elements.subarray(0, length), row);
    this.waiting.length = 0;
  }

  private group(low: number, high: number, samples: number): void {
    const { open } = this;
    open.min = Math.min(open.min, low);
    open.max = Math.max(open.max, high);
    open.samples += samples;
    const { min, max } = open;
    if (open.samples < this.groupSize || min > max) return;
    // Welford's recurrence over the widths, each with zero inside as a quantizer has it.
    const width = Math.max(max, 0) - Math.min(min, 0);
    const { groups } = this;
    groups.count++;
    const step = width - groups.mean;
    groups.mean += step / groups.count;
    groups.squares += step * (width - groups.mean);
    this.open = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY, samples: 0 };
  }
}

/** Elements of one sample, where the first axis is the batch. */
function rowLength(elements: Float32Array, dims: readonly number[], samples: number): number {
  return samples > 1 && dims[0] === samples ? elements.length / samples : elements.length;
}

/** One element out of every `stride` neighbours, chosen at random: a fixed step would meet the same channels again. */
function thinned(elements: Float32Array, row: number, stride: number, random: Random): Float32Array {
  if (stride <= 1) return elements;
  const perRow = Math.max(1, Math.floor(row / stride));
  const step = Math.floor(row / perRow);
  const part = new Float32Array(perRow * (elements.length / row));
  for (let at = 0; at < part.length; at++) {
    const start = Math.floor(at / perRow) * row + (at % perRow) * step;
    part[at] = elements[start + (random.bits() % step)] ?? 0;
  }
  return part;
}
