/**
 * Squared error of the values beyond the ends of a range, in a few steps instead of one per bin: beyond an end
 * Σ c·(x − end)² = Σ c·x² − 2·end·Σ c·x + end²·Σ c, and the three sums are differences of prefixes. Two of three ranges
 * that a search tries cut off so much that nothing else needs to be summed up.
 */

/** Share of Σ c·x² that rounding takes from the sums at most: thousands of terms with 2^-53 each. */
const ROUNDING = 1e-10;

export class ClippingError {
  /** Σ c, Σ c·x and Σ c·x² of the bins before each. */
  private readonly zeroth: Float64Array;
  private readonly first: Float64Array;
  private readonly second: Float64Array;

  /**
   * @param centres of occupied bins, ascending.
   * @param width no bin is wider.
   */
  constructor(
    private readonly centres: Float64Array,
    counts: Float64Array,
    private readonly width: number,
  ) {
    const { length } = centres;
    const zeroth = new Float64Array(length + 1);
    const first = new Float64Array(length + 1);
    const second = new Float64Array(length + 1);
    let [sum0, sum1, sum2] = [0, 0, 0];
    for (let i = 0; i < length; i++) {
      const count = counts[i] ?? 0;
      const x = centres[i] ?? 0;
      zeroth[i + 1] = sum0 += count;
      first[i + 1] = sum1 += count * x;
      second[i + 1] = sum2 += count * x * x;
    }
    this.zeroth = zeroth;
    this.first = first;
    this.second = second;
  }

  /** Of bins that lie beyond `lowest` or `highest` as a whole; less by what rounding may have added. */
  atLeast(lowest: number, highest: number): number {
    const { centres, second, width } = this;
    const { length } = centres;
    const below = this.squares(0, this.before(lowest - width), lowest);
    const above = this.squares(this.before(highest + width), length, highest);
    return below + above - ROUNDING * (second[length] ?? 0);
  }

  /** Σ c·(x − end)² over bins [from, to). */
  private squares(from: number, to: number, end: number): number {
    const { zeroth, first, second } = this;
    const count = (zeroth[to] ?? 0) - (zeroth[from] ?? 0);
    const sum = (first[to] ?? 0) - (first[from] ?? 0);
    return (second[to] ?? 0) - (second[from] ?? 0) - 2 * end * sum + end * end * count;
  }

  /** Number of bins whose centre lies below x. */
  private before(x: number): number {
    const { centres } = this;
    let from = 0;
    let to = centres.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((centres[middle] ?? 0) < x) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
