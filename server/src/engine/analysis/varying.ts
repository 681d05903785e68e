/**
 * SQNR of what differs between samples: of every output element its mean over the samples is taken off signal and error.
 * An output that is mostly one constant hides behind it that all else is lost; this figure does not.
 */
import type { Decibel } from '../../protocol/reports';
import { sqnr } from '../numerics/metrics';

/** Fewer samples tell no mean. */
const ENOUGH = 8;

/** Elements of a sample's output above which nothing is summed: memory stays small. */
const LARGEST = 2 ** 20;

/** Share of the signal's power below which differences between samples are rounding of float32. */
const ROUNDING = 1e-12;

/** Sums per output element, taken from the first sample so that a large constant costs no digits. */
export class VaryingSums {
  private samples = 0;
  private exact: ElementSums | undefined;
  private error: ElementSums | undefined;
  private power = 0;
  private usable = true;

  /** Adds samples along the first axis; outputs that have no such axis, or change their size, give no figure. */
  add(exact: ArrayLike<number>, close: ArrayLike<number>, dims: readonly number[], count: number): void {
    const size = exact.length / count;
    this.exact ??= new ElementSums(size);
    this.error ??= new ElementSums(size);
    this.usable &&= dims[0] === count && size === this.exact.size && size <= LARGEST && size > 0;
    if (!this.usable) return;
    for (let at = 0; at < exact.length; at++) {
      const x = Number(exact[at]);
      this.power += x * x;
      this.exact.add(at % size, x, this.samples === 0 && at < size);
      this.error.add(at % size, Number(close[at]) - x, this.samples === 0 && at < size);
    }
    this.samples += count;
  }

  /** dB; `undefined` with too few samples, and where the exact output is the same on all of them. */
  get sqnr(): Decibel | undefined {
    const { samples, exact, error, power } = this;
    if (!this.usable || !exact || !error || samples < ENOUGH || !Number.isFinite(power)) return undefined;
    const signal = exact.around(samples);
    return signal > ROUNDING * power ? sqnr({ signal, noise: error.around(samples) }) : undefined;
  }
}

/** Σ(v − r)² and per element Σ(v − r), r being the first sample. */
class ElementSums {
  private readonly first: Float64Array;
  private readonly sums: Float64Array;
  private square = 0;

  constructor(readonly size: number) {
    const length = Number.isInteger(size) && size <= LARGEST ? size : 0;
    this.first = new Float64Array(length);
    this.sums = new Float64Array(length);
  }

  add(element: number, value: number, isFirst: boolean): void {
    if (isFirst) this.first[element] = value;
    const distance = value - (this.first[element] ?? 0);
    this.sums[element] = (this.sums[element] ?? 0) + distance;
    this.square += distance * distance;
  }

  /** Σ(v − mean)². */
  around(samples: number): number {
    return Math.max(0, this.square - this.sums.reduce((sum, one) => sum + (one * one) / samples, 0));
  }
}
