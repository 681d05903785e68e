/** safetensors headers: what a good one says, and one clear issue for each way to lie. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import { dataTypeByCode } from '../../../../server/src/engine/base/dtype';
import type { Issue } from '../../../../server/src/engine/base/issue';
import { readSafetensors } from '../../../../server/src/engine/format/safetensors';
import { watchedSource } from '../../../fixtures/sources';
import { plainSafetensors, type SafetensorsInput, safetensorsFile } from '../../../fixtures/weight-files';

const read = (input: SafetensorsInput) =>
  readSafetensors(memorySource(safetensorsFile(input), 'a.safetensors'));

function checkIssue(input: SafetensorsInput, code: Issue['code'], facts: object = {}): void {
  const { value, issues } = read(input);
  expect(value).toBeUndefined();
  expect(issues).toHaveLength(1);
  expect(issues[0]).toMatchObject({ code, facts: { path: 'a.safetensors', ...facts } });
}

const entry = (dtype: unknown, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });
const damaged = (header: object | string, reason: string, bytes = 64) =>
  checkIssue({ header, data: new Uint8Array(bytes) }, 'format-damaged', { reason });

it('lists tensors in the order of the data, with absolute offsets', () => {
  const file = plainSafetensors();
  const source = watchedSource(file);
  const { value } = readSafetensors(source);
  const start = file.length - 32;
  expect(value?.tensors).toEqual([
    { name: 'a', dtype: 'F32', dataType: 1, shape: [2, 3], elements: 6, offset: start, length: 24 },
    { name: 'b', dtype: 'BF16', dataType: 16, shape: [4], elements: 4, offset: start + 24, length: 8 },
  ]);
  expect([...(value?.metadata ?? [])]).toEqual([['format', 'pt']]);
  for (const [offset, length] of source.reads) expect(offset + length).toBeLessThanOrEqual(start);
});

it.each([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E5M2', 1],
  ['F8_E4M3', 1],
  ['F8_E8M0', 1],
  ['F8_E4M3FNUZ', 1],
  ['F8_E5M2FNUZ', 1],
  ['I16', 2],
  ['U16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['I32', 4],
  ['U32', 4],
  ['F32', 4],
  ['F64', 8],
  ['I64', 8],
  ['U64', 8],
  ['C64', 8],
  ['F4', 0.5],
  ['F6_E2M3', 0.75],
  ['F6_E3M2', 0.75],
])('%s takes %d bytes an element', (dtype, bytes) => {
  const length = 8 * bytes;
  const { value, issues } = read({
    header: { w: entry(dtype, [8], [0, length]) },
    data: new Uint8Array(length),
  });
  expect(issues).toEqual([]);
  expect(dataTypeByCode(value?.tensors[0]?.dataType ?? 0)?.bits).toBe(bytes * 8);
});

it('takes empty tensors, scalars, no tensors, and spaces after the header', () => {
  const header = `${JSON.stringify({ e: entry('F32', [0, 7], [0, 0]), s: entry('I8', [], [0, 1]) })}   `;
  expect(read({ header, data: new Uint8Array(1) }).value?.tensors.map((one) => one.elements)).toEqual([0, 1]);
  expect(read({ header: {} }).value?.tensors).toEqual([]);
});

it('treats __proto__ and numbers as ordinary names', () => {
  const header =
    '{"__proto__": {"dtype":"I8","shape":[1],"data_offsets":[1,2]}, "0": {"dtype":"I8","shape":[1],"data_offsets":[0,1]}}';
  const { value } = read({ header, data: new Uint8Array(2) });
  expect(value?.tensors.map((one) => one.name)).toEqual(['0', '__proto__']);
  expect(Object.prototype).not.toHaveProperty('dtype');
});

describe('lies', () => {
  it('no header', () => damaged('', 'the header has no content', 0));
  it('a list', () => damaged('[]', 'the header is not a JSON object'));
  it('not JSON', () => damaged('{"a": }', 'the header is not valid JSON'));
  it('not UTF-8', () => {
    const bytes = safetensorsFile({ header: '{"a": "xx"}' });
    bytes[16] = 0xff;
    expect(readSafetensors(memorySource(bytes)).issues).toMatchObject([
      { facts: { reason: 'the header is not UTF-8 text' } },
    ]);
  });
  it('a name twice', () => {
    const one = '{"dtype":"I8","shape":[1],"data_offsets":[0,1]}';
    damaged(`{"a\\"{": ${one}, "b": ${one}, "a\\u0022{": ${one}}`, '"a"{" is there twice', 1);
    damaged(`{"__proto__": ${one}, "__proto__": ${one}}`, '"__proto__" is there twice', 1);
  });
  it('metadata that are no texts', () =>
    damaged({ __metadata__: { a: 1 } }, '__metadata__ is not an object of texts'));
  it('an entry that is no object', () => damaged({ a: 5 }, 'tensor "a": its entry is not an object'));
  it('an unknown type', () => damaged({ a: entry('Q4', [1], [0, 1]) }, 'tensor "a": type "Q4" is not known'));
  it('a type called constructor', () =>
    damaged({ a: entry('constructor', [1], [0, 1]) }, 'tensor "a": type "constructor" is not known'));
  it('a shape that is no list', () =>
    damaged({ a: entry('I8', 1, [0, 1]) }, 'tensor "a": its shape is not a list of numbers'));
  it.each([[[-1]], [[1.5]], [[2 ** 40, 2 ** 40]], [[2 ** 53]]])('shape %j', (shape) =>
    damaged({ a: entry('I8', shape, [0, 1]) }, 'tensor "a": its shape is impossible'),
  );
  it('half a byte', () =>
    damaged({ a: entry('F4', [3], [0, 2]) }, 'tensor "a": its elements do not fill whole bytes'));
  it('three offsets', () =>
    damaged({ a: entry('I8', [1], [0, 1, 2]) }, 'tensor "a": data_offsets are not two numbers'));
  it.each([[[1, 0]], [[-1, 0]], [[0.5, 1.5]], [[2 ** 60, 2 ** 60]]])('offsets %j', ([from, to]) =>
    damaged({ a: entry('I8', [1], [from, to]) }, `tensor "a": data_offsets [${from}, ${to}] are impossible`),
  );
  it('a length that does not fit the shape', () =>
    damaged({ a: entry('F32', [2], [0, 4]) }, 'tensor "a": shape [2] of F32 takes 8 bytes, not 4'));
  it('an overlap', () =>
    damaged(
      { a: entry('I8', [4], [0, 4]), b: entry('I8', [4], [3, 7]) },
      'tensor "b" overlaps the tensor before it',
      7,
    ));
  it('a gap', () =>
    damaged(
      { a: entry('I8', [4], [0, 4]), b: entry('I8', [4], [5, 9]) },
      'tensor "b" leaves a gap before it',
      9,
    ));
  it('a gap before the first', () =>
    damaged({ a: entry('I8', [1], [1, 2]) }, 'tensor "a" leaves a gap before it', 2));
  it('bytes after the last', () =>
    damaged({ a: entry('I8', [1], [0, 1]) }, 'there are bytes after the last tensor', 2));

  it('a file that was cut', () => {
    const need = safetensorsFile({ header: { a: entry('I8', [9], [0, 9]) } }).length + 9;
    checkIssue({ header: { a: entry('I8', [9], [0, 9]) }, data: new Uint8Array(8) }, 'format-truncated', {
      need,
      have: need - 1,
    });
    checkIssue({ header: '{}', headerLength: 1000n }, 'format-truncated', { need: 1008, have: 10 });
    const { issues } = readSafetensors(memorySource(Uint8Array.of(1, 0, 0), 'a.safetensors'));
    expect(issues).toMatchObject([{ code: 'format-truncated', facts: { need: 8, have: 3 } }]);
  });
  it('a header of exabytes', () =>
    checkIssue({ header: '{}', headerLength: 2n ** 63n }, 'format-limit', { limit: 100_000_000 }));
  it('brackets without end', () => damaged('['.repeat(200_000), 'the header is not a JSON object'));
  it('brackets inside a name given twice', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
    damaged(`{"a": ${deep}, "a": {"dtype":"I8","shape":[1],"data_offsets":[0,1]}}`, '"a" is there twice', 1);
  });
  it('an empty file', () => {
    expect(readSafetensors(memorySource(new Uint8Array(0))).issues).toMatchObject([{ code: 'file-empty' }]);
  });
});
