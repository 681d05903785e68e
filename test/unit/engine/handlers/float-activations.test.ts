/** What a scheme with integer activations tells of a network whose activations no quantizer can reach. */
import { expect, it } from 'vitest';
import { measureHandler } from '../../../../server/src/engine/handlers/measure';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();

async function measured(type: 'float' | 'float16', scheme: string) {
  const net = model({
    inputs: [valueInfo('x', ['N', 16], type)],
    outputs: [valueInfo('y', ['N', 8], type)],
    initializers: [tensor('w', [16, 8], normalValues(128, 1, 0.3), type)],
    nodes: [node('MatMul', ['x', 'w'], ['y'], {}, { name: 'fc' })],
  });
  const job = {
    kind: 'measure',
    model: folder.model(`${type}.onnx`, net),
    data: {
      source: folder.npy('x.npy', [8, 16], 'float', normalValues(128, 2)),
      seed: 0,
      preprocessing: {},
      dimensions: {},
    },
    estimator: 'min-max',
    schemes: [scheme],
    metrics: ['local', 'cumulative'],
    threads: 1,
    seed: 0,
    dimensions: {},
  } as const;
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const { value, issues } = await measureHandler(job, context);
  if (!value) throw new Error(JSON.stringify(issues));
  return value;
}

it.each([
  ['float16', 'w8a8', 'float'],
  ['float', 'w8a8', undefined],
  ['float', 'int8', undefined],
] as const)('%s under %s: activations %s', async (type, scheme, activations) => {
  const { output, layers } = await measured(type, scheme);
  expect(output?.[scheme]?.activations).toBe(activations);
  // Findings about clipping and wasted levels stand on these.
  expect(layers[0]?.activation === undefined).toBe(type === 'float16' || scheme === 'int8');
  expect(layers[0]?.local?.[scheme]).toBeGreaterThan(20);
});
