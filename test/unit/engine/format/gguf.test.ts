/** GGUF headers: what a good one says, and one clear issue for each way to lie. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import type { Issue } from '../../../../server/src/engine/base/issue';
import { readGguf } from '../../../../server/src/engine/format/gguf';
import { ggufTypes } from '../../../../server/src/engine/format/gguf-types';
import { watchedSource } from '../../../fixtures/sources';
import {
  type GgufInput,
  ggufFile,
  ggufText,
  joined,
  plainGguf,
  u32,
  u64,
} from '../../../fixtures/weight-files';

const read = (input: GgufInput) => readGguf(memorySource(ggufFile(input), 'a.gguf'));

function checkIssue(input: GgufInput, code: Issue['code'], facts: object = {}): void {
  const { value, issues } = read(input);
  expect(value).toBeUndefined();
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatchObject({ code, facts });
}

const damaged = (input: GgufInput, reason: string) => checkIssue(input, 'format-damaged', { reason });
const tensor = (sizes: readonly (number | bigint)[], type = 0, offset: number | bigint = 0, name = 't') => ({
  name,
  sizes,
  type,
  offset,
});

it('lists tensors with absolute offsets and shapes outermost first', () => {
  const file = plainGguf();
  const source = watchedSource(file);
  const { value, issues } = readGguf(source);
  expect(issues).toEqual([]);
  const start = file.length - 128;
  expect(value?.tensors).toEqual([
    { name: 'a', dtype: 'F32', dataType: 1, shape: [3, 4], elements: 12, offset: start, length: 48 },
    {
      name: 'b',
      dtype: 'Q4_0',
      dataType: undefined,
      shape: [2, 32],
      elements: 64,
      offset: start + 64,
      length: 36,
    },
  ]);
  expect(value).toMatchObject({ format: 'gguf', version: 3 });
});

it('reads every kind of value', () => {
  const { value } = readGguf(memorySource(plainGguf()));
  expect(Object.fromEntries(value?.metadata ?? [])).toEqual({
    'general.architecture': 'llama',
    'general.alignment': 32,
    u8: 200,
    i8: -1,
    u16: 65535,
    i16: -2,
    i32: -3,
    f32: 1.5,
    bool: true,
    u64: 2n ** 64n - 1n,
    i64: -5,
    f64: 1.5,
    tokens: {
      elementType: 'string',
      length: 20,
      first: Array.from({ length: 16 }, (_, index) => `t${index}`),
    },
    nested: {
      elementType: 'array',
      length: 2,
      first: [
        { elementType: 'u8', length: 1, first: [7] },
        { elementType: 'i32', length: 0, first: [] },
      ],
    },
    scores: { elementType: 'f32', length: 30, first: new Array(16).fill(0) },
  });
});

it.each([2, 3])('reads version %i', (version) => expect(read({ version }).value?.version).toBe(version));

it('honours another alignment', () => {
  const values = [['general.alignment', [4, u32(64)]]] as const;
  const tensors = [tensor([3], 0, 0, 'a'), tensor([3], 0, 64, 'b')];
  const { value, issues } = read({ values, tensors, alignment: 64, data: new Uint8Array(128) });
  expect(issues).toEqual([]);
  expect(value?.tensors[0]?.offset).toSatisfy((offset: number) => offset % 64 === 0);
});

// Bits per weight as ggml's documentation states them, so that the block table cannot drift unseen.
it.each([
  ['Q4_0', 4.5],
  ['Q4_1', 5],
  ['Q5_0', 5.5],
  ['Q5_1', 6],
  ['Q8_0', 8.5],
  ['Q2_K', 2.625],
  ['Q3_K', 3.4375],
  ['Q4_K', 4.5],
  ['Q5_K', 5.5],
  ['Q6_K', 6.5625],
  ['Q8_K', 9.125],
  ['IQ2_XXS', 2.0625],
  ['IQ2_XS', 2.3125],
  ['IQ2_S', 2.5625],
  ['IQ3_XXS', 3.0625],
  ['IQ3_S', 3.4375],
  ['IQ1_S', 1.5625],
  ['IQ1_M', 1.75],
  ['IQ4_NL', 4.5],
  ['IQ4_XS', 4.25],
  ['TQ1_0', 1.6875],
  ['TQ2_0', 2.0625],
  ['MXFP4', 4.25],
  ['NVFP4', 4.5],
  ['Q1_0', 1.125],
  ['Q2_0', 2.25],
])('%s has %d bits per weight', (name, bits) => {
  const type = ggufTypes.find((one) => one.name === name);
  expect(((type?.blockBytes ?? 0) * 8) / (type?.blockSize ?? 1)).toBe(bits);
});

it('warns when only the padding of the last tensor is missing', () => {
  const { value, issues } = read({ tensors: [tensor([3])], data: new Uint8Array(12) });
  expect(value?.tensors).toHaveLength(1);
  expect(issues).toMatchObject([{ code: 'format-truncated', severity: 'warning' }]);
});

describe('lies', () => {
  const data = new Uint8Array(64);

  it('another magic', () => damaged({ magic: 'GGML' }, 'it does not start with GGUF'));
  it.each([0, 1, 4])('version %i', (version) => damaged({ version }, `version ${version} is not known`));
  it('big endian', () => {
    checkIssue({ version: 0x03000000 }, 'unsupported-feature', { what: 'big-endian GGUF' });
    checkIssue({ magic: 'FUGG' }, 'unsupported-feature', { what: 'big-endian GGUF' });
  });
  it('a number of tensors that no file holds', () =>
    damaged({ tensorCount: 2n ** 60n }, `${2 ** 60} tensors are announced where 8 bytes are left`));
  it('a number of key-values that no file holds', () =>
    damaged({ valueCount: 2n ** 60n }, `${2 ** 60} key-values are announced where 0 bytes are left`));
  it('a text that no file holds', () => {
    const values = [['k', [8, u64(2n ** 62n)]]] as const;
    damaged({ values }, `${2 ** 62} bytes of a text are announced where 0 bytes are left`);
  });
  it('an array that no file holds', () => {
    const values = [['k', [9, joined(u32(0), u64(2n ** 63n))]]] as const;
    damaged({ values }, `${2 ** 63} array items are announced where 0 bytes are left`);
  });
  it('arrays in arrays in arrays', () => {
    let nested = joined(u32(0), u64(0));
    for (let depth = 0; depth < 10; depth++) nested = joined(u32(9), u64(1), nested);
    damaged({ values: [['k', [9, nested]]] }, 'arrays inside arrays inside arrays');
  });
  it('an unknown value type', () =>
    damaged({ values: [['k', [13, new Uint8Array(8)]]] }, 'value type 13 is not known'));
  it('a key twice', () => {
    const values = [
      ['k', [0, Uint8Array.of(1)]],
      ['k', [0, Uint8Array.of(2)]],
    ] as const;
    damaged({ values }, 'key "k" is there twice');
  });
  it.each([0, 3, 48])('alignment %i', (alignment) => {
    const values = [['general.alignment', [4, u32(alignment)]]] as const;
    damaged({ values, tensors: [tensor([1])], data }, `general.alignment ${alignment} is not a power of two`);
  });
  it('an alignment that is a text', () => {
    const values = [['general.alignment', [8, ggufText('32')]]] as const;
    damaged({ values, tensors: [tensor([1])], data }, 'general.alignment 32 is not a power of two');
  });
  it('a tensor twice', () =>
    damaged({ tensors: [tensor([1]), tensor([1], 0, 32)], data }, 'tensor "t" is there twice'));
  it('five dimensions', () =>
    damaged({ tensors: [tensor([1, 1, 1, 1, 1])], data }, 'tensor "t" has 5 dimensions'));
  it('a product beyond 2^53', () =>
    damaged({ tensors: [tensor([2 ** 40, 2 ** 40])], data }, 'tensor "t" has an impossible shape'));
  it('more bytes than numbers can count', () =>
    damaged({ tensors: [tensor([2 ** 52], 28)], data }, 'tensor "t" has an impossible shape'));
  it('an unknown tensor type', () =>
    damaged({ tensors: [tensor([1], 4)], data }, 'tensor "t" has the unknown type 4'));
  it('rows that are no whole blocks', () =>
    damaged({ tensors: [tensor([16, 2], 2)], data }, 'tensor "t": rows of 16 are no whole blocks of 32'));
  it('an offset that is not the next', () =>
    damaged(
      { tensors: [tensor([1], 0, 0, 'a'), tensor([1], 0, 4, 'b')], data },
      'tensor "b" is at 4, not at 32',
    ));
  it('a name of megabytes', () => {
    const name = 'n'.repeat(70_000);
    damaged({ tensors: [tensor([1], 0, 0, name)], data }, 'a tensor name of 70000 bytes');
  });
  it('data that was cut', () => {
    const { issues } = read({ tensors: [tensor([32])], data: new Uint8Array(127) });
    expect(issues).toMatchObject([{ code: 'format-truncated', severity: 'error' }]);
    const [first] = issues;
    if (first?.code === 'format-truncated') expect(first.facts.need - first.facts.have).toBe(1);
  });
  it('a header that was cut: how much there should be at least', () => {
    const whole = plainGguf();
    const { value, issues } = readGguf(memorySource(whole.slice(0, 200)));
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code: 'format-truncated', facts: { have: 200 } }]);
  });
  it('an empty file', () => {
    expect(readGguf(memorySource(new Uint8Array(0))).issues).toMatchObject([{ code: 'file-empty' }]);
  });
});
