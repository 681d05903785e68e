import { describe, expect, test } from 'vitest';
import { createRandom, normalArray } from '../../../../server/src/engine/numerics/random';
import { Histogram } from '../../../../server/src/engine/numerics/stats';
import { decibel, observed } from './fixtures/observed';

const uint8 = { bits: 8, signed: false, symmetric: false };
const int8 = { bits: 8, signed: true, symmetric: true };
const int4 = { bits: 4, signed: true, symmetric: true };

describe('entropy', () => {
  const random = createRandom(15);
  const gauss = normalArray(random, 30_000);
  const cases = [
    { name: 'Gaussian', values: gauss, symmetric: true },
    { name: 'heavy tails', values: gauss.map((x) => x ** 3), symmetric: true },
    { name: 'after a ReLU', values: gauss.map((x) => Math.max(x, 0)), symmetric: false },
    { name: 'shifted', values: gauss.map((x) => x + 1), symmetric: false },
  ];
  for (const { name, values, symmetric } of cases) {
    test.each([8, 4])(`${name}: no half-width diverges less in the published form, %d bits`, (bits) => {
      const scheme = { bits, signed: symmetric, symmetric };
      const found = observed('entropy', values).range(scheme);
      const all = observed('min-max', values).range(scheme);
      const usual = withoutFarthest(values);
      const { counts, below, width, full } = publishedHistogram(values, symmetric);
      const codes = 2 ** bits - 1;
      let least = Number.POSITIVE_INFINITY;
      let own = Number.POSITIVE_INFINITY;
      const largest = Math.max(below, counts.length - below);
      for (let half = Math.ceil(codes / 2); half <= largest; half++) {
        // Every twelfth half-width and the chosen one: the published form is slow.
        const chosen = Math.abs(Math.max(-found.min, found.max) - Math.min(half * width, full)) < width / 2;
        if (half % 12 !== 0 && !chosen) continue;
        const from = below - Math.min(half, below);
        const to = below + Math.min(half, counts.length - below);
        // Thresholds that cost the usual values more than no clipping does are no candidates.
        const range = { min: Math.max(-half * width, all.min), max: Math.min(half * width, all.max) };
        if (!chosen && decibel(usual, range, scheme) < decibel(usual, all, scheme)) continue;
        const divergence = publishedDivergence(counts, from, to, codes);
        least = Math.min(least, divergence);
        if (chosen) own = Math.min(own, divergence);
      }
      // The search goes from coarse to fine.
      expect(own).toBeLessThanOrEqual(least * 1.005);
    });
  }

  test('differs from min-max where the tails are heavy', () => {
    const values = gauss.map((x) => x ** 3);
    const full = observed('min-max', values).range(int8).max;
    expect(observed('entropy', values).range(int8).max).toBeLessThan(0.6 * full);
    expect(observed('entropy', values).range(int4).max).toBeLessThan(full / 4);
  });

  test('values that many elements share do not speak for a narrow range', () => {
    // A constant background seen by 24 channels, and the bound of a ReLU6: what ruined the published form.
    const values = gauss.map((x, at) => (at % 2 === 0 ? 0.25 * (at % 24) : Math.min(Math.max(3 * x, 0), 6)));
    const found = observed('entropy', values).range(uint8);
    expect(found.max).toBeGreaterThan(5);
    expect(decibel(values, found, uint8)).toBeGreaterThan(decibel(values, { min: 0, max: 6 }, uint8) - 0.1);
  });

  test.each([1, 3, 5])(
    'keeps all but the farthest ten-thousandth at least as well as min-max, power %d',
    (power) => {
      const values = gauss.map((x) => Math.sign(x) * Math.abs(x) ** power);
      const usual = withoutFarthest(values);
      for (const scheme of [uint8, int8, int4]) {
        const full = observed('min-max', values).range(scheme);
        const own = decibel(usual, observed('entropy', values).range(scheme), scheme);
        expect(own).toBeGreaterThan(decibel(usual, full, scheme) - 0.1);
      }
    },
  );

  test('one outlier does not cost the others their resolution', () => {
    expect(observed('entropy', [...gauss, 60]).range(int8).max).toBeLessThan(6);
  });
});

/** The 99.99 % smallest magnitudes. */
function withoutFarthest(values: Float32Array): Float32Array {
  const limit = values.map(Math.abs).sort()[Math.floor(0.9999 * values.length)] ?? 0;
  return values.filter((x) => Math.abs(x) <= limit);
}

/** Counts as `entropy` cuts them: of a symmetric scheme as many bins on both sides. Zeros are left out. */
function publishedHistogram(values: Float32Array, symmetric: boolean) {
  const histogram = new Histogram(8192);
  histogram.observe(values);
  const { width } = histogram;
  const low = Math.min(histogram.min, 0);
  const high = Math.max(histogram.max, 0);
  const full = Math.max(-low, high);
  const below = Math.ceil((symmetric ? full : -low) / width);
  const counts = new Float64Array(below + Math.ceil((symmetric ? full : high) / width));
  for (const x of values) {
    const bin = Math.floor(x / width) + below;
    if (x !== 0) counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return { counts, below, width, full };
}

/** KL(P ‖ Q) step by step as the published calibrators write it, smoothing included. */
function publishedDivergence(counts: Float64Array, from: number, to: number, codes: number): number {
  const slice = counts.slice(from, to);
  const p = slice.slice();
  p[0] = (p[0] ?? 0) + sum(counts.subarray(0, from));
  p[p.length - 1] = (p[p.length - 1] ?? 0) + sum(counts.subarray(to));
  const q = new Float64Array(slice.length);
  const merged = Math.floor(slice.length / codes);
  for (let group = 0; group < codes; group++) {
    const start = group * merged;
    const end = group === codes - 1 ? slice.length : start + merged;
    const part = slice.subarray(start, end);
    const occupied = part.filter((count) => count > 0).length;
    for (let i = start; i < end; i++) if ((slice[i] ?? 0) > 0) q[i] = sum(part) / occupied;
  }
  const smoothP = smoothed(p);
  const smoothQ = smoothed(q);
  if (smoothQ === undefined || smoothP === undefined) return Number.POSITIVE_INFINITY;
  const [totalP, totalQ] = [sum(smoothP), sum(smoothQ)];
  return smoothP.reduce((kl, count, i) => {
    return kl + (count / totalP) * Math.log(count / totalP / ((smoothQ[i] ?? 0) / totalQ));
  }, 0);
}

/** Gives empty bins 1e-4 and takes it from the others; undefined where they have too little. */
function smoothed(counts: Float64Array): Float64Array | undefined {
  const empty = counts.filter((count) => count === 0).length;
  if (empty === counts.length) return undefined;
  const taken = (1e-4 * empty) / (counts.length - empty);
  return taken >= 1 ? undefined : counts.map((count) => (count === 0 ? 1e-4 : count - taken));
}

function sum(values: Float64Array): number {
  return values.reduce((total, value) => total + value, 0);
}
