/**
 * Range estimator `aciq`: the clipping that has the least expected error if the data follows a Laplace or a normal
 * distribution, in closed form from its mean and spread. `mix` takes whichever of both and of no clipping loses least on
 * the histogram. Source: Banner, Nahshan, Soudry 2019 (ACIQ); data on one side of zero is what a ReLU left of it, which
 * is worth one more bit.
 */
import type { EstimatorVariant } from '../../base/format-names';
import type { Range } from '../affine';
import type { QuantScheme } from '../scheme';
import { complementaryError, lambertW } from '../special-functions';
import type { Histogram } from '../stats';
import { type EstimatorEntry, relaxed } from './estimator';
import { histogramError } from './histogram-error';
import { HistogramEstimator } from './histogram-estimator';

type Scheme = Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;
type Prior = Exclude<EstimatorVariant, 'mix'>;

class AnalyticClipping extends HistogramEstimator {
  constructor(
    id: string,
    private readonly variant: EstimatorVariant,
  ) {
    super(id);
  }

  range(scheme: Scheme): Range {
    const full = relaxed(this.histogram.min, this.histogram.max, scheme.symmetric);
    if (full.min === full.max) return full;
    if (this.variant !== 'mix') return this.clipped(this.variant, scheme);
    const error = histogramError(this.histogram, 2);
    let best = full;
    let least = error.of(full, scheme);
    for (const prior of ['laplace', 'gauss'] as const) {
      const range = this.clipped(prior, scheme);
      const found = error.of(range, scheme, least);
      if (found < least) [best, least] = [range, found];
    }
    return best;
  }

  private clipped(prior: Prior, { bits, symmetric }: Scheme): Range {
    const { min, max } = this.histogram;
    const oneSided = min >= 0 || max <= 0;
    const { centre, absolute, deviation } = spreadOf(this.histogram, oneSided);
    const clip =
      clippingValue(prior, oneSided && !symmetric ? bits + 1 : bits) *
      (prior === 'laplace' ? absolute : deviation);
    if (oneSided) return relaxed(Math.max(min, -clip), Math.min(max, clip), symmetric);
    const low = Math.max(min, centre - clip);
    return relaxed(low, Math.min(low + 2 * clip, max), symmetric);
  }
}

export const aciq: EstimatorEntry = {
  name: 'aciq',
  variant: 'mix',
  create: (id, _parameter, variant) => new AnalyticClipping(id, variant),
};

/**
 * Best α of a range ±α: in units of E|x − μ| for a Laplace, of σ for a normal distribution.
 * Laplace: α·e^α = 3·4^bits. Normal: where the derivative of the expected error vanishes,
 * α · (erfc(α/√2) + 1 / (3·4^bits)) = √(2/π) · e^(−α²/2).
 */
export function clippingValue(prior: Prior, bits: number): number {
  const rounding = 1 / (3 * 4 ** bits);
  if (prior === 'laplace') return lambertW(1 / rounding);
  let low = 0;
  let high = 20;
  for (let step = 0; step < 60; step++) {
    const alpha = (low + high) / 2;
    const rising = alpha * (complementaryError(alpha / Math.SQRT2) + rounding);
    if (rising < Math.sqrt(2 / Math.PI) * Math.exp((-alpha * alpha) / 2)) low = alpha;
    else high = alpha;
  }
  return (low + high) / 2;
}

/** Expected squared error of a Laplace distribution with E|x − μ| = 1 under a range ±α: clipping and rounding. */
export function laplaceError(alpha: number, bits: number): number {
  return 2 * Math.exp(-alpha) + alpha ** 2 / (3 * 4 ** bits);
}

/**
 * Mean, E|x − centre| and root mean square about it. Of data on one side, zeros are what the ReLU cut off, the centre of
 * the distribution before it is taken to be zero, and the rest is one of its halves.
 */
function spreadOf(
  histogram: Histogram,
  oneSided: boolean,
): { centre: number; absolute: number; deviation: number } {
  const counts = histogram.occupied();
  const { firstBin, width } = histogram;
  const centreOf = (bin: number) => (firstBin + bin + 0.5) * width;
  let count = oneSided ? 0 : histogram.zeros;
  let sum = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    count += counts[bin] ?? 0;
    sum += (counts[bin] ?? 0) * centreOf(bin);
  }
  const centre = oneSided ? 0 : sum / count;
  const zeros = oneSided ? 0 : histogram.zeros;
  let absolute = zeros * Math.abs(centre);
  let squares = zeros * centre ** 2;
  for (let bin = 0; bin < counts.length; bin++) {
    const distance = centreOf(bin) - centre;
    absolute += Math.abs(distance) * (counts[bin] ?? 0);
    squares += distance ** 2 * (counts[bin] ?? 0);
  }
  return { centre, absolute: absolute / count, deviation: Math.sqrt(squares / count) };
}
