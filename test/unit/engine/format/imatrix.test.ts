/** Importance matrices in both formats, by hand; what is damaged or none; names of checkpoints. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import { importanceNames, readImatrix } from '../../../../server/src/engine/format/imatrix';
import { writeOverlay } from '../../../../server/src/engine/format/overlay';
import { ggufFile, joined, u32 } from '../../../fixtures/weight-files';

type LegacyEntry = readonly [name: string, calls: number, values: readonly number[]];

function legacyFile(entries: readonly LegacyEntry[], announced = entries.length): Uint8Array {
  return joined(
    u32(announced),
    ...entries.flatMap(([name, calls, values]) => {
      const bytes = new TextEncoder().encode(name);
      return [u32(bytes.length), bytes, u32(calls), u32(values.length), float32(values)];
    }),
  );
}

function float32(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(values).buffer);
}

/** Two matrices of two columns; the second was never met. */
const stack = () =>
  ggufFile({
    tensors: [
      { name: 'blk.0.ffn_down_exps.weight.in_sum2', sizes: [2, 2], type: 0, offset: 0 },
      { name: 'blk.0.ffn_down_exps.weight.counts', sizes: [1, 2], type: 0, offset: 32 },
    ],
    data: joined(float32([2, 4, 5, 5]), new Uint8Array(16), float32([4, 0])),
  });

function matrix(bytes: Uint8Array) {
  const { value, issues } = readImatrix(memorySource(bytes, 'm'));
  expect(issues).toEqual([]);
  if (value === undefined) throw new Error('no value');
  return value;
}

describe('importance matrices', () => {
  it('the older format divides by the number of calls', () => {
    const found = matrix(
      joined(
        legacyFile([
          ['blk.0.attn_q.weight', 2, [2, 4, 6]],
          ['output.weight', 0, [7]],
        ]),
        u32(5),
      ),
    );
    expect(found.names).toEqual(['blk.0.attn_q.weight', 'output.weight']);
    expect(Array.from(found.importance('blk.0.attn_q.weight') ?? [])).toEqual([1, 2, 3]);
    expect(Array.from(found.importance('output.weight') ?? [])).toEqual([1]);
    expect(found.importance('blk.0.attn_k.weight')).toBeUndefined();
  });

  it('GGUF divides every matrix of a stack by its own count', () => {
    const found = matrix(stack());
    expect(found.names).toEqual(['blk.0.ffn_down_exps.weight']);
    expect(Array.from(found.importance('blk.0.ffn_down_exps.weight') ?? [])).toEqual([0.5, 1, 1, 1]);
  });

  it.each([[Number.NaN], [-1], [Number.POSITIVE_INFINITY]])('%d is no mean square', (value) => {
    expect(matrix(legacyFile([['w', 1, [1, value]]])).importance('w')).toBeUndefined();
  });

  const legacy = legacyFile([['w', 1, [1, 2]]]);
  it.each([
    ['nothing', new Uint8Array(0), 'format-truncated'],
    ['no entries', u32(0), 'format-damaged'],
    ['text', new TextEncoder().encode('# Shared assets and more of it'), 'format-damaged'],
    ['a name of a megabyte', joined(u32(1), u32(1 << 20)), 'format-damaged'],
    ['an entry without values', legacyFile([['w', 1, []]]), 'format-damaged'],
    ['more values than there are', legacy.subarray(0, -1), 'format-truncated'],
    ['fewer entries than announced', legacyFile([['w', 1, [1]]], 2), 'format-truncated'],
    [
      'a model',
      ggufFile({ tensors: [{ name: 'a', sizes: [4], type: 0, offset: 0 }], data: new Uint8Array(32) }),
      'format-damaged',
    ],
    [
      'sums without counts',
      ggufFile({
        tensors: [{ name: 'a.in_sum2', sizes: [4], type: 0, offset: 0 }],
        data: new Uint8Array(32),
      }),
      'format-damaged',
    ],
    ['half a GGUF file', stack().subarray(0, 60), 'format-truncated'],
  ])('%s is an issue', (_name, bytes, code) => {
    const { value, issues } = readImatrix(memorySource(bytes, 'm'));
    expect(value).toBeUndefined();
    expect(issues).toMatchObject([{ code, anchor: { path: 'm' } }]);
  });

  it.each([
    ['blk.3.ffn_up.weight', 'blk.3.ffn_up.weight'],
    ['model.layers.12.self_attn.o_proj.weight', 'blk.12.attn_output.weight'],
    ['layers.0.feed_forward.w2.weight', 'blk.0.ffn_down.weight'],
    ['layers.0.wq', 'blk.0.attn_q.weight'],
    ['model/layers.1/mlp/gate_proj', 'blk.1.ffn_gate.weight'],
    ['lm_head.weight', 'output.weight'],
  ])('%s may stand as %s', (weight, name) => {
    expect(importanceNames(weight)).toContain(name);
  });
});

it('an overlay has a value per tensor that has one, and ascending thresholds', () => {
  const text = writeOverlay(
    new Map([
      ['y', 12.5],
      ['z', null],
    ]),
    [
      { limit: 10, color: '#f00' },
      { limit: 120, color: '#0f0' },
    ],
  );
  expect(JSON.parse(text)).toEqual({
    results: { y: { value: 12.5 } },
    thresholds: [
      { value: 10, bgColor: '#f00' },
      { value: 120, bgColor: '#0f0' },
    ],
  });
});
