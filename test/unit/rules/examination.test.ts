/** What a comparison gets beside its figures: one way for the editor and the command line. */
import { expect, it } from 'vitest';
import type { Engine } from '../../../server/src/engine/index';
import type { ExamineJob } from '../../../server/src/engine/jobs';
import type { LayerReport } from '../../../server/src/protocol/reports';
import { examinedComparison } from '../../../server/src/rules/examination';
import { layer, report } from './fixtures';

const quantized = {
  form: 'qdq',
  weightBits: 8,
  granularity: 'channel',
} as unknown as LayerReport['quantized'];

async function compared(source: string, gains = true) {
  const jobs: ExamineJob[] = [];
  const plan = { sqnr: 21, agreement: null, samples: 8, local: { a: 30 } };
  const engine = {
    weights: async () => ({ value: report(layer('a')), issues: [] }),
    examine: async (job: ExamineJob) => {
      jobs.push(job);
      return { value: { plan, remedies: [], attention: [] }, issues: [] };
    },
  } as unknown as Engine;
  const { weightSqnr: _, ...bare } = layer('a', { quantized, local: { file: 12 } });
  const output = { file: { sqnr: 5, topOneAgreement: null, execution: 'simulated' as const } };
  const whole = await examinedComparison(
    engine,
    { ...report(bare), data: { source, samples: 8 }, output },
    {
      model: 'net.onnx',
      data: { source, samples: 8, seed: 1, preprocessing: {}, dimensions: {} },
      common: { threads: 1, seed: 1, dimensions: {} },
      signal: new AbortController().signal,
      progress: () => {},
      gains,
    },
  );
  return { whole, jobs };
}

it('measures what calibrating again gains, with the facts of the float weights', async () => {
  const { whole, jobs } = await compared('images');
  expect(jobs).toHaveLength(1);
  expect(whole.remedies?.[0]).toMatchObject({ fix: 'recalibrate', output: { before: 5, after: 21 } });
  expect(whole.layers[0]?.weightSqnr).toBeDefined();
});

it.each([
  ['random', true],
  ['images', false],
])('measures nothing on %s with gains %s', async (source, gains) => {
  const { whole, jobs } = await compared(source, gains);
  expect(jobs).toEqual([]);
  expect(whole.remedies).toBeUndefined();
});
