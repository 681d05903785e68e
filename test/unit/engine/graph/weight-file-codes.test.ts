/** Weight files that hold codes: what is a layer, what is told of the rest. Names and types as the tools write them. */
import { describe, expect, it } from 'vitest';
import { openWeights } from '../../../../server/src/engine/graph/from-weights';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { sentence } from '../../../../server/src/rules/words';
import { safetensorsFile } from '../../../fixtures/weight-files';
import { temporaryFolder } from '../runtime/fixtures/files';

type Tensors = Readonly<Record<string, readonly [dtype: string, shape: readonly number[]]>>;

const folder = temporaryFolder();
const bits: Readonly<Record<string, number>> = { F8_E4M3: 8, F16: 16, BF16: 16, F32: 32, I8: 8, U8: 8 };
const bytesOf = (dtype: string, shape: readonly number[]) =>
  shape.reduce((product, size) => product * size, (bits[dtype] ?? (dtype === 'I64' ? 64 : 32)) / 8);

function fileOf(name: string, tensors: Tensors): string {
  let end = 0;
  const header: Record<string, object> = {};
  for (const [key, [dtype, shape]] of Object.entries(tensors)) {
    const start = end;
    end += bytesOf(dtype, shape);
    header[key] = { dtype, shape, data_offsets: [start, end] };
  }
  return folder.write(name, safetensorsFile({ header, data: new Uint8Array(end) }));
}

interface Expected {
  readonly layers: readonly string[];
  /** Start of the sentence; missing = nothing is told. */
  readonly told?: string;
}

function check(file: string, { layers, told }: Expected): void {
  const { value, issues } = openWeights(file);
  expect(value && listLayers(value.model).map(({ name }) => name)).toEqual(layers);
  value?.close();
  const found = issues.filter((one) => one.code === 'codes-unread');
  expect(found.map((one) => one.severity)).toEqual(told === undefined ? [] : ['warning']);
  if (told !== undefined) expect(found.map(sentence)[0]).toContain(told);
}

const head = { 'head.weight': ['F16', [16, 8]] } as const;
const cases: readonly (readonly [string, Tensors, Expected])[] = [
  [
    'GPTQ',
    {
      'up.qweight': ['I32', [8, 64]],
      'up.qzeros': ['I32', [2, 8]],
      'up.scales': ['F16', [2, 64]],
      'up.g_idx': ['I32', [64]],
      ...head,
    },
    {
      layers: ['head'],
      told: '1 integer tensor holds codes of quantized weights (GPTQ), which is not analysed: up.qweight.',
    },
  ],
  [
    'AWQ, which packs outputs',
    { 'up.qweight': ['I32', [64, 8]], 'up.qzeros': ['I32', [2, 8]], 'up.scales': ['F16', [2, 64]] },
    { layers: [], told: '(AWQ)' },
  ],
  [
    'bitsandbytes int8',
    { 'up.weight': ['I8', [8, 8]], 'up.SCB': ['F32', [8]], 'up.weight_format': ['U8', []], ...head },
    { layers: ['head'], told: '(bitsandbytes int8)' },
  ],
  [
    'bitsandbytes NF4',
    {
      'up.weight': ['U8', [32, 1]],
      'up.weight.absmax': ['U8', [4]],
      'up.weight.nested_absmax': ['F32', [1]],
      'up.weight.quant_map': ['F32', [16]],
      'up.weight.quant_state.bitsandbytes__nf4': ['U8', [90]],
    },
    { layers: [], told: '(bitsandbytes NF4)' },
  ],
  [
    'compressed-tensors',
    {
      'up.weight_packed': ['I32', [64, 8]],
      'up.weight_scale': ['BF16', [64, 2]],
      'up.weight_shape': ['I64', [2]],
    },
    { layers: [], told: '(compressed-tensors)' },
  ],
  [
    'float8 with a scale for every block: weights are layers, scales are none',
    { 'up.weight': ['F8_E4M3', [256, 256]], 'up.weight_scale_inv': ['F32', [2, 2]] },
    { layers: ['up'] },
  ],
  [
    'plain int8 of nobody known',
    { 'a.weight': ['I8', [8, 8]], 'b.weight': ['U8', [8, 4]] },
    {
      layers: [],
      told: '2 integer tensors hold codes of quantized weights, which are not analysed: a.weight, b.weight.',
    },
  ],
  [
    'positions and masks, which are no codes',
    {
      'e.position_ids': ['I32', [1, 64]],
      'attn.bias': ['U8', [1, 1, 8, 8]],
      'mlp.layer_scale': ['F32', [8, 8]],
      ...head,
    },
    { layers: ['mlp.layer_scale', 'head'] },
  ],
];

describe('a weight file', () => {
  it.each(cases)('of %s', (name, tensors, expected) => {
    check(fileOf(`${name.length}.safetensors`, tensors), expected);
  });

  it('tells the scheme that its configuration declares', () => {
    const [, tensors] = cases[0] ?? [];
    const quantization_config = { quant_method: 'gptq', bits: 4, group_size: 128 };
    folder.write('declared/config.json', JSON.stringify({ quantization_config }));
    const file = fileOf('declared/model.safetensors', tensors ?? {});
    check(file, { layers: ['head'], told: '(GPTQ, 4 bits, groups of 128)' });
    folder.write('declared/config.json', '{ damaged');
    check(file, { layers: ['head'], told: '(GPTQ)' });
  });
});
