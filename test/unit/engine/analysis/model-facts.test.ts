import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { countMacs } from '../../../../server/src/engine/analysis/macs';
import { modelFacts } from '../../../../server/src/engine/analysis/model-facts';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import type { ModelProto, NodeProto, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { convNet, floats, graph, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { graphOf } from '../../../fixtures/run-graph';
import { safetensorsFile } from '../../../fixtures/weight-files';

let folder = '';
beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'model-facts-'));
});
afterAll(() => {
  fs.rmSync(folder, { recursive: true });
});

function file(name: string, content: ModelProto | Uint8Array): string {
  const target = path.join(folder, name);
  fs.writeFileSync(target, content instanceof Uint8Array ? content : (encodeModelBytes(content).value ?? ''));
  return target;
}

const zeros = (name: string, shape: readonly number[], type: 'float' | 'int8' | 'uint8' = 'float') =>
  tensor(name, shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(0), type);

interface MacCase {
  readonly what: string;
  readonly input: readonly (number | string | undefined)[];
  readonly nodes: readonly NodeProto[];
  readonly initializers?: readonly TensorProto[];
  readonly dimensions?: Record<string, number>;
  readonly output?: readonly number[];
  /** Counted by hand, or the reason why it cannot be. */
  readonly macs: number | RegExp;
}

const one = (
  op: string,
  inputs: readonly string[],
  attributes: Parameters<typeof node>[3] = {},
  domain = '',
) => [node(op, inputs, ['y'], attributes, { domain, name: 'n' })];
const image = ['N', 4, 8, 8] as const;
const branch = (name: string, weight: string) =>
  graph({
    name,
    outputs: [valueInfo(`${name}y`, undefined)],
    nodes: [node('MatMul', ['x', weight], [`${name}y`])],
  });

const macCases: readonly MacCase[] = [
  // 3·3·4 products for each of 6·8·8 outputs.
  {
    what: 'Conv',
    input: image,
    nodes: one('Conv', ['x', 'w'], { pads: [1, 1, 1, 1] }),
    initializers: [zeros('w', [6, 4, 3, 3])],
    macs: 36 * 6 * 64,
  },
  {
    what: 'depthwise Conv',
    input: image,
    nodes: one('Conv', ['x', 'w'], { group: 4, strides: [2, 2] }),
    initializers: [zeros('w', [4, 1, 2, 2])],
    macs: 4 * 4 * 16,
  },
  // Every input pixel meets every weight of its channel.
  {
    what: 'ConvTranspose',
    input: image,
    nodes: one('ConvTranspose', ['x', 'w'], { strides: [2, 2] }),
    initializers: [zeros('w', [4, 5, 3, 3])],
    macs: 64 * 4 * 5 * 9,
  },
  {
    what: 'Gemm',
    input: ['N', 5],
    nodes: one('Gemm', ['x', 'w'], { transB: 1 }),
    initializers: [zeros('w', [7, 5])],
    macs: 35,
  },
  {
    what: 'Gemm transposed',
    input: [5, 3],
    nodes: one('Gemm', ['x', 'w'], { transA: 1 }),
    initializers: [zeros('w', [5, 7])],
    output: [3, 7],
    macs: 3 * 5 * 7,
  },
  {
    what: 'MatMul over a sequence',
    input: ['N', 'seq', 5],
    nodes: one('MatMul', ['x', 'w']),
    initializers: [zeros('w', [5, 7])],
    dimensions: { seq: 11 },
    macs: 11 * 35,
  },
  {
    what: 'attention, activations on both sides',
    input: ['N', 6, 5],
    nodes: [node('Transpose', ['x'], ['t'], { perm: [0, 2, 1] }), ...one('MatMul', ['x', 't'])],
    macs: 6 * 5 * 6,
  },
  {
    what: 'MatMulNBits',
    input: ['N', 3, 64],
    nodes: one('MatMulNBits', ['x', 'w', 's'], { N: 7, K: 64, bits: 4, block_size: 32 }, 'com.microsoft'),
    initializers: [zeros('w', [7, 2, 16], 'uint8'), zeros('s', [14])],
    macs: 3 * 64 * 7,
  },
  {
    what: 'Einsum',
    input: ['N', 6, 5],
    nodes: one('Einsum', ['x', 'w'], { equation: 'bij,jk->bik' }),
    initializers: [zeros('w', [5, 7])],
    macs: 6 * 5 * 7,
  },
  {
    what: 'LSTM',
    input: [5, 'N', 3],
    nodes: one('LSTM', ['x', 'w', 'r'], { hidden_size: 4 }),
    initializers: [zeros('w', [1, 16, 3]), zeros('r', [1, 16, 4])],
    dimensions: { N: 1 },
    macs: 5 * (16 * 3 + 16 * 4),
  },
  {
    what: 'an LSTM on codes, stored transposed',
    input: [5, 'N', 3],
    nodes: one('DynamicQuantizeLSTM', ['x', 'w', 'r'], { hidden_size: 4 }, 'com.microsoft'),
    initializers: [zeros('w', [1, 3, 16], 'int8'), zeros('r', [1, 4, 16], 'int8')],
    dimensions: { N: 1 },
    macs: 5 * (16 * 3 + 16 * 4),
  },
  {
    what: 'a lookup',
    input: ['N', 5],
    nodes: one('Gather', ['w', 'x']),
    initializers: [zeros('w', [9, 4])],
    macs: 0,
  },
  // Projection of 5 tokens to 12, then 5·5 pairs of 4 products for scores and 4 for sums over both heads.
  {
    what: 'Attention with its projection',
    input: ['N', 5, 4],
    nodes: one('Attention', ['x', 'w', 'b'], { num_heads: 2 }, 'com.microsoft'),
    initializers: [zeros('w', [4, 12]), zeros('b', [12])],
    output: [1, 5, 4],
    macs: 5 * 4 * 12 + 5 * 5 * (4 + 4),
  },
  {
    what: 'Attention with a past, wider values',
    input: ['N', 5, 4],
    nodes: one(
      'Attention',
      ['x', 'w', 'b', '', 'p'],
      { num_heads: 2, qkv_hidden_sizes: [4, 4, 6] },
      'com.microsoft',
    ),
    initializers: [zeros('w', [4, 14]), zeros('b', [14]), zeros('p', [2, 1, 2, 3, 2])],
    output: [1, 5, 6],
    macs: 5 * 4 * 14 + 5 * 8 * (4 + 6),
  },
  {
    what: 'MultiHeadAttention',
    input: ['N', 5, 8],
    nodes: one('MultiHeadAttention', ['x', 'k', 'v'], { num_heads: 2 }, 'com.microsoft'),
    initializers: [zeros('k', [1, 7, 8]), zeros('v', [1, 7, 8])],
    macs: 5 * 7 * (8 + 8),
  },
  {
    what: 'MultiHeadAttention on packed queries, keys and values',
    input: ['N', 5, 2, 3, 4],
    nodes: one('MultiHeadAttention', ['x'], { num_heads: 2 }, 'com.microsoft'),
    macs: 2 * 5 * 5 * (4 + 4),
  },
  {
    what: 'GroupQueryAttention',
    input: ['N', 5, 8],
    nodes: one('GroupQueryAttention', ['x', 'k', 'v'], { num_heads: 4, kv_num_heads: 2 }, 'com.microsoft'),
    initializers: [zeros('k', [1, 5, 4]), zeros('v', [1, 5, 4])],
    macs: 5 * 5 * (8 + 8),
  },
  {
    what: 'Attention of ai.onnx on heads',
    input: ['N', 2, 5, 4],
    nodes: one('Attention', ['x', 'k', 'v']),
    initializers: [zeros('k', [1, 2, 7, 4]), zeros('v', [1, 2, 7, 6])],
    output: [1, 2, 5, 6],
    macs: 2 * 5 * 7 * (4 + 6),
  },
  {
    what: 'Attention of ai.onnx on merged heads, fewer for keys',
    input: ['N', 5, 8],
    nodes: one('Attention', ['x', 'k', 'v'], { q_num_heads: 4, kv_num_heads: 2 }),
    initializers: [zeros('k', [1, 7, 4]), zeros('v', [1, 7, 6])],
    output: [1, 5, 12],
    macs: 5 * 7 * (8 + 12),
  },
  {
    what: 'two experts of three',
    input: ['N', 4],
    nodes: one('MoE', ['x', 'r', 'a', '', 'b'], { k: 2 }, 'com.microsoft'),
    initializers: [zeros('r', [1, 3]), zeros('a', [3, 8, 4]), zeros('b', [3, 4, 8])],
    macs: 2 * (8 * 4 + 4 * 8),
  },
  { what: 'elementwise work', input: image, nodes: one('Relu', ['x']), macs: 0 },
  {
    what: 'a batch fixed in the file',
    input: [8, 5],
    nodes: one('MatMul', ['x', 'w']),
    initializers: [zeros('w', [5, 7])],
    output: [8, 7],
    macs: 35,
  },
  {
    what: 'an unnamed batch',
    input: [undefined, 5],
    nodes: one('MatMul', ['x', 'w']),
    initializers: [zeros('w', [5, 7])],
    macs: 35,
  },
  {
    what: 'branches that cost the same',
    input: ['N', 5],
    nodes: one('If', ['c'], { then_branch: branch('t', 'w'), else_branch: branch('e', 'w') }),
    initializers: [zeros('w', [5, 7]), tensor('c', [], [1], 'bool')],
    macs: 35,
  },
  {
    what: 'a dimension that is not bound',
    input: ['N', 'seq', 5],
    nodes: one('MatMul', ['x', 'w']),
    initializers: [zeros('w', [5, 7])],
    macs: /dimension seq of input x is not bound/,
  },
  {
    what: 'a dimension without a name',
    input: ['N', undefined, 5],
    nodes: one('MatMul', ['x', 'w']),
    initializers: [zeros('w', [5, 7])],
    macs: /a dimension of input x is unknown/,
  },
  {
    what: 'an operator nobody knows',
    input: ['N', 5],
    nodes: one('Flux', ['x'], {}, 'com.nobody'),
    macs: /cost of com.nobody.Flux \(n\) is unknown/,
  },
  {
    what: 'a shape behind data',
    input: ['N', 5],
    nodes: [
      node('NonZero', ['x'], ['i']),
      node('Cast', ['i'], ['f'], { to: 1 }),
      ...one('MatMul', ['w', 'f']),
    ],
    initializers: [zeros('w', [7, 2])],
    macs: /a shape at n \(MatMul\) is unknown/,
  },
  {
    what: 'branches that cost something else',
    input: ['N', 5],
    nodes: one('If', ['c'], { then_branch: branch('t', 'w'), else_branch: branch('e', 'v') }),
    initializers: [zeros('w', [5, 7]), zeros('v', [5, 8]), tensor('c', [], [1], 'bool')],
    macs: /how n \(If\) runs depends on the data/,
  },
];

describe('multiply-accumulates', () => {
  it.each(macCases)('of $what', ({ input, nodes, initializers = [], dimensions = {}, output, macs }) => {
    const proto = model({
      inputs: [valueInfo('x', input)],
      outputs: [valueInfo('y', output)],
      nodes,
      initializers,
    });
    const count = countMacs(graphOf(proto), dimensions);
    if (typeof macs === 'number') expect(count).toMatchObject({ total: macs });
    else {
      expect(count.total).toBeNull();
      expect(count.reason).toMatch(macs);
    }
  });

  it('are known per layer where the total is not', () => {
    const proto = model({
      inputs: [valueInfo('x', ['N', 'seq', 5]), valueInfo('z', ['N', 5])],
      outputs: [valueInfo('y', undefined), valueInfo('u', undefined)],
      nodes: [node('MatMul', ['x', 'w'], ['y']), node('MatMul', ['z', 'w'], ['u'])],
      initializers: [zeros('w', [5, 7])],
    });
    expect([...countMacs(graphOf(proto), {}).perNode.values()]).toEqual([null, 35]);
  });
});

describe('modelFacts', () => {
  it('of a network', () => {
    const target = file('net.onnx', {
      ...convNet(),
      producerName: 'pytorch',
      producerVersion: '2.1',
      metadataProps: [{ key: 'author', value: 'me' }],
    });
    const { value, issues } = modelFacts(target, { fingerprint: 'f' });
    expect(issues).toEqual([]);
    expect(value?.model).toEqual({
      path: target,
      format: 'onnx',
      opset: 17,
      opsets: { 'ai.onnx': 17 },
      irVersion: 8,
      producer: 'pytorch 2.1',
      params: 216 + 4 * 8 + 72 + 8 + 80 + 10,
      bytes: fs.statSync(target).size,
      macs: 216 * 64 + 72 * 64 + 80,
      inputs: [{ name: 'input', type: 'float', shape: ['N', 3, 8, 8] }],
      outputs: [{ name: 'output', type: 'float', shape: ['N', 10] }],
      nodes: 8,
      ops: { Conv: 2, Relu: 2, BatchNormalization: 1, Flatten: 1, Gemm: 1, GlobalAveragePool: 1 },
      fingerprint: 'f',
      metadata: { author: 'me' },
    });
    expect(value?.layers[1]).toEqual({
      name: 'conv2',
      node: 'conv2_out_Conv',
      op: 'Conv',
      weight: 'conv2.weight',
      shape: [8, 1, 3, 3],
      params: 72,
      bytes: 288,
      macs: 72 * 64,
      dataType: 'float',
      depthwise: true,
      becomes: { 'ort-cpu': expect.any(Array) },
      issues: [],
    });
  });

  it('says which operators have weights that no layer shows', () => {
    const proto = model(
      {
        inputs: [valueInfo('x', [4, 4])],
        outputs: [valueInfo('y', undefined)],
        initializers: [zeros('w', [4, 4]), zeros('b', [4])],
        nodes: [
          node('Flux', ['x', 'w', 'b'], ['h'], {}, { domain: 'com.nobody', name: 'f' }),
          node('Flux', ['h', 'w'], ['g'], {}, { domain: 'com.nobody', name: 'g' }),
          node(
            'LinearClassifier',
            ['g'],
            ['y'],
            { coefficients: floats([1, 2, 3]) },
            { domain: 'ai.onnx.ml' },
          ),
        ],
      },
      { opsets: [{ domain: 'ai.onnx.ml', version: 3 }] },
    );
    const { issues, value } = modelFacts(file('unlisted.onnx', proto));
    expect(value?.layers).toEqual([]);
    expect(issues.map(({ code, severity, facts, anchor }) => [code, severity, facts, anchor.node])).toEqual([
      [
        'unsupported-feature',
        'information',
        {
          what: 'measuring the weights of com.nobody.Flux (32 numbers in 2 nodes)',
          next: expect.any(String),
        },
        'f',
      ],
      [
        'unsupported-feature',
        'information',
        {
          what: 'measuring the weights of ai.onnx.ml.LinearClassifier (3 numbers in 1 node)',
          next: expect.any(String),
        },
        'y_LinearClassifier',
      ],
    ]);
  });

  it('leaves inputs with a default out, and names other types', () => {
    const proto = model({
      inputs: [
        valueInfo('x', [4]),
        valueInfo('w', [4]),
        { name: 's', type: { kind: 'sequence', element: { kind: 'tensor', elementType: 1 } } },
        { name: 'm', type: { kind: 'map', keyType: 7, value: { kind: 'tensor', elementType: 8 } } },
        { name: 'o', type: { kind: 'optional', element: { kind: 'sparse-tensor', elementType: 1 } } },
        { name: 'u' },
      ],
      outputs: [valueInfo('y', [undefined, 4])],
      initializers: [zeros('w', [4])],
      nodes: [node('Add', ['x', 'w'], ['y'])],
    });
    const facts = modelFacts(file('types.onnx', proto)).value?.model;
    expect(facts?.inputs.map((input) => [input.name, input.type])).toEqual([
      ['x', 'float'],
      ['s', 'seq(float)'],
      ['m', 'map(int64, string)'],
      ['o', 'optional(sparse_tensor(float))'],
      ['u', 'unknown'],
    ]);
    expect(facts?.outputs[0]?.shape).toEqual([null, 4]);
  });

  it('of safetensors', () => {
    const header = {
      __metadata__: { format: 'pt', licence: 'x'.repeat(2000) },
      'fc.weight': { dtype: 'BF16', shape: [2, 3], data_offsets: [0, 12] },
      'fc.bias': { dtype: 'F32', shape: [2], data_offsets: [12, 20] },
    };
    const target = file('m.safetensors', safetensorsFile({ header, data: new Uint8Array(20) }));
    const { value } = modelFacts(target);
    expect(value?.model).toMatchObject({
      format: 'safetensors',
      opset: null,
      params: 8,
      macs: null,
      nodes: 0,
      inputs: [],
      metadata: { format: 'pt' },
    });
    expect(value?.model.metadata?.licence?.length).toBeLessThan(600);
    expect(value?.layers).toEqual([
      {
        name: 'fc',
        node: 'fc.weight',
        op: 'Weight',
        weight: 'fc.weight',
        shape: [2, 3],
        params: 6,
        bytes: 12,
        macs: null,
        dataType: 'BF16',
        issues: [],
      },
    ]);
  });

  it('says what is wrong with a file that is no model', () => {
    const target = file('no.onnx', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\n'));
    expect(modelFacts(target)).toMatchObject({
      value: undefined,
      issues: [{ code: 'format-unknown', anchor: { path: target } }],
    });
    expect(modelFacts(path.join(folder, 'none.onnx')).issues).toMatchObject([{ code: 'file-not-found' }]);
  });

  it('reads no weights', () => {
    // A sparse file: 1 GB of weights that are not on the disk; reading them would show in the time and the memory.
    const proto = model({
      inputs: [valueInfo('x', ['N', 16384])],
      outputs: [valueInfo('y', undefined)],
      initializers: [
        {
          name: 'fc.weight',
          dims: [16384, 16384],
          dataType: 1,
          payload: {
            kind: 'external',
            location: 'big.bin',
            offset: 0,
            length: 2 ** 30,
            entries: [
              { key: 'location', value: 'big.bin' },
              { key: 'length', value: String(2 ** 30) },
            ],
          },
        },
      ],
      nodes: [node('MatMul', ['x', 'fc.weight'], ['y'])],
    });
    fs.truncateSync(file('big.bin', new Uint8Array(1)), 2 ** 30);
    const before = process.memoryUsage();
    const facts = modelFacts(file('big.onnx', proto)).value;
    const after = process.memoryUsage();
    expect(facts?.model).toMatchObject({ params: 2 ** 28, macs: 2 ** 28 });
    expect(facts?.model.bytes).toBeGreaterThan(2 ** 30);
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(64 << 20);
  });
});
