/**
 * Packing of elements narrower than a byte as ONNX stores them: one stream of bits, lowest first, so that the
 * first int4 element sits in the low nibble (onnx.proto, `raw_data`). The last byte is padded with zeros.
 */

/** Packs the low `bits` of each value; signed values go in as two's complement. `bits` is 1 to 8. */
export function packElements(values: ArrayLike<number>, bits: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil((values.length * bits) / 8));
  const mask = (1 << bits) - 1;
  let position = 0;
  for (let index = 0; index < values.length; index++, position += bits) {
    const code = ((values[index] ?? 0) & mask) << (position & 7);
    const byte = position >>> 3;
    bytes[byte] = (bytes[byte] ?? 0) | (code & 0xff);
    if (code > 0xff) bytes[byte + 1] = code >>> 8;
  }
  return bytes;
}

/** Unpacks `count` unsigned elements of `bits` bits. `bytes` must hold them: ⌈count·bits/8⌉ bytes. */
export function unpackUnsigned(bytes: Uint8Array, count: number, bits: number): Uint8Array {
  const values = new Uint8Array(count);
  if (bits === 4) {
    for (let index = 0; index < count; index++) {
      const byte = bytes[index >>> 1] ?? 0;
      values[index] = (index & 1) === 0 ? byte & 15 : byte >>> 4;
    }
    return values;
  }
  const mask = (1 << bits) - 1;
  for (let index = 0; index < count; index++) {
    const position = index * bits;
    const byte = Math.floor(position / 8);
    const pair = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8);
    values[index] = (pair >>> (position % 8)) & mask;
  }
  return values;
}

/** Unpacks `count` two's complement elements of `bits` bits; otherwise as {@link unpackUnsigned}. */
export function unpackSigned(bytes: Uint8Array, count: number, bits: number): Int8Array {
  const values = new Int8Array(unpackUnsigned(bytes, count, bits).buffer);
  const shift = 32 - bits;
  for (let index = 0; index < count; index++) values[index] = ((values[index] ?? 0) << shift) >> shift;
  return values;
}
