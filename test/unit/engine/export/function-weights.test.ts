/** Weights in model-local functions: the written file computes with their codes what onnxruntime computes by the calls. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, it } from 'vitest';
import type { FunctionProto, ModelProto, NodeProto } from '../../../../server/src/engine/format/onnx-types';
import { listLayers } from '../../../../server/src/engine/graph/layers';
import { openModel } from '../../../../server/src/engine/graph/open';
import { quantizeHandler } from '../../../../server/src/engine/handlers/quantize';
import { dequantizeWeight, quantizeWeight } from '../../../../server/src/engine/numerics/quantize-weight';
import { parseQuantScheme } from '../../../../server/src/engine/numerics/scheme';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const SIZE = 16;
const ROWS = 3;
const shape = [SIZE, SIZE];
const passed = normalValues(SIZE * SIZE, 1, 0.3);
const held = normalValues(SIZE * SIZE, 2, 0.3);
const input = normalValues(ROWS * SIZE, 3);

const define = (name: string, inputs: readonly string[], nodes: readonly NodeProto[]): FunctionProto => ({
  name,
  domain: 'local',
  inputs,
  outputs: ['c'],
  attributes: [],
  attributeProtos: [],
  nodes,
  opsetImports: [
    { domain: '', version: 17 },
    { domain: 'local', version: 1 },
  ],
});
const call = (name: string, inputs: readonly string[], output: string) =>
  node(name, inputs, [output], {}, { domain: 'local', name: output });

/** A weight that is passed in, and one inside a function that is called twice, once by another function. */
function network(held: Float32Array, passed: Float32Array): ModelProto {
  const functions = [
    define('Linear', ['a', 'b'], [node('MatMul', ['a', 'b'], ['m']), node('Tanh', ['m'], ['c'])]),
    define(
      'Holder',
      ['a'],
      [node('Constant', [], ['k'], { value: tensor('', shape, held) }), node('MatMul', ['a', 'k'], ['c'])],
    ),
    define('Outer', ['a'], [call('Holder', ['a'], 'h'), node('Tanh', ['h'], ['c'])]),
  ];
  const proto = model(
    {
      inputs: [valueInfo('x', ['N', SIZE])],
      outputs: [valueInfo('y', ['N', SIZE])],
      initializers: [tensor('w', shape, passed)],
      nodes: [
        call('Linear', ['x', 'w'], 'first'),
        call('Outer', ['first'], 'second'),
        call('Holder', ['second'], 'y'),
      ],
    },
    { opsets: [{ domain: 'local', version: 1 }] },
  );
  return { ...proto, functions };
}

it.each(['int8.channel', 'int4.channel'])('are written as codes of %s', async (format) => {
  const output = `${folder.path}/${format}.onnx`;
  const job = {
    kind: 'quantize',
    model: folder.model('functions.onnx', network(held, passed)),
    output,
    scheme: format,
    keepFloat: [],
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const { value, issues } = await quantizeHandler(job, context);
  expect(
    value?.layers.map(({ weights }) => weights),
    JSON.stringify(issues),
  ).toEqual([format, format, format]);

  const written = openModel(output).value;
  const layers = written ? listLayers(written.model) : [];
  written?.close();
  expect(layers.map(({ quantized }) => quantized)).toEqual([true, true, true]);
  // The reference runs the calls themselves, with what the codes stand for.
  const reference = folder.model('reference.onnx', network(close(held, format), close(passed, format)));
  const [exact, made] = [await run(reference), await run(output)];
  for (const [at, one] of made.entries()) expect(one).toBeCloseTo(exact[at] ?? Number.NaN, 5);
  const float = await run(job.model);
  expect(made.some((one, at) => Math.abs(one - (float[at] ?? 0)) > 1e-4)).toBe(true);
});

async function run(file: string): Promise<readonly number[]> {
  const session = await InferenceSession.create(file, { graphOptimizationLevel: 'disabled' });
  const { y } = await session.run({ x: new Tensor('float32', input, [ROWS, SIZE]) });
  await session.release();
  return Array.from(y?.data ?? [], Number);
}

function close(values: Float32Array, format: string): Float32Array {
  const scheme = parseQuantScheme(format).value;
  if (!scheme) throw new Error(format);
  return dequantizeWeight(quantizeWeight(values, shape, 1, scheme), shape, 1);
}
