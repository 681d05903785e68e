import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { runPasses } from '../../../../server/src/engine/graph/passes';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { createSession, type Session } from '../../../../server/src/engine/runtime/ort';
import { cleanReason, nodeOfReason } from '../../../../server/src/engine/runtime/ort-errors';
import {
  type RuntimeTensor,
  type RuntimeType,
  runtimeTensor,
} from '../../../../server/src/engine/runtime/runtime-tensor';
import { openSession, sessionBytes } from '../../../../server/src/engine/runtime/session-model';
import {
  convNet,
  graph,
  matmulNet,
  model,
  node,
  normalValues,
  tensor,
  valueInfo,
} from '../../../fixtures/build';
import { moveOutside, opened, said, temporaryFolder } from './fixtures/files';

const folder = temporaryFolder();
const options = { threads: 1, optimization: 'disabled' } as const;

/** Big enough that its weights (16 × 512 and 512 × 4 floats) stay in the file. */
const bigNet = () => matmulNet(16, 512, 4);
const input = { input: runtimeTensor('float32', [2, 16], normalValues(32, 7)) };

async function outputOf(session: Session | undefined, feeds = input): Promise<RuntimeTensor> {
  const outcome = await session?.run(feeds);
  const output = outcome?.value?.output;
  if (!output) throw new Error(JSON.stringify(outcome?.issues));
  return output;
}

/** Oracle: the file's own bytes, read by onnxruntime itself. */
async function outputOfFile(proto: ModelProto, feeds = input): Promise<RuntimeTensor> {
  const session = await createSession(encodeModelBytes(proto).value ?? new Uint8Array(), options);
  return outputOf(session.value, feeds);
}

describe('graph-only proto', () => {
  it('keeps weights in the file: the proto is small, the numbers are the same', async () => {
    const open = opened(folder.model('big.onnx', bigNet()));
    const made = sessionBytes(open.model, open);
    expect(made.value?.bytes.length).toBeLessThan(1000);
    expect(open.bytes).toBeGreaterThan(40_000);
    expect(made.value?.files.map((file) => file.path)).toEqual([fs.realpathSync(open.path)]);
    const expected = (await outputOfFile(bigNet())).data;
    const session = await openSession(open.model, open, options);
    expect((await outputOf(session.value)).data).toEqual(expected);
    await session.value?.release();
    // Mapped weights go through another kernel, which adds up in another order.
    const mapped = await openSession(open.model, open, { ...options, prepack: false });
    const found = (await outputOf(mapped.value)).data;
    found.forEach((value, index) => {
      expect(Number(value)).toBeCloseTo(Number(expected[index]), 4);
    });
  });

  it('takes made tensors inline and leaves the others where they are', async () => {
    const proto = convNet();
    const open = opened(folder.model('conv.onnx', proto));
    const folded = cloneModel(open.model);
    expect(runPasses(folded).modified).toContain('fold-batchnorm');
    const feeds = { input: runtimeTensor('float32', [1, 3, 8, 8], normalValues(192, 3)) };
    const session = await openSession(folded, open, options);
    const expected = await outputOfFile(proto, feeds);
    const found = await outputOf(session.value, feeds);
    found.data.forEach((value, index) => {
      expect(Number(value)).toBeCloseTo(Number(expected.data[index]), 4);
    });
  });

  it.each([
    ['beside the model', 'outside.onnx', 'outside.bin'],
    ['in a folder below', 'below.onnx', 'weights/deep/outside.bin'],
  ])('reads external data %s at odd offsets', async (_, name, location) => {
    const { proto, data } = moveOutside(bigNet(), location);
    folder.write(location, data);
    const open = opened(folder.model(name, proto));
    const session = await openSession(open.model, open, options);
    expect((await outputOf(session.value)).data).toEqual((await outputOfFile(bigNet())).data);
  });

  it('follows a link to the model, as download caches make them', async () => {
    const real = folder.model('cache/blobs/1234', bigNet());
    const link = path.join(folder.path, 'cache/snapshot/model.onnx');
    fs.mkdirSync(path.dirname(link));
    fs.symlinkSync(real, link);
    const open = opened(link);
    const session = await openSession(open.model, open, options);
    expect((await outputOf(session.value)).data).toEqual((await outputOfFile(bigNet())).data);
  });

  it('moves large Constant nodes into the file too, also inside subgraphs', async () => {
    const weight = tensor('w', [16, 4], normalValues(64, 5));
    const large = tensor('v', [16, 32], normalValues(512, 6));
    const branch = (name: string, factor: number) =>
      graph({
        name,
        outputs: [valueInfo(`${name}_out`, ['N', 32])],
        nodes: [
          node('Constant', [], [`${name}_w`], { value: { ...large, payload: large.payload } }),
          node('Constant', [], [`${name}_f`], { value: tensor('f', [], [factor]) }),
          node('Mul', [`${name}_w`, `${name}_f`], [`${name}_scaled`]),
          node('MatMul', ['input', `${name}_scaled`], [`${name}_out`]),
        ],
      });
    const proto = model({
      inputs: [valueInfo('input', ['N', 16]), valueInfo('flag', [], 'bool')],
      outputs: [valueInfo('output', ['N', 32])],
      nodes: [
        node('Constant', [], ['c'], { value: weight }),
        node('If', ['flag'], ['output'], {
          then_branch: branch('a', 1),
          else_branch: branch('b', -1),
        }),
      ],
    });
    const open = opened(folder.model('constants.onnx', proto));
    expect(sessionBytes(open.model, open).value?.bytes.length).toBeLessThan(open.bytes - 4000);
    const session = await openSession(open.model, open, options);
    for (const flag of [0, 1]) {
      const feeds = { ...input, flag: runtimeTensor('bool', [], Uint8Array.of(flag)) };
      expect((await outputOf(session.value, feeds)).data).toEqual((await outputOfFile(proto, feeds)).data);
    }
  });

  it('runs models of IR 3, whose initializers are inputs as well, without feeding them', async () => {
    const proto = bigNet();
    const weights = (proto.graph?.initializers ?? []).map((one) => valueInfo(one.name, one.dims));
    const old = {
      ...proto,
      irVersion: 3,
      graph: proto.graph && { ...proto.graph, inputs: [...proto.graph.inputs, ...weights] },
    };
    const open = opened(folder.model('ir3.onnx', old));
    const session = await openSession(open.model, open, options);
    expect(session.value?.inputs.map((one) => one.name)).toEqual(['input']);
    expect((await outputOf(session.value)).data).toEqual((await outputOfFile(proto)).data);
  });

  it('lowers an IR version that is too new for onnxruntime', async () => {
    const open = opened(folder.model('ir14.onnx', { ...bigNet(), irVersion: 14 }));
    expect((await openSession(open.model, open, options)).issues).toEqual([]);
  });

  it('notices a file that changes before, between and during runs', async () => {
    const file = folder.model('changing.onnx', bigNet());
    const open = opened(file);
    const session = await openSession(open.model, open, { ...options, prepack: false });
    await outputOf(session.value);
    fs.utimesSync(file, new Date(), new Date(Date.now() + 5000));
    expect(said((await session.value?.run(input)) ?? { issues: [] })).toEqual([
      ['file-changed', { path: fs.realpathSync(file) }],
    ]);
    expect(said(await openSession(open.model, open, options))).toEqual([['file-changed', { path: file }]]);
  });
});

describe('refusals before anything can crash', () => {
  it.each([
    [
      'opset 27',
      { opset: 27 },
      [['unsupported-feature', { what: 'opset 27', next: 'export the model with opset 26 or older' }]],
    ],
    ['opset 26', { opset: 26 }, []],
  ])('%s', async (name, versions, expected) => {
    const proto = model({ ...(bigNet().graph ?? { nodes: [] }) }, versions);
    const open = opened(folder.model(`${name}.onnx`, proto));
    expect(said(await openSession(open.model, open, options))).toEqual(expected);
  });

  const quantize = (declared: 'int4' | undefined) =>
    model(
      {
        inputs: [valueInfo('input', [4])],
        outputs: [declared ? valueInfo('output', [4], declared) : { name: 'output' }],
        initializers: [tensor('scale', [], [1]), tensor('zero', [], [0], 'int4')],
        nodes: [node('QuantizeLinear', ['input', 'scale', 'zero'], ['output'])],
      },
      { opset: 21, irVersion: 10 },
    );
  it.each(['int4', undefined] as const)(
    'a 4-bit output, declared as %s: a run would abort the process',
    async (declared) => {
      const open = opened(folder.model(`packed-${declared}.onnx`, quantize(declared)));
      const facts = { what: 'output output of type int4', next: 'Add a Cast to float.' };
      expect(said(await openSession(open.model, open, options))).toEqual([['unsupported-feature', facts]]);
    },
  );

  it('bfloat16 at the border', async () => {
    const proto = model({
      inputs: [valueInfo('input', [4])],
      outputs: [{ name: 'output' }],
      nodes: [node('Cast', ['input'], ['output'], { to: 16 })],
    });
    const open = opened(folder.model('bf16.onnx', proto));
    const facts = { what: 'an input or output of type bfloat16', next: 'Add a Cast to float.' };
    expect(said(await openSession(open.model, open, options))).toEqual([['unsupported-feature', facts]]);
  });

  it('an operator nobody knows', async () => {
    const proto = model(
      {
        ...(bigNet().graph ?? { nodes: [] }),
        nodes: [node('Frobnicate', ['input'], ['output'], {}, { domain: 'acme' })],
      },
      { opsets: [{ domain: 'acme', version: 1 }] },
    );
    const open = opened(folder.model('unknown.onnx', proto));
    expect(said(await openSession(open.model, open, options))).toEqual([
      ['unsupported-op', { op: 'Frobnicate', domain: 'acme' }],
    ]);
  });

  it('an input that is not fed', async () => {
    const open = opened(folder.model('unfed.onnx', bigNet()));
    const session = await openSession(open.model, open, options);
    expect(said((await session.value?.run({})) ?? { issues: [] })).toEqual([
      ['inference-failed', { reason: 'input input is not fed' }],
    ]);
  });

  it('bytes that are no model', async () => {
    const outcome = await createSession(Uint8Array.of(1, 2, 3), options);
    expect(outcome.value).toBeUndefined();
    expect(outcome.issues[0]?.code).toBe('inference-failed');
  });
});

describe('tensors at the border', () => {
  const types: readonly [RuntimeType, number, RuntimeTensor['data']][] = [
    ['float32', 1, Float32Array.of(1.5, -0, 3e38)],
    ['float64', 11, Float64Array.of(Math.PI, -1e300, 0)],
    ['float16', 10, Uint16Array.of(0x3c00, 0xfbff, 0x0001)],
    ['int8', 3, Int8Array.of(-128, 0, 127)],
    ['uint8', 2, Uint8Array.of(0, 128, 255)],
    ['int16', 5, Int16Array.of(-32768, 0, 32767)],
    ['uint16', 4, Uint16Array.of(0, 1, 65535)],
    ['int32', 6, Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1)],
    ['uint32', 12, Uint32Array.of(0, 1, 2 ** 32 - 1)],
    ['int64', 7, BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n)],
    ['uint64', 13, BigUint64Array.of(0n, 1n, 2n ** 64n - 1n)],
    ['bool', 9, Uint8Array.of(0, 1, 1)],
    ['string', 8, ['', 'ä', 'two words']],
  ];
  it.each(types)('%s goes in and comes out unchanged', async (type, elementType, data) => {
    const info = (name: string) => ({ name, type: { kind: 'tensor' as const, elementType, shape: [3] } });
    const proto = model({
      inputs: [info('x')],
      outputs: [info('y')],
      nodes: [node('Identity', ['x'], ['y'])],
    });
    const session = await createSession(encodeModelBytes(proto).value ?? new Uint8Array(), options);
    expect(session.issues).toEqual([]);
    const outputs = await session.value?.run({ x: runtimeTensor(type, [3], data) });
    expect(outputs?.value?.y).toEqual({ type, dims: [3], data });
    await session.value?.release();
    await session.value?.release();
  });
});

describe('messages of onnxruntime', () => {
  const where = '/onnxruntime_src/onnxruntime/core';
  it.each([
    [
      `Non-zero status code returned while running Mul node. Name:'m1' Status Message: ${where}/providers/cpu/math/element_wise_ops.h:540 void onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 2 by 4\n`,
      "Mul 'm1': axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 2 by 4",
      'm1',
    ],
    [
      `Non-zero status code returned while running Mod node. Name:'mod' Status Message: ${where}/x.cc:2279 void onnxruntime::mod_internal::CallModImpl<T, typename std::enable_if<std::is_floating_point<_Tp>::value, void>::type>::operator()(bool, onnxruntime::OpKernelContext*) const [with T = float; typename std::enable_if<std::is_floating_point<_Tp>::value, void>::type = void] fmod was false. fmod attribute must be true for floating point types`,
      "Mod 'mod': fmod was false. fmod attribute must be true for floating point types",
      'mod',
    ],
    [
      'Load model from /home/me/models/a.onnx failed:Node (outer_if) Op (If) [TypeInferenceError] Size mismatch',
      'Node (outer_if) Op (If) [TypeInferenceError] Size mismatch',
      'outer_if',
    ],
    [
      'This is an invalid model. In Node, ("bn", BatchNormalization, "", -1) : ("x": tensor(float),) -> ("y": tensor(float),) , Error Unrecognized attribute: consumed_inputs for operator BatchNormalization',
      "BatchNormalization 'bn': Unrecognized attribute: consumed_inputs for operator BatchNormalization",
      'bn',
    ],
    ['Exception during initialization: bad allocation', 'bad allocation', undefined],
    [
      "Non-zero status code returned while running Gemm node. Name:'' Status Message: a\n b",
      'Gemm: a b',
      undefined,
    ],
  ])('%s', (raw, clean, at) => {
    expect(cleanReason(new Error(raw))).toBe(clean);
    expect(nodeOfReason(clean)).toBe(at);
  });

  it('stay short', () => {
    expect(cleanReason('x'.repeat(5000))).toHaveLength(400);
  });

  it('name the node of a real failure', async () => {
    const proto = model({
      inputs: [valueInfo('a', ['N', 2]), valueInfo('b', ['N', 3])],
      outputs: [{ name: 'output' }],
      nodes: [node('Add', ['a', 'b'], ['output'], {}, { name: 'sum of both' })],
    });
    // Symbolic shapes hide the mismatch until the run.
    const dynamic = {
      ...proto,
      graph: proto.graph && {
        ...proto.graph,
        inputs: [valueInfo('a', ['N', 'K']), valueInfo('b', ['N', 'L'])],
      },
    };
    const session = await createSession(encodeModelBytes(dynamic).value ?? new Uint8Array(), options);
    const feeds = {
      a: runtimeTensor('float32', [1, 2], new Float32Array(2)),
      b: runtimeTensor('float32', [1, 3], new Float32Array(3)),
    };
    const outcome = await session.value?.run(feeds);
    expect(outcome?.issues[0]?.anchor.node).toBe('sum of both');
    expect(JSON.stringify(outcome?.issues)).not.toContain('onnxruntime_src');
  });
});
