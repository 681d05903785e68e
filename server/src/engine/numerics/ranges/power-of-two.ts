/**
 * Range estimator `power-of-two`: the range with the least squared error among those whose scale is a power of two, for
 * targets that rescale by shifting. The range is exactly as wide as the codes, so it may reach beyond the data.
 * Source: TQT (Jain et al. 2019) for the constraint; the smallest scale that clips nothing is the first candidate.
 */
import { codeRange, type Range, roundHalfEven } from '../affine';
import type { QuantScheme } from '../scheme';
import { type EstimatorEntry, relaxed } from './estimator';
import { histogramError } from './histogram-error';
import { HistogramEstimator } from './histogram-estimator';

/** Halvings of the scale that are tried: beyond, more than nine tenths of the range would be clipped. */
const HALVINGS = 8;

/** Exponent of the smallest normal float32, which is the smallest scale. */
const SMALLEST_EXPONENT = -126;

type Scheme = Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>;

class PowerOfTwo extends HistogramEstimator {
  range(scheme: Scheme): Range {
    const full = relaxed(this.histogram.min, this.histogram.max, scheme.symmetric);
    if (full.min === full.max) return full;
    const error = histogramError(this.histogram, 2);
    const first = coveringExponent(full, scheme);
    let best = full;
    let least = Number.POSITIVE_INFINITY;
    for (let exponent = first; exponent >= Math.max(first - HALVINGS, SMALLEST_EXPONENT); exponent--) {
      for (const range of rangesOf(full, scheme, 2 ** exponent)) {
        const found = error.of(range, scheme, least);
        if (found < least) [best, least] = [range, found];
      }
    }
    return best;
  }
}

export const powerOfTwo: EstimatorEntry = { name: 'power-of-two', create: (id) => new PowerOfTwo(id) };

/** Exponent of the smallest scale whose codes cover the range. */
function coveringExponent(full: Range, scheme: Scheme): number {
  const steps = stepsOf(scheme);
  const width = scheme.symmetric ? full.max : full.max - full.min;
  const exponent = Math.floor(Math.log2(width / steps));
  const covers = (one: number) =>
    rangesOf(full, scheme, 2 ** one).some(({ min, max }) => min <= full.min && max >= full.max);
  // Beyond, the largest code would stand for infinity.
  const largest = 128 - scheme.bits;
  const from = Math.min(Math.max(exponent, SMALLEST_EXPONENT), largest);
  for (let one = from; one < largest; one++) if (covers(one)) return one;
  return largest;
}

/**
 * Ranges of one scale: a symmetric scheme has one; otherwise zero may stand so that the low end, the high end or the same
 * share of both is kept.
 */
function rangesOf(full: Range, scheme: Scheme, scale: number): readonly Range[] {
  const steps = stepsOf(scheme);
  if (scheme.symmetric) return [{ min: -steps * scale, max: steps * scale }];
  const low = roundHalfEven(-full.min / scale);
  const high = steps - roundHalfEven(full.max / scale);
  const both = roundHalfEven((steps * -full.min) / (full.max - full.min));
  const zeros = [both, low, high].map((zero) => Math.min(Math.max(zero, 0), steps));
  // Subtracting from 0 keeps −0 out of reports.
  return [...new Set(zeros)].map((zero) => ({ min: 0 - zero * scale, max: (steps - zero) * scale }));
}

/** Codes on one side of zero for symmetric schemes, between the ends for others. */
function stepsOf(scheme: Scheme): number {
  const { min, max } = codeRange(scheme);
  return scheme.symmetric ? 2 ** (scheme.bits - 1) - 1 : max - min;
}
