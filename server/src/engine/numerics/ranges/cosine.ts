/**
 * Range estimator `cosine`, the part that one tensor tells: the shrink ratio of the observed range whose quantized values
 * have the largest cosine with the real ones, from a histogram. Tensors that layers read are then judged by the outputs
 * of these layers (`analysis/output-cosine.ts`). Source: Wu et al. 2020 (EasyQuant), 100 linear ratios from 0.5 to 2;
 * beyond 1 a tensor alone can only lose.
 */
import { parametersFor, type Range, ROUNDING_MAGIC } from '../affine';
import type { QuantScheme } from '../scheme';
import type { Histogram } from '../stats';
import { type EstimatorEntry, relaxed } from './estimator';
import { HistogramEstimator } from './histogram-estimator';

const SMALLEST_RATIO = 0.5;
const STEPS = 50;

type Scheme = Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;

class OwnCosine extends HistogramEstimator {
  range(scheme: Scheme): Range {
    const full = relaxed(this.histogram.min, this.histogram.max, scheme.symmetric);
    if (full.min === full.max) return full;
    let best = full;
    let largest = Number.NEGATIVE_INFINITY;
    // Downwards, so that of equal cosines the widest range wins.
    for (let step = STEPS; step >= 0; step--) {
      const ratio = SMALLEST_RATIO + ((1 - SMALLEST_RATIO) * step) / STEPS;
      const range = { min: full.min * ratio, max: full.max * ratio };
      const found = cosineUnder(this.histogram, range, scheme);
      if (found > largest) [best, largest] = [range, found];
    }
    return best;
  }
}

export const cosine: EstimatorEntry = {
  name: 'cosine',
  judgesOutputs: true,
  create: (id) => new OwnCosine(id),
};

/** cos(x, Q(x)) over a histogram; values stand at the centres of their bins, within the observed extremes. */
export function cosineUnder(histogram: Histogram, range: Range, scheme: Scheme): number {
  const { scale, zeroPoint, codeMin, codeMax } = parametersFor(range, scheme);
  const { firstBin, width, min, max } = histogram;
  const counts = histogram.occupied();
  let [both, real, coded] = [0, 0, 0];
  for (let bin = 0; bin < counts.length; bin++) {
    const count = counts[bin] ?? 0;
    if (count === 0) continue;
    const x = Math.min(Math.max((firstBin + bin + 0.5) * width, min), max);
    const code = x / scale + ROUNDING_MAGIC - ROUNDING_MAGIC;
    const level = Math.min(Math.max(code, codeMin - zeroPoint), codeMax - zeroPoint);
    both += count * x * level;
    real += count * x * x;
    coded += count * level * level;
  }
  return both > 0 ? both / Math.sqrt(real * coded) : 0;
}
