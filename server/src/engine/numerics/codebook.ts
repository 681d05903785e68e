/**
 * Levels that are fitted to data: k-means (Deep Compression, Han et al. 2016) and the basis of LQ-Nets (Zhang et al.
 * 2018, QEM). Both alternate between assigning every value to its nearest level and refitting the levels, which never
 * raises the squared error. In one dimension an assignment cuts the sorted values into stretches, so that a step needs
 * no more than a few binary searches over prefix sums.
 */
import type { Random } from './random';

/** Sorted values with prefix sums. */
export interface SortedValues {
  readonly values: Float32Array;
  /** Σ of the first i values. */
  readonly sums: Float64Array;
}

/** Sorts a copy. Values must be finite. */
export function sortedValues(data: Float32Array): SortedValues {
  const values = data.slice().sort();
  const sums = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) sums[i + 1] = (sums[i] ?? 0) + (values[i] ?? 0);
  return { values, sums };
}

/** Midpoints between neighbours of an ascending list of levels. */
export function midpoints(levels: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: Math.max(levels.length - 1, 0) }, (_, i) => {
    return ((levels[i] ?? 0) + (levels[i + 1] ?? 0)) / 2;
  });
}

/** Replaces every value by the nearest of the levels; of two equally near ones by the lower. */
export function roundToLevels(
  values: Float32Array,
  target: Float32Array,
  levels: ArrayLike<number>,
  scale = 1,
): void {
  const limits = midpoints(levels);
  for (let i = 0; i < values.length; i++) {
    const at = countBelow(limits, (values[i] ?? 0) / scale);
    target[i] = (levels[at] ?? 0) * scale;
  }
}

/** Cells of a level table. */
const CELLS = 1024;

/**
 * {@link roundToLevels} for levels that serve many calls: a table of equal cells tells near which limit to look, so that
 * an element costs one comparison or two instead of a bisection. The same levels are chosen.
 * @param levels ascending, at least two.
 */
export function levelRounder(
  levels: ArrayLike<number>,
): (values: Float32Array, target: Float32Array, scale?: number) => void {
  const limits = midpoints(levels);
  const low = limits[0] ?? 0;
  const width = ((limits[limits.length - 1] ?? 0) - low) / CELLS;
  if (!(width > 0)) return (values, target, scale) => roundToLevels(values, target, levels, scale);
  // One cell more on each side, and rounding of x to its cell may be off by one: start a cell early.
  const starts = Uint16Array.from({ length: CELLS + 3 }, (_, cell) =>
    countBelow(limits, low + (cell - 2) * width),
  );
  const factor = 1 / width;
  return (values, target, scale = 1) => {
    for (let i = 0; i < values.length; i++) {
      const x = (values[i] ?? 0) / scale;
      const cell = Math.min(Math.max(Math.floor((x - low) * factor) + 1, 0), CELLS + 2);
      let at = starts[cell] ?? 0;
      while (at < limits.length && (limits[at] ?? 0) < x) at++;
      target[i] = (levels[at] ?? 0) * scale;
    }
  };
}

/** Number of limits that are below x, by bisection. */
function countBelow(limits: ArrayLike<number>, x: number): number {
  let low = 0;
  let high = limits.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((limits[middle] ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

const MOST_STEPS = 100;
const STARTS = 4;

/**
 * `count` levels by Lloyd's algorithm from k-means++ starts (Arthur and Vassilvitskii 2007), the best of four.
 * @returns ascending levels; fewer distinct ones where the data has fewer distinct values.
 */
export function kMeansLevels(sorted: SortedValues, count: number, random: Random): Float64Array {
  let best = new Float64Array(count);
  let bestGain = Number.NEGATIVE_INFINITY;
  for (let start = 0; start < STARTS; start++) {
    let levels = spreadStart(sorted.values, count, random);
    let gain = Number.NEGATIVE_INFINITY;
    for (let step = 0; step < MOST_STEPS; step++) {
      const next = refit(sorted, levels);
      if (!(next.gain > gain)) break;
      ({ levels, gain } = next);
    }
    if (gain > bestGain) [best, bestGain] = [levels, gain];
  }
  return best;
}

/** Moves every level to the mean of its values. `gain` = Σx² − Σ(x − level)², which only grows. */
function refit(
  sorted: SortedValues,
  levels: Float64Array,
): { levels: Float64Array<ArrayBuffer>; gain: number } {
  const cuts = stretches(sorted, levels);
  let gain = 0;
  const moved = levels.map((level, index) => {
    const from = cuts[index] ?? 0;
    const to = cuts[index + 1] ?? 0;
    if (from === to) return level;
    const sum = (sorted.sums[to] ?? 0) - (sorted.sums[from] ?? 0);
    gain += (sum * sum) / (to - from);
    return sum / (to - from);
  });
  return { levels: Float64Array.from(moved), gain };
}

/** Where in the sorted values each level's stretch begins, and the end. */
function stretches({ values }: SortedValues, levels: Float64Array): readonly number[] {
  return [0, ...Array.from(midpoints(levels), (limit) => countUpTo(values, limit)), values.length];
}

/** Number of sorted values that are not above the limit. */
function countUpTo(values: Float32Array, limit: number): number {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Values drawn with a probability that grows with the squared distance to those drawn before, ascending. */
function spreadStart(values: Float32Array, count: number, random: Random): Float64Array<ArrayBuffer> {
  const distances = new Float64Array(values.length).fill(Number.POSITIVE_INFINITY);
  const levels = new Float64Array(count);
  let chosen = values[random.integer(Math.max(values.length, 1))] ?? 0;
  for (let level = 0; level < count; level++) {
    levels[level] = chosen;
    let total = 0;
    for (let i = 0; i < values.length; i++) {
      const distance = ((values[i] ?? 0) - chosen) ** 2;
      if (distance < (distances[i] ?? 0)) distances[i] = distance;
      total += distances[i] ?? 0;
    }
    let left = random.uniform() * total;
    for (let i = 0; i < values.length; i++) {
      left -= distances[i] ?? 0;
      if (left <= 0) {
        chosen = values[i] ?? 0;
        break;
      }
    }
  }
  return levels.sort();
}

/** Which factors a basis vector may have: ±1 for weights, 0 and 1 for activations after a ReLU. */
export type BasisFactors = 'signs' | 'switches';

/** All levels of a basis: level `code` takes bit i of the code as the factor of v_i. Not sorted. */
export function basisLevels(basis: readonly number[], factors: BasisFactors): readonly number[] {
  return Array.from({ length: 2 ** basis.length }, (_, code) =>
    basis.reduce((sum, v, index) => sum + v * factor(code, index, factors), 0),
  );
}

function factor(code: number, index: number, factors: BasisFactors): number {
  const set = (code >> index) & 1;
  return factors === 'signs' ? 2 * set - 1 : set;
}

/** One step of QEM: nearest levels, then v = (BᵀB)⁻¹Bᵀx. The basis stays where BᵀB is singular. */
export function refitBasis(
  sorted: SortedValues,
  basis: readonly [number, number],
  factors: BasisFactors,
): readonly [number, number] {
  const levels = basisLevels(basis, factors);
  const order = levels.map((_, code) => code).sort((a, b) => (levels[a] ?? 0) - (levels[b] ?? 0));
  const cuts = stretches(
    sorted,
    Float64Array.from(order, (code) => levels[code] ?? 0),
  );
  let [aa, ab, bb, ax, bx] = [0, 0, 0, 0, 0];
  order.forEach((code, rank) => {
    const from = cuts[rank] ?? 0;
    const to = cuts[rank + 1] ?? 0;
    const sum = (sorted.sums[to] ?? 0) - (sorted.sums[from] ?? 0);
    const a = factor(code, 0, factors);
    const b = factor(code, 1, factors);
    aa += a * a * (to - from);
    ab += a * b * (to - from);
    bb += b * b * (to - from);
    ax += a * sum;
    bx += b * sum;
  });
  const determinant = aa * bb - ab * ab;
  if (!(determinant > 1e-9 * aa * bb)) return basis;
  return [(bb * ax - ab * bx) / determinant, (aa * bx - ab * ax) / determinant];
}

/** Alternates {@link refitBasis} until nothing changes. */
export function fitBasis(
  sorted: SortedValues,
  start: readonly [number, number],
  factors: BasisFactors,
): readonly [number, number] {
  let basis = start;
  for (let step = 0; step < MOST_STEPS; step++) {
    const next = refitBasis(sorted, basis, factors);
    if (next[0] === basis[0] && next[1] === basis[1]) break;
    basis = next;
  }
  return basis;
}
