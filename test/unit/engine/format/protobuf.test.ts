/** Wire primitives on hand-made bytes, across window borders, and the sticky failure. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import { WireReader } from '../../../../server/src/engine/format/protobuf';
import { BackwardWriter, concatChunks, isSlice } from '../../../../server/src/engine/format/protobuf-write';
import { watchedSource } from '../../../fixtures/sources';
import { joined } from '../../../fixtures/weight-files';
import { bytesField, varint, varintField } from '../../../fixtures/wire';

const readerOf = (...bytes: readonly number[]) => new WireReader(memorySource(Uint8Array.from(bytes)));

describe('varints', () => {
  it.each([
    [[0x00], 0n],
    [[0x7f], 127n],
    [[0x80, 0x01], 128n],
    [[0xac, 0x02], 300n],
    [[0xff, 0xff, 0xff, 0xff, 0x07], 2n ** 31n - 1n],
    [[0xff, 0xff, 0xff, 0xff, 0x0f], 2n ** 32n - 1n],
    [[0x80, 0x80, 0x80, 0x80, 0x10], 2n ** 32n],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], 2n ** 63n - 1n],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -1n],
    [[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01], -(2n ** 63n)],
    [[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], -2n],
    // Longer than needed, and with bits beyond the 64th: both are legal and mean the same.
    [[0x83, 0x80, 0x80, 0x00], 3n],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], -1n],
  ] as const)('%j is %s', (bytes, value) => {
    expect(readerOf(...bytes).bigInteger()).toBe(value);
    expect(readerOf(...bytes).integer()).toBe(Number(value));
    expect(readerOf(...bytes).integer32()).toBe(Number(BigInt.asIntN(32, value)));
    const minimal = varint(value);
    const writer = new BackwardWriter();
    writer.bigInteger(value);
    expect(concatChunks(writer.finish())).toEqual(minimal);
  });

  it('refuses an eleventh byte', () => {
    const reader = readerOf(...new Array(10).fill(0x80), 0x01);
    expect(reader.bigInteger()).toBe(0n);
    expect(reader.failure).toMatchObject({ offset: 0, reason: 'a number of more than ten bytes' });
  });

  it('says how much is missing when the file ends inside', () => {
    const reader = readerOf(0x80, 0x80);
    reader.integer();
    expect(reader.failure).toMatchObject({ offset: 2, need: 3 });
  });

  it('keeps the first failure and gives zero from then on', () => {
    const reader = readerOf(0x80);
    reader.integer();
    const first = reader.failure;
    expect([reader.tag(), reader.integer(), reader.length(100), reader.text(3)]).toEqual([0, 0, 0, '']);
    expect(reader.failure).toBe(first);
    expect(reader.position).toBe(1);
  });
});

describe('tags', () => {
  it.each([
    ['field number 0', [0x00]],
    ['field number 0', [0x07]],
    ['a field number beyond 2^29', [0x80, 0x80, 0x80, 0x80, 0x10]],
  ])('%s', (reason, bytes) => {
    const reader = readerOf(...bytes);
    expect(reader.tag()).toBe(0);
    expect(reader.failure?.reason).toBe(reason);
  });

  it('reads the largest field number', () => {
    expect(readerOf(0xff, 0xff, 0xff, 0xff, 0x0f).tag() >>> 3).toBe(2 ** 29 - 1);
  });
});

describe('unknown fields', () => {
  const group = (number: number, ...content: readonly Uint8Array[]) =>
    joined(varint(number * 8 + 3), ...content, varint(number * 8 + 4));

  it.each([
    ['varint', varintField(9, 300)],
    ['fixed64', joined(varint(9 * 8 + 1), new Uint8Array(8))],
    ['bytes', bytesField(9, 'abc')],
    ['fixed32', joined(varint(9 * 8 + 5), new Uint8Array(4))],
    ['empty group', group(9)],
    ['groups in a group', group(9, varintField(1, 5), group(2, bytesField(3, 'x')), group(4))],
  ])('steps over %s', (_kind, bytes) => {
    const reader = new WireReader(memorySource(joined(bytes, varint(77))));
    reader.skipField(reader.tag(), bytes.length + 1);
    expect(reader.position).toBe(bytes.length);
    expect(reader.integer()).toBe(77);
    expect(reader.failure).toBeUndefined();
  });

  it.each([
    ['a group end without its start', [0x0c]],
    ['a group without its end', [0x0b, 0x08, 0x01]],
    ['wire type 6', [0x0e]],
    ['wire type 7', [0x0f]],
  ])('%s', (reason, bytes) => {
    const reader = readerOf(...bytes);
    reader.skipField(reader.tag(), bytes.length);
    expect(reader.failure?.reason).toBe(reason);
  });
});

describe('windows', () => {
  it('reads the same at every window border and steps over long stretches without reading them', () => {
    const parts = Array.from({ length: 3000 }, (_, index) => varint(index * 1_000_003));
    const gap = new Uint8Array(5_000_000);
    const source = watchedSource(joined(...parts, gap, varint(42)));
    const reader = new WireReader(source);
    for (let index = 0; index < parts.length; index++) expect(reader.integer()).toBe(index * 1_000_003);
    const slice = reader.slice(gap.length);
    expect(slice.offset).toBe(joined(...parts).length);
    expect(reader.integer()).toBe(42);
    const read = source.reads.reduce((sum, [, length]) => sum + length, 0);
    expect(read).toBeLessThan(64 << 10);
  });

  it('reads texts longer than a window', () => {
    const long = 'ä'.repeat(200_000);
    const bytes = new TextEncoder().encode(long);
    expect(new WireReader(memorySource(bytes)).text(bytes.length)).toBe(long);
  });

  it('keeps a byte order mark, which is part of a name', () => {
    expect(readerOf(0xef, 0xbb, 0xbf, 0x61).text(4)).toBe('\ufeffa');
  });
});

describe('BackwardWriter', () => {
  it('puts lengths in front, copies short bytes, and passes long bytes and slices on untouched', () => {
    const long = new Uint8Array(5000).fill(7);
    const source = memorySource(new Uint8Array(100).fill(9));
    const writer = new BackwardWriter();
    writer.bytes(long);
    writer.chunk({ source, offset: 10, length: 20 });
    writer.text('äb');
    writer.closeField(5, 0);
    const chunks = writer.finish();
    const body = joined(new TextEncoder().encode('äb'), new Uint8Array(20).fill(9), long);
    expect(concatChunks(chunks)).toEqual(bytesField(5, body));
    expect(chunks.filter(isSlice)).toHaveLength(1);
    expect(chunks.at(-1)).toBe(long);
  });

  it('grows over many buffers', () => {
    const writer = new BackwardWriter();
    const texts = Array.from({ length: 20_000 }, (_, index) => `value ${index}`);
    for (const text of texts.toReversed()) {
      const before = writer.length;
      writer.text(text);
      writer.closeField(1, before);
    }
    expect(concatChunks(writer.finish())).toEqual(joined(...texts.map((text) => bytesField(1, text))));
  });
});
