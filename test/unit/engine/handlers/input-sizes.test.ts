/** Networks that do not run on every size of input: which sizes noise gets, and what users are told. */
import { expect, it } from 'vitest';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { withRunnableSizes } from '../../../../server/src/engine/handlers/input-sizes';
import { quantizeHandler } from '../../../../server/src/engine/handlers/quantize';
import type { QuantizeJob } from '../../../../server/src/engine/jobs';
import { line } from '../../../../server/src/rules/words';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const WIDTH = 64;

/** Mirrors 32 elements, so 33 have to be there; a state beside with one row per sample. */
function windowed(length: string, rows: string | undefined): ModelProto {
  return model({
    inputs: [valueInfo('x', ['batch', length]), valueInfo('state', [1, rows, WIDTH])],
    outputs: [valueInfo('y', [1, undefined, 2 * WIDTH])],
    initializers: [
      tensor('edges', [4], [0, 32, 0, 32], 'int64'),
      tensor('first', [1], [0], 'int64'),
      tensor('w', [1, WIDTH], normalValues(WIDTH, 1)),
      tensor('v', [2 * WIDTH, 2 * WIDTH], normalValues(4 * WIDTH * WIDTH, 2)),
    ],
    nodes: [
      node('Pad', ['x', 'edges'], ['padded'], { mode: 'reflect' }),
      node('ReduceMax', ['padded'], ['loudest'], { axes: [1] }),
      node('MatMul', ['loudest', 'w'], ['wide']),
      node('Unsqueeze', ['wide', 'first'], ['row']),
      node('Concat', ['row', 'state'], ['both'], { axis: 2 }),
      node('MatMul', ['both', 'v'], ['y']),
    ],
  });
}

function quantized(name: string, net: ModelProto, dimensions: Record<string, number> = {}) {
  const job: QuantizeJob = {
    kind: 'quantize',
    model: folder.model(`${name}.onnx`, net),
    output: `${folder.path}/${name}.int8.onnx`,
    scheme: 'int8',
    keepFloat: [],
    threads: 1,
    seed: 0,
    dimensions,
  };
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  return withRunnableSizes(job, (sized) => quantizeHandler(sized, context));
}

it.each([
  ['named', windowed('length', 'batch'), { length: 64, batch: 1 }],
  ['unnamed', windowed('', undefined), { 'x.1': 64, 'state.1': 1 }],
])('gives noise the sizes that a network with %s dimensions runs with', async (name, net, sizes) => {
  const { value, issues } = await quantized(name, net);
  expect(value?.verification.sqnr).toBeGreaterThan(30);
  const told = issues.flatMap((one) => (one.code === 'dimension-assumed' ? [one.facts] : []));
  expect(Object.fromEntries(told.map(({ dimension, size }) => [dimension, size]))).toEqual(sizes);
  expect(value?.issues.filter(({ code }) => code === 'dimension-assumed')).toHaveLength(told.length);
});

it('leaves sizes that the user bound, and names those with which the network runs', async () => {
  const { value, issues } = await quantized('bound', windowed('length', 'batch'), { length: 20 });
  expect(value).toBeUndefined();
  expect(issues).toMatchObject([{ code: 'dimension-needed', facts: { sizes: { length: 64, batch: 1 } } }]);
  expect(issues.map(line).join()).toContain('--dim length=64');
});

it('says that a file grew', async () => {
  const { value, issues } = await quantized(
    'grown',
    model({
      inputs: [valueInfo('x', ['N', 2])],
      outputs: [valueInfo('y', ['N', 2])],
      initializers: [tensor('w', [2, 2], [1, 2, 3, 4])],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
    }),
  );
  const facts = { before: value?.bytesBefore, after: value?.bytesAfter, weightsOnly: true };
  expect(issues).toContainEqual(expect.objectContaining({ code: 'file-grew', severity: 'warning', facts }));
  expect(facts.after).toBeGreaterThan(facts.before ?? Number.NaN);
});
