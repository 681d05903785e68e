/**
 * Numbers as text and back. float16, bfloat16, float8, float6 and float4 elements are written as their bit patterns,
 * bool as 0 and 1, complex numbers as two floats in a row, types narrower than a byte one element at a time (packed
 * when read).
 */
import type { DataType } from '../base/dtype';
import { packElements } from '../base/pack';
import type { TensorArray } from './tensor-data';

/** Shortest digits that read back as the same float32, in the notation `std::to_chars` chooses. */
export function formatFloat32(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value);
  let digits = 7;
  const readsBack = (count: number) => Math.fround(Number(value.toExponential(count - 1))) === value;
  // Weights need eight or nine digits, constants few: the search starts between them.
  if (readsBack(digits)) while (digits > 1 && readsBack(digits - 1)) digits--;
  else digits = readsBack(8) ? 8 : 9;
  return shorterNotation(value, value.toExponential(digits - 1));
}

/** Shortest digits that read back as the same float64, in the same notation. */
export function formatFloat64(value: number): string {
  return Number.isFinite(value) ? shorterNotation(value, value.toExponential()) : formatSpecial(value);
}

/** Elements of a tensor as literals, `,` between them. */
export function formatElements(data: TensorArray): string {
  if (data instanceof Float32Array) return Array.from(data, formatFloat32).join(',');
  if (data instanceof Float64Array) return Array.from(data, formatFloat64).join(',');
  return data.join(',');
}

/** Raw little-endian bytes of parsed numbers. Numbers out of range wrap; the reader has reported them before. */
export function encodeElements(type: DataType, values: readonly (number | bigint)[]): Uint8Array {
  if (type.bits < 8) return packElements(values.map(Number), type.bits);
  const step = type.bits / 8 / scalarsPerElement(type);
  const bytes = new Uint8Array(values.length * step);
  const view = new DataView(bytes.buffer);
  const write = elementWriter(type, view, step);
  for (let index = 0; index < values.length; index++) write(index * step, values[index] ?? 0);
  return bytes;
}

/** Numbers per element: two for complex types. */
export function scalarsPerElement(type: DataType): number {
  return type.kind === 'complex' ? 2 : 1;
}

/** What one integer literal of a type may hold; `undefined` for types whose literals are float values or strings. */
export function literalRange(type: DataType): readonly [bigint, bigint] | undefined {
  if (type.kind === 'bool') return [0n, 1n];
  if (type.kind === 'string' || isValueFloat(type)) return undefined;
  const half = 1n << BigInt(type.bits - 1);
  if (type.kind === 'int') return [-half, half - 1n];
  // Bit patterns of narrow floats may also come as negative numbers, from a signed field.
  return [type.kind === 'float' && type.bits >= 8 ? -half : 0n, 2n * half - 1n];
}

/** float, double and complex types are written as values, all other floats as bit patterns. */
function isValueFloat(type: DataType): boolean {
  return type.kind === 'complex' || type.name === 'float' || type.name === 'double';
}

function elementWriter(
  type: DataType,
  view: DataView,
  step: number,
): (offset: number, value: number | bigint) => void {
  if (isValueFloat(type)) {
    return step === 8
      ? (offset, value) => view.setFloat64(offset, Number(value), true)
      : (offset, value) => view.setFloat32(offset, Number(value), true);
  }
  switch (step) {
    case 8:
      return (offset, value) => view.setBigInt64(offset, BigInt.asIntN(64, BigInt(value)), true);
    case 4:
      return (offset, value) => view.setInt32(offset, Number(value) | 0, true);
    case 2:
      return (offset, value) => view.setInt16(offset, Number(value), true);
    default:
      return (offset, value) => view.setInt8(offset, Number(value));
  }
}

function formatSpecial(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

/**
 * The shorter of fixed and scientific notation, fixed when equal. Exponents have at least two digits; integers in
 * fixed notation print all their digits, also those beyond the type's precision.
 */
function shorterNotation(value: number, exponential: string): string {
  const [mantissa = '', power = '0'] = exponential.split('e');
  const exponent = Number(power);
  const absolute = Math.abs(exponent);
  const scientific = `${mantissa}e${exponent < 0 ? '-' : '+'}${absolute < 10 ? '0' : ''}${absolute}`;
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  // Beyond these exponents fixed notation is always the longer one.
  if (absolute > 40) return scientific;
  const fixed = fixedNotation(value, mantissa, exponent);
  return fixed.length <= scientific.length ? fixed : scientific;
}

function fixedNotation(value: number, mantissa: string, exponent: number): string {
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (exponent >= digits.length - 1) return BigInt(value).toString();
  return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}
