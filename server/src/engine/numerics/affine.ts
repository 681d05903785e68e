/**
 * The affine quantizer, scalar reference: range → scale and zero point, quantize, dequantize, fake-quantize. Bit for
 * bit what ONNX QuantizeLinear and DequantizeLinear of onnxruntime compute: float32 scale, float32 division,
 * half-to-even rounding, saturation. Source: Krishnamoorthi 2018 eq. 1–3; ONNX operators, QuantizeLinear.
 */
import type { QuantScheme } from './scheme';

/** real = (code − zeroPoint) · scale. `scale` is a float32 value, finite and > 0. */
export interface QuantParameters {
  readonly scale: number;
  readonly zeroPoint: number;
  /** Smallest and largest code in use. */
  readonly codeMin: number;
  readonly codeMax: number;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * Smallest scale: the smallest normal float32. Below it x / scale loses bits or overflows, and many devices flush
 * the scale itself to zero.
 */
export const SMALLEST_SCALE = 2 ** -126;

const LARGEST_FLOAT = (2 - 2 ** -23) * 2 ** 127;

/**
 * Adding and subtracting this leaves the nearest integer, ties to even, for |x| ≤ 2^51: {@link roundHalfEven} without
 * branches, for loops that do not care for the sign of zero.
 */
export const ROUNDING_MAGIC = 1.5 * 2 ** 52;

/** Rounds to the nearest integer, ties to even; keeps the sign of zero, infinities and NaN. */
export function roundHalfEven(x: number): number {
  // From 2^52 on every number is an integer; below, adding it leaves no bit for a fraction.
  if (!(Math.abs(x) < 2 ** 52)) return x;
  const rounded = x < 0 ? x - 2 ** 52 + 2 ** 52 : x + 2 ** 52 - 2 ** 52;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

/** Smallest and largest code of a scheme. */
export function codeRange(scheme: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>): Range {
  const half = 2 ** (scheme.bits - 1);
  if (scheme.symmetric)
    return scheme.signed ? { min: 1 - half, max: half - 1 } : { min: 1, max: 2 * half - 1 };
  return scheme.signed ? { min: -half, max: half - 1 } : { min: 0, max: 2 * half - 1 };
}

/**
 * Scale of a symmetric quantizer: max|x| / largest code in float32, at least {@link SMALLEST_SCALE} and such that the
 * largest code stands for a finite value. Where all values
 * are zero any scale is exact and 1 is used, so that nothing derived from it (a bias scale) under- or overflows.
 */
export function symmetricScale(absMax: number, largestCode: number): number {
  return absMax === 0 ? 1 : scaleWithin(absMax / largestCode, largestCode);
}

/** A scale in float32, large enough to divide by and small enough for `steps` of it to stay finite. */
function scaleWithin(scale: number, steps: number): number {
  const largest = Math.fround((LARGEST_FLOAT * (1 - 2 ** -23)) / steps);
  return Math.min(Math.max(Math.fround(scale), SMALLEST_SCALE), largest);
}

/**
 * Parameters from a real range. Asymmetric ranges are first relaxed to contain 0, so that 0 is exact; the zero point
 * is rounded and clamped. Symmetric ones use the larger magnitude. A range of zero width gets scale 1.
 * @param range finite bounds, min ≤ max.
 */
export function parametersFor(
  range: Range,
  scheme: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'>,
): QuantParameters {
  const { min: codeMin, max: codeMax } = codeRange(scheme);
  if (scheme.symmetric) {
    const largestCode = 2 ** (scheme.bits - 1) - 1;
    const scale = symmetricScale(Math.max(Math.abs(range.min), Math.abs(range.max)), largestCode);
    return { scale, zeroPoint: scheme.signed ? 0 : largestCode + 1, codeMin, codeMax };
  }
  const low = Math.min(range.min, 0);
  const high = Math.max(range.max, 0);
  if (low === high) return { scale: 1, zeroPoint: codeMin, codeMin, codeMax };
  const scale = scaleWithin((high - low) / (codeMax - codeMin), 1);
  const zeroPoint = clamp(roundHalfEven(codeMin - low / scale), codeMin, codeMax);
  const steps = Math.max(zeroPoint - codeMin, codeMax - zeroPoint);
  return { scale: scaleWithin(scale, steps), zeroPoint, codeMin, codeMax };
}

/** The range that codes really reach after the zero point was rounded. */
export function realizedRange(parameters: QuantParameters): Range {
  const { codeMin, codeMax } = parameters;
  return { min: dequantizeValue(codeMin, parameters), max: dequantizeValue(codeMax, parameters) };
}

/** Code of one float32 value. NaN is not a value here: callers report it before. */
export function quantizeValue(x: number, { scale, zeroPoint, codeMin, codeMax }: QuantParameters): number {
  return clamp(roundHalfEven(Math.fround(x / scale)) + zeroPoint, codeMin, codeMax);
}

/** float32 value of one code. */
export function dequantizeValue(code: number, { scale, zeroPoint }: QuantParameters): number {
  return Math.fround((code - zeroPoint) * scale);
}

/** The float32 value that remains of `x` after quantization. */
export function fakeQuantizeValue(x: number, parameters: QuantParameters): number {
  return dequantizeValue(quantizeValue(x, parameters), parameters);
}

export type Codes = Int8Array | Uint8Array | Int16Array | Uint16Array;

/** An array that holds codes of this scheme, one element each: 8 bits wide up to 8 bits, else 16. */
export function codeArray(scheme: Pick<QuantScheme, 'bits' | 'signed'>, length: number): Codes {
  if (scheme.bits <= 8) return scheme.signed ? new Int8Array(length) : new Uint8Array(length);
  return scheme.signed ? new Int16Array(length) : new Uint16Array(length);
}

/** Codes of a whole array under one scale. */
export function quantize(data: Float32Array, parameters: QuantParameters, target: Codes): void {
  for (let i = 0; i < data.length; i++) target[i] = quantizeValue(data[i] ?? 0, parameters);
}

/** Values of a whole array of codes under one scale. */
export function dequantize(codes: ArrayLike<number>, parameters: QuantParameters): Float32Array {
  const values = new Float32Array(codes.length);
  for (let i = 0; i < values.length; i++) values[i] = dequantizeValue(codes[i] ?? 0, parameters);
  return values;
}

/** What remains of a whole array after quantization under one scale. */
export function fakeQuantize(data: Float32Array, parameters: QuantParameters): Float32Array {
  return data.map((x) => fakeQuantizeValue(x, parameters));
}

function clamp(x: number, min: number, max: number): number {
  return Math.min(Math.max(x, min), max);
}
