/**
 * Antialiased bilinear resize and centre crop of 8-bit pixels, to the bit what Pillow's `resize(BILINEAR)` and
 * torchvision's `Resize` and `CenterCrop` give: a triangle filter widened by the scale, first along rows, then along
 * columns, 22-bit fixed-point weights, 8-bit intermediate. Networks were trained and scored on exactly that.
 */
import { defined } from '../base/invariant';
import type { Pixels } from './preprocess';

const PRECISION = 22;
const HALF = 1 << (PRECISION - 1);

/** Scales so that the shorter side has `size` pixels; the longer one is rounded down. */
export function resizeShorterSide(pixels: Pixels, size: number): Pixels {
  const { width, height } = pixels;
  if (Math.min(width, height) === size) return pixels;
  return width < height
    ? resize(pixels, size, Math.floor((size * height) / width))
    : resize(pixels, Math.floor((size * width) / height), size);
}

/** Resizes to exactly `width` × `height`. */
export function resize(pixels: Pixels, width: number, height: number): Pixels {
  const wide = width === pixels.width ? pixels : alongRows(pixels, width);
  return height === wide.height ? wide : alongColumns(wide, height);
}

/** The middle `size` × `size` pixels; `undefined` when the picture is smaller. */
export function centreCrop(pixels: Pixels, size: number): Pixels | undefined {
  const { width, height, channels, data } = pixels;
  if (width < size || height < size) return undefined;
  const left = roundHalfEven((width - size) / 2);
  const top = roundHalfEven((height - size) / 2);
  const cropped = new Uint8Array(size * size * channels);
  for (let row = 0; row < size; row++) {
    const start = ((top + row) * width + left) * channels;
    cropped.set(data.subarray(start, start + size * channels), row * size * channels);
  }
  return { width: size, height: size, channels, data: cropped };
}

interface Weights {
  /** First source position per target. */
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `stride` weights per target. */
  readonly values: Int32Array;
  readonly stride: number;
}

/** Triangle filter over source positions, normalised, in fixed point. */
function triangleWeights(source: number, target: number): Weights {
  const scale = source / target;
  const support = Math.max(scale, 1);
  const stride = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(target);
  const count = new Int32Array(target);
  const values = new Int32Array(target * stride);
  for (let at = 0; at < target; at++) {
    const centre = (at + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(source, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: end - start }, (_, tap) =>
      Math.max(0, 1 - Math.abs((tap + start - centre + 0.5) / support)),
    );
    const sum = raw.reduce((total, one) => total + one, 0);
    raw.forEach((one, tap) => {
      values[at * stride + tap] = Math.trunc(0.5 + (one / sum) * 2 ** PRECISION);
    });
    first[at] = start;
    count[at] = end - start;
  }
  return { first, count, values, stride };
}

function alongRows(pixels: Pixels, width: number): Pixels {
  const { height, channels } = pixels;
  const data = new Uint8ClampedArray(width * height * channels);
  const weights = triangleWeights(pixels.width, width);
  for (let row = 0; row < height; row++) {
    const source = row * pixels.width * channels;
    const target = row * width * channels;
    for (let at = 0; at < width; at++) {
      filter(pixels.data, source, channels, weights, at, data, target + at * channels, channels);
    }
  }
  return { width, height, channels, data: new Uint8Array(data.buffer) };
}

function alongColumns(pixels: Pixels, height: number): Pixels {
  const { width, channels } = pixels;
  const data = new Uint8ClampedArray(width * height * channels);
  const weights = triangleWeights(pixels.height, height);
  const line = width * channels;
  for (let row = 0; row < height; row++) filter(pixels.data, 0, line, weights, row, data, row * line, line);
  return { width, height, channels, data: new Uint8Array(data.buffer) };
}

/** `length` neighbouring results, each a weighted sum of values that lie `step` apart. */
function filter(
  source: Uint8Array,
  offset: number,
  step: number,
  { first, count, values, stride }: Weights,
  at: number,
  target: Uint8ClampedArray,
  targetOffset: number,
  length: number,
): void {
  const start = offset + defined(first[at], 'first tap') * step;
  const taps = defined(count[at], 'number of taps');
  for (let lane = 0; lane < length; lane++) {
    let sum = HALF;
    for (let tap = 0; tap < taps; tap++) {
      sum += (source[start + tap * step + lane] ?? 0) * (values[at * stride + tap] ?? 0);
    }
    target[targetOffset + lane] = sum >> PRECISION;
  }
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
