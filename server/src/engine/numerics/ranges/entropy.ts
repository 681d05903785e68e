/**
 * Range estimator `entropy`: the threshold whose quantized histogram diverges least from the data's. As in TensorRT (Migacz
 * 2017) and MXNet: for every half-width from the number of codes on, P = the slice with what lies outside added to its
 * edge bins, Q = the slice merged into as many groups as there are codes, each group's mass spread over its occupied
 * bins; the least KL(P ‖ Q) wins. Two things keep it from ruining ordinary networks, where the published form was seen
 * to clip a ReLU6 output at 2.2, at 19.6 dB instead of 42.3: values that very many elements share count as little as exact
 * zeros, which are left out; and a threshold that serves the 99.99 % smallest magnitudes worse than no clipping at all is
 * no candidate.
 */
import { magnitudeBelow } from '../activation-facts';
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import type { Histogram } from '../stats';
import { type EstimatorEntry, relaxed } from './estimator';
import { histogramError } from './histogram-error';
import { HistogramEstimator } from './histogram-estimator';

/** The data fills at least half of them, so that thresholds down to 3 % of the range can be told apart at 8 bits. */
const BINS = 8192;

/** Half-widths that are tried over the whole range; around the best of them all are. */
const CANDIDATES = 512;

/** How many times the median of its neighbours an atom holds, and how many neighbours on each side there are. */
const ATOM = 8;
const NEIGHBOURS = 8;

/** Share of all values that an atom has at least. */
const ATOM_SHARE = 1e-3;

/** Share of the values, the smallest magnitudes, that a threshold may not serve worse than no clipping at all. */
const USUAL = 0.9999;

/** Steps in which half-widths are asked whether they do. */
const LOSS_STEPS = 256;

type Scheme = Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;

/** What an empty bin of Q counts where P has something. */
const SMOOTHED = 1e-4;

class Entropy extends HistogramEstimator {
  constructor(id: string) {
    super(id, BINS);
  }

  range(scheme: Scheme): Range {
    const full = relaxed(this.histogram.min, this.histogram.max, scheme.symmetric);
    if (full.min === full.max) return full;
    const { width } = this.histogram;
    const below = Math.ceil(-full.min / width);
    const above = Math.ceil(full.max / width);
    const slices = new Slices(withoutAtoms(dense(this.histogram, below, above), below));
    const codes = 2 ** scheme.bits - 1;
    const clipped = (half: number): Range => ({
      min: Math.max(-half * width, full.min) + 0,
      max: Math.min(half * width, full.max),
    });
    const most = Math.max(below, above);
    const narrowest = this.narrowest(clipped, most, full, scheme);
    let best = most;
    let divergence = Number.POSITIVE_INFINITY;
    // Downwards, so that of equal divergences the widest range wins.
    const search = (from: number, to: number, step: number) => {
      for (let half = from; half >= Math.max(to, narrowest); half -= step) {
        const bounds = [below - Math.min(half, below), below + Math.min(half, above)] as const;
        if (bounds[1] - bounds[0] < codes) return;
        const found = slices.divergence(...bounds, codes);
        if (found < divergence) [best, divergence] = [half, found];
      }
    };
    const step = Math.max(1, Math.floor(most / CANDIDATES));
    search(most, 1, step);
    if (step > 1) search(best + step - 1, best - step + 1, 1);
    return clipped(best);
  }

  /** The narrowest half-width, to a 256th of the range, that costs all but the farthest values no more than none does. */
  private narrowest(clipped: (half: number) => Range, most: number, full: Range, scheme: Scheme): number {
    const error = histogramError(this.histogram, 2, magnitudeBelow(this.histogram, USUAL));
    const bound = error.of(full, scheme);
    const step = Math.max(1, Math.floor(most / LOSS_STEPS));
    let half = most;
    while (half > step && error.of(clipped(half - step), scheme, bound) <= bound) half -= step;
    return half;
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
 * Counts without the values that very many elements share: a constant background behind a bias, the bound of a Clip.
 * Any quantizer keeps them to half a step, but Q smears them over their group, which costs the logarithm of the group's
 * size and so speaks for the narrowest range there is.
 */
function withoutAtoms(counts: Float64Array, zero: number): Float64Array {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const smooth = counts.slice();
  counts.forEach((count, bin) => {
    // Around zero a density may grow without bound, as that of x³ does.
    if (count < ATOM_SHARE * total || Math.abs(bin - zero) <= NEIGHBOURS) return;
    const near = counts.slice(Math.max(0, bin - NEIGHBOURS), bin + NEIGHBOURS + 1).sort();
    const usual = near[near.length >> 1] ?? 0;
    if (count > ATOM * usual) smooth[bin] = usual;
  });
  return smooth;
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
