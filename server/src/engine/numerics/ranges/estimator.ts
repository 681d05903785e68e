/** What every range estimator offers: it sees a stream of chunks and renders one real range per scheme. */
import type { EstimatorName, EstimatorVariant } from '../../base/format-names';
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import type { Histogram, HistogramState } from '../stats';

/** Plain data of an estimator under way: numbers by name, and the histogram where there is one. */
export interface EstimatorState {
  readonly numbers: Readonly<Record<string, number>>;
  readonly histogram?: HistogramState;
}

export interface Estimator {
  /** As the contract writes it, parameter included: `percentile:99.99`. */
  readonly id: string;
  /**
   * One batch of values. What is not finite is counted and otherwise ignored.
   * @param rowLength elements of one sample; only figures beside the range depend on it.
   */
  observe(chunk: Float32Array, rowLength?: number): void;
  /** Takes in what an estimator of the same id saw elsewhere; absent where the order of batches counts. */
  merge?(other: Estimator): void;
  /**
   * The range to quantize, always with 0 in it; {0, 0} before any value. Symmetric schemes get ±max. Data without
   * negative values gives min = 0 exactly.
   */
  range(scheme: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>): Range;
  /** What it has seen, where it counts into a histogram. */
  readonly histogram?: Histogram;
  /** Everything it knows as plain data; `restore` on a fresh estimator of the same id continues there. */
  save(): EstimatorState;
  restore(state: EstimatorState): void;
  /** Finite values seen. */
  readonly count: number;
  /** NaN and infinities seen. */
  readonly nonFinite: number;
  /** Extremes of the finite values seen; Infinity and -Infinity before the first. */
  readonly min: number;
  readonly max: number;
}

/** A line of the registry. */
export interface EstimatorEntry {
  readonly name: EstimatorName;
  /** What stands after the colon where the user writes none; undefined = the estimator takes no parameter. */
  readonly parameter?: number;
  /** The same for estimators whose parameter is a word. */
  readonly variant?: EstimatorVariant;
  /** A batch may be given as its two extremes alone. */
  readonly extremesSuffice?: true;
  /** Where a layer reads the tensor, its output decides instead (`analysis/output-cosine.ts`). */
  readonly judgesOutputs?: true;
  create(id: string, parameter: number, variant: EstimatorVariant): Estimator;
}

/** Relaxes a range to contain 0 and, for symmetric schemes, mirrors the larger end. */
export function relaxed(min: number, max: number, symmetric: boolean): Range {
  // Adding 0 turns −0 into 0, which is what reports print.
  const low = Math.min(min, 0) + 0;
  const high = Math.max(max, 0);
  if (!symmetric) return { min: low, max: high };
  const larger = Math.max(-low, high);
  return { min: 0 - larger, max: larger };
}
