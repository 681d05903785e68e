/** Gains of remedies on a network whose first layer has one wide channel: measured by the very edit of the quick fix. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeModelBytes } from '../../../../server/src/engine/format/onnx-encode';
import { examineHandler } from '../../../../server/src/engine/handlers/examine';
import type { ExamineJob, RemedyQuestion } from '../../../../server/src/engine/jobs';
import { model, node, normalValues, tensor, valueInfo } from '../../../fixtures/build';

const wide = normalValues(8 * 5 * 9, 3, 0.1).map((value, index) => (index < 45 ? value * 100 : value));
const net = model(
  {
    inputs: [valueInfo('input', ['N', 5, 8, 8])],
    outputs: [valueInfo('output', undefined), valueInfo('mean', undefined)],
    initializers: [
      tensor('first.weight', [8, 5, 3, 3], wide),
      tensor('second.weight', [4, 8, 3, 3], normalValues(4 * 8 * 9, 4, 0.2)),
    ],
    nodes: [
      node('Conv', ['input', 'first.weight'], ['first_out']),
      node('Conv', ['first_out', 'second.weight'], ['output']),
      // Another operator from opset 18 on, which 16-bit codes ask for.
      node('ReduceMean', ['input'], ['mean'], { axes: [2, 3] }),
    ],
  },
  { opset: 17 },
);

const folder = path.join(os.tmpdir(), `quantlens-examine-${process.pid}`);
const file = path.join(folder, 'net.onnx');
beforeAll(() => {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(file, encodeModelBytes(net).value ?? new Uint8Array());
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const recipe =
  '{"model": "net.onnx", "default": {"weights": "int8.tensor", "activations": "uint8.tensor", "estimator": "min-max"}}';

async function examine(remedies: readonly RemedyQuestion[], text = recipe) {
  const job: ExamineJob = {
    kind: 'examine',
    model: file,
    data: { source: 'random', samples: 8, seed: 5, preprocessing: {}, dimensions: {} },
    recipe: text,
    remedies,
    plan: true,
    attention: false,
    threads: 1,
    seed: 5,
    dimensions: {},
  };
  const context = { signal: new AbortController().signal, progress: () => {}, partial: () => {} };
  const outcome = await examineHandler(job, context);
  return { ...outcome, remedies: outcome.value?.remedies ?? [] };
}

describe('the gain of a remedy', () => {
  it('is what the output and the layers changed by it gain', async () => {
    const { remedies, value, issues } = await examine([
      { fix: 'per-channel-weights', layers: ['first'] },
      { fix: 'per-channel-weights' },
    ]);
    expect(issues).toEqual([]);
    const [one, all] = remedies;
    expect(one?.output).toMatchObject({ of: 'output', before: value?.plan?.sqnr, layers: 1 });
    expect(one?.output.data).toEqual({ source: 'random', samples: 8 });
    expect(Object.keys(one?.local ?? {})).toEqual(['first']);
    expect(Object.keys(all?.local ?? {})).toEqual(['first', 'second']);
    // The wide channel decides the output, so the rest gains where it stands: in its layer's own output.
    for (const gain of [one?.output, one?.local?.first]) {
      expect((gain?.after ?? 0) - (gain?.before ?? 0)).toBeGreaterThan(-0.5);
    }
  });

  it('is not stated for a remedy that changes nothing', async () => {
    const perChannel = recipe.replace('int8.tensor', 'int8.channel');
    const { remedies, issues } = await examine([{ fix: 'per-channel-weights' }], perChannel);
    expect([remedies, issues]).toEqual([[], []]);
  });

  it('is large where bits are added', async () => {
    const low = recipe.replace('int8.tensor', 'int2.channel').replace('uint8.tensor', 'uint3.tensor');
    const { remedies } = await examine(
      [{ fix: 'activations-8-bit' }, { fix: 'weights-8-bit', layers: ['first'] }],
      low,
    );
    expect(remedies.map(({ fix }) => fix)).toEqual(['activations-8-bit', 'weights-8-bit']);
    for (const { output } of remedies) expect(output.after).toBeGreaterThan(output.before);
  });

  it('is measured on formats that need a newer operator set than the model has', async () => {
    const wider = recipe.replace('uint8.tensor', 'uint16.tensor');
    const { remedies, issues } = await examine([{ fix: 'per-channel-weights' }], wider);
    expect(issues.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(remedies).toHaveLength(1);
  });

  it('is an issue when the recipe cannot be read', async () => {
    const { value, issues } = await examine([], '{');
    expect(value).toBeUndefined();
    expect(issues[0]?.code).toBe('recipe-syntax');
  });
});
