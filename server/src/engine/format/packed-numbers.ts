/**
 * Numbers of the packed *_data fields of a TensorProto: little-endian floats, or varints back to back.
 */
import { invariant } from '../base/invariant';
import type { Payload } from './onnx-types';

export type NumberField = Extract<Payload, { kind: 'typed' }>['field'];
export type NumberArray = Extract<Payload, { kind: 'typed' }>['values'];

/**
 * Decodes the packed bytes of a *_data field. int32_data keeps the low 32 bits, as protobuf truncates.
 * @returns `undefined` when the bytes end inside a number or a number is longer than ten bytes.
 */
export function unpackNumbers(field: NumberField, bytes: Uint8Array): NumberArray | undefined {
  switch (field) {
    case 'float_data':
      return bytes.length % 4 === 0 ? new Float32Array(ownBuffer(bytes)) : undefined;
    case 'double_data':
      return bytes.length % 8 === 0 ? new Float64Array(ownBuffer(bytes)) : undefined;
    case 'int32_data': {
      const values = new Int32Array(countVarints(bytes));
      const whole = eachVarint(bytes, (index, low) => {
        values[index] = low;
      });
      return whole ? values : undefined;
    }
    case 'int64_data':
    case 'uint64_data': {
      const halves = new Uint32Array(2 * countVarints(bytes));
      const whole = eachVarint(bytes, (index, low, high) => {
        halves[2 * index] = low;
        halves[2 * index + 1] = high;
      });
      if (!whole) return undefined;
      return field === 'int64_data' ? new BigInt64Array(halves.buffer) : new BigUint64Array(halves.buffer);
    }
  }
}

/** Packed bytes of numbers: floats as they are, integers as varints (negative ones take ten bytes). */
export function packNumbers(values: NumberArray): Uint8Array {
  if (values instanceof Float32Array || values instanceof Float64Array) {
    return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  }
  const bytes = new Uint8Array(10 * values.length);
  let used = 0;
  for (const value of values) {
    if (typeof value === 'number' && value >= 0) {
      let rest = value;
      for (; rest >= 128; rest >>>= 7) bytes[used++] = (rest & 127) | 128;
      bytes[used++] = rest;
    } else {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest >= 128n; rest >>= 7n) bytes[used++] = Number(rest & 127n) | 128;
      bytes[used++] = Number(rest);
    }
  }
  return bytes.slice(0, used);
}

/**
 * The buffer of `bytes` when it holds nothing else, otherwise a copy: typed arrays need alignment. Node runs little
 * endian everywhere.
 */
export function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.length) return buffer;
  return new Uint8Array(bytes).buffer;
}

/** Every varint has exactly one byte without the continuation bit: its last. */
function countVarints(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte < 128) count++;
  return count;
}

function eachVarint(bytes: Uint8Array, visit: (index: number, low: number, high: number) => void): boolean {
  let low = 0;
  let high = 0;
  let shift = 0;
  let index = 0;
  for (const byte of bytes) {
    const bits = byte & 127;
    if (shift < 28) low |= bits << shift;
    else if (shift === 28) {
      low |= bits << 28;
      high = bits >>> 4;
    } else if (shift < 70) high |= bits << (shift - 32);
    else return false;
    shift += 7;
    if (byte >= 128) continue;
    visit(index++, low, high);
    low = 0;
    high = 0;
    shift = 0;
  }
  invariant(index <= bytes.length, 'one number per byte at most');
  return shift === 0;
}
