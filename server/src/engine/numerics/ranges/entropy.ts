/**
 * Range estimator `entropy`: the threshold whose quantized histogram diverges least from the data's. As in TensorRT (Migacz
 * 2017) and MXNet: for every half-width from the number of codes on, P = the slice with what lies outside added to its
 * edge bins, Q = the slice merged into as many groups as there are codes, each group's mass spread over its occupied
 * bins; the least KL(P ‖ Q) wins. Exact zeros, which every format holds exactly, are left out.
 */
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import type { Histogram } from '../stats';
import { type EstimatorEntry, relaxed } from './estimator';
import { HistogramEstimator } from './histogram-estimator';

/** The data fills at least half of them, so that thresholds down to 3 % of the range can be told apart at 8 bits. */
const BINS = 8192;

/** What an empty bin of Q counts where P has something. */
const SMOOTHED = 1e-4;

class Entropy extends HistogramEstimator {
  constructor(id: string) {
    super(id, BINS);
  }

  range(scheme: Pick<QuantScheme, 'bits' | 'symmetric'>): Range {
    const full = relaxed(this.histogram.min, this.histogram.max, scheme.symmetric);
    if (full.min === full.max) return full;
    const { width } = this.histogram;
    const below = Math.ceil(-full.min / width);
    const above = Math.ceil(full.max / width);
    const slices = new Slices(dense(this.histogram, below, above));
    const codes = 2 ** scheme.bits - 1;
    let best = full;
    let least = Number.POSITIVE_INFINITY;
    // Downwards, so that of equal divergences the widest range wins.
    for (let half = Math.max(below, above); half > 0; half--) {
      const from = below - Math.min(half, below);
      const to = below + Math.min(half, above);
      if (to - from < codes) break;
      const divergence = slices.divergence(from, to, codes);
      if (!(divergence < least)) continue;
      least = divergence;
      best = { min: Math.max(-half * width, full.min), max: Math.min(half * width, full.max) };
    }
    return best;
  }
}

export const entropy: EstimatorEntry = { name: 'entropy', create: (id) => new Entropy(id) };

/** Counts of `below` bins left of zero and `above` bins right of it. */
function dense(histogram: Histogram, below: number, above: number): Float64Array {
  const counts = new Float64Array(below + above);
  for (const { low, count } of histogram.bins()) {
    const bin = Math.min(Math.max(Math.round(low / histogram.width) + below, 0), counts.length - 1);
    counts[bin] = (counts[bin] ?? 0) + count;
  }
  return counts;
}

/**
 * Divergences of slices of one histogram. Within a group Q is constant on the occupied bins, so that
 * Σ p·log q = Σ over groups of mass · log(mass / occupied), and prefix sums give every term.
 */
class Slices {
  /** Σ of the first i counts, of c·log c, and number of occupied bins. */
  private readonly mass: Float64Array;
  private readonly entropies: Float64Array;
  private readonly occupied: Float64Array;

  constructor(private readonly counts: Float64Array) {
    const size = counts.length + 1;
    this.mass = new Float64Array(size);
    this.entropies = new Float64Array(size);
    this.occupied = new Float64Array(size);
    counts.forEach((count, i) => {
      this.mass[i + 1] = (this.mass[i] ?? 0) + count;
      this.entropies[i + 1] = (this.entropies[i] ?? 0) + timesLog(count);
      this.occupied[i + 1] = (this.occupied[i] ?? 0) + (count > 0 ? 1 : 0);
    });
  }

  /** KL(P ‖ Q) in nats of the slice [from, to) in `groups` groups; infinite for an empty slice. */
  divergence(from: number, to: number, groups: number): number {
    const { mass, entropies, occupied, counts } = this;
    const start = mass[from] ?? 0;
    const inside = (mass[to] ?? 0) - start;
    if (inside === 0) return Number.POSITIVE_INFINITY;
    const total = mass[counts.length] ?? 0;
    const merged = Math.floor((to - from) / groups);
    let cross = 0;
    let before = start;
    let filled = occupied[from] ?? 0;
    let firstQ = 0;
    let lastQ = 0;
    for (let group = 1; group <= groups; group++) {
      // The last group takes what the division leaves.
      const end = group === groups ? to : from + group * merged;
      const sum = (mass[end] ?? 0) - before;
      before += sum;
      const bins = (occupied[end] ?? 0) - filled;
      filled += bins;
      lastQ = sum > 0 ? sum / bins : 0;
      if (group === 1) firstQ = lastQ;
      if (sum > 0) cross += sum * Math.log(lastQ);
    }
    const left = this.edge(from, start, firstQ);
    const right = this.edge(to - 1, total - start - inside, lastQ);
    const own = (entropies[to] ?? 0) - (entropies[from] ?? 0) + left.own + right.own;
    return (own - cross - left.cross - right.cross) / total + Math.log(inside / total);
  }

  /** What `outside` more counts in an edge bin of P add to Σ p·log p and to Σ p·log q. */
  private edge(bin: number, outside: number, q: number): { own: number; cross: number } {
    const count = this.counts[bin] ?? 0;
    const expected = count > 0 ? q : SMOOTHED;
    return {
      own: timesLog(count + outside) - timesLog(count),
      cross: outside === 0 ? 0 : outside * Math.log(expected),
    };
  }
}

function timesLog(count: number): number {
  return count > 0 ? count * Math.log(count) : 0;
}
