import { describe, expect, it } from 'vitest';
import { calibrate } from '../../../../server/src/engine/analysis/calibrate';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { runPasses } from '../../../../server/src/engine/graph/passes';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { createEstimator } from '../../../../server/src/engine/numerics/ranges';
import { floats } from '../../../../server/src/engine/runtime/runtime-tensor';
import { openSession } from '../../../../server/src/engine/runtime/session-model';
import { tapModel } from '../../../../server/src/engine/runtime/tap';
import { convNet, normalValues, tensor, valueInfo } from '../../../fixtures/build';
import { opened, temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const scheme = { bits: 8, signed: false, symmetric: false };
const watched = ['input', 'relu1_out', 'relu2_out', 'pool_out', 'output'] as const;

/** The images differ in height, width and number, and the largest values lie in a small one. */
const shapes: readonly (readonly number[])[] = [
  [1, 3, 8, 8],
  [1, 3, 40, 24],
  [2, 3, 8, 8],
  [1, 3, 5, 64],
  [1, 3, 3, 3],
  [1, 3, 8, 8],
];
const samples = shapes.map((shape, at) => ({
  shape,
  data: normalValues(
    shape.reduce((all, size) => all * size, 1),
    50 + at,
    at === 4 ? 6 : 1,
  ),
}));
samples.forEach(({ shape, data }, at) => {
  folder.tensorFile(`sets/test_data_set_${at}/input_0.pb`, tensor('input', shape, data));
});

function net(): ModelProto {
  const proto = convNet();
  const inputs = [valueInfo('input', ['N', 3, 'H', 'W'])];
  return { ...proto, graph: proto.graph && { ...proto.graph, inputs } };
}

/** Values of all samples together, each from a run of its own. */
async function everything(): Promise<Record<string, Float32Array>> {
  const open = opened(folder.model('oracle.onnx', net()));
  const model = cloneModel(open.model);
  runPasses(model);
  const { model: tapped, outputs } = tapModel(
    model,
    watched.map((value) => ({ value, what: 'all', float: true })),
  );
  const session = await openSession(tapped, open, { threads: 1, optimization: 'disabled' });
  const found: Record<string, number[]> = Object.fromEntries(watched.map((name) => [name, []]));
  for (const { shape, data } of samples) {
    const ran = await session.value?.run({ input: floats(shape, data) });
    watched.forEach((name, at) => {
      const values = ran?.value?.[outputs[at]?.[0] ?? '']?.data;
      if (values instanceof Float32Array) found[name]?.push(...values);
    });
  }
  open.close();
  return Object.fromEntries(watched.map((name) => [name, Float32Array.from(found[name] ?? [])]));
}

describe('samples of different shapes', () => {
  it.each(['min-max', 'percentile:99', 'mse', 'entropy'])('%s takes all of them in', async (estimator) => {
    const open = opened(folder.model('model.onnx', net()));
    const model = cloneModel(open.model);
    runPasses(model);
    const data = { source: `${folder.path}/sets`, seed: 0, preprocessing: {}, dimensions: {} };
    const done: number[] = [];
    const { value, issues } = await calibrate({
      estimator,
      threads: 1,
      open,
      model,
      data,
      progress: (progress) => done.push(progress.done),
    });
    open.close();
    expect(issues).toEqual([]);
    expect(done.at(-1)).toBe(samples.length);
    const all = await everything();
    for (const name of watched) {
      const oracle = createEstimator(estimator).value;
      oracle?.observe(all[name] ?? new Float32Array(0));
      const expected = oracle?.range(scheme);
      expect(value?.ranges[name]?.min, name).toBeCloseTo(expected?.min ?? Number.NaN, 3);
      expect(value?.ranges[name]?.max, name).toBeCloseTo(expected?.max ?? Number.NaN, 3);
    }
  });
});
