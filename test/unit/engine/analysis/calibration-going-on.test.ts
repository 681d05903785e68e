import { describe, expect, it } from 'vitest';
import { activationFacts } from '../../../../server/src/engine/analysis/activation-facts';
import { type CalibrateInput, calibrate } from '../../../../server/src/engine/analysis/calibrate';
import { type CalibrationState, parseState } from '../../../../server/src/engine/analysis/calibration-state';

import { RangeStability, usualMove } from '../../../../server/src/engine/analysis/range-stability';
import type { Outcome } from '../../../../server/src/engine/base/outcome';
import type { ModelProto } from '../../../../server/src/engine/format/onnx-types';
import { runPasses } from '../../../../server/src/engine/graph/passes';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { tensorDrain } from '../../../../server/src/engine/runtime/free';
import { floats } from '../../../../server/src/engine/runtime/runtime-tensor';
import type { Progress } from '../../../../server/src/protocol/progress';
import type { DataSpec, RangesFile } from '../../../../server/src/protocol/reports';
import { convNet, gemmNet, normalValues } from '../../../fixtures/build';
import { opened, said, temporaryFolder } from '../runtime/fixtures/files';

const folder = temporaryFolder();
const SAMPLES = 300;
const imageFile = folder.npy('images.npy', [SAMPLES, 3, 8, 8], 'float', normalValues(SAMPLES * 192, 5));

interface Asked extends Partial<Omit<CalibrateInput, 'data'>> {
  readonly data?: Partial<DataSpec>;
}

async function ranges(asked: Asked = {}, proto: ModelProto = convNet()): Promise<Outcome<RangesFile>> {
  const open = opened(folder.model('model.onnx', proto));
  const model = cloneModel(open.model);
  runPasses(model);
  const data = { source: imageFile, seed: 0, preprocessing: {}, dimensions: {}, samples: 100, ...asked.data };
  const input = { estimator: 'mse', threads: 1, progress: () => {}, ...asked };
  try {
    return await calibrate({ ...input, open, model, data });
  } finally {
    open.close();
  }
}

/** The state that a calibration leaves when it is cancelled after some samples, as a file would hold it. */
async function stopped(asked: Asked, after = 40): Promise<CalibrationState> {
  const stop = new AbortController();
  let kept: string | undefined;
  const cancelled = ranges({
    ...asked,
    signal: stop.signal,
    progress: ({ done }) => done >= after && stop.abort(),
    keep: (state) => {
      kept = JSON.stringify(state());
    },
  });
  await expect(cancelled).rejects.toThrow('cancelled');
  const { value } = parseState(kept ?? '', 'state.json');
  if (!value) throw new Error('no state was kept');
  return value;
}

describe('a calibration that was stopped', () => {
  it.each(['min-max', 'moving-average', 'percentile', 'mse', 'entropy'])(
    '%s ends where the whole one does',
    async (estimator) => {
      const state = await stopped({ estimator });
      expect(state.samples).toBeGreaterThanOrEqual(40);
      expect(state.samples).toBeLessThan(100);
      const done: number[] = [];
      const resumed = await ranges({ estimator, resume: state, progress: (one) => done.push(one.done) });
      const whole = await ranges({ estimator });
      expect(resumed.value?.ranges).toEqual(whole.value?.ranges);
      expect(resumed.value?.data).toEqual(whole.value?.data);
      expect(done[0]).toBeGreaterThan(state.samples);
    },
  );

  it('is refused for another model, other data and other options', async () => {
    const state = await stopped({});
    const other = folder.npy('other.npy', [SAMPLES, 3, 8, 8], 'float', normalValues(SAMPLES * 192, 6));
    const cases: readonly (readonly [string, Asked, ModelProto?])[] = [
      ['model', {}, { ...convNet(), producerName: 'someone else' }],
      ['data', { data: { source: other } }],
      ['options', { data: { samples: 200 } }],
      ['options', { estimator: 'lp:3' }],
      ['options', { data: { dimensions: { other: 3 } } }],
    ];
    for (const [what, asked, proto] of cases) {
      const outcome = await ranges({ ...asked, resume: state }, proto);
      expect(outcome.value).toBeUndefined();
      expect(said(outcome)[0], what).toMatchObject(['ranges-stale', { what }]);
    }
  });

  it('is not read from just any text', () => {
    const code = (text: string) => parseState(text, 'state.json').issues.map((one) => one.code);
    expect(code('')).toEqual(['format-damaged']);
    expect(code('{"version":1}')).toEqual(['format-damaged']);
    expect(code('{"version":99}')).toEqual(['ranges-stale']);
  });
});

describe('ranges that no longer move', () => {
  it('are looked at whenever the number of samples has doubled', () => {
    const stability = new RangeStability(16);
    const range = (max: number) => ({ a: { min: 0, max }, b: { min: -1, max: 1 } });
    expect([15, 16].map((samples) => stability.due(samples))).toEqual([false, true]);
    expect(stability.look(16, range(1))).toBe(false);
    expect(stability.due(31)).toBe(false);
    expect(stability.look(32, range(2))).toBe(false);
    expect(stability.look(64, range(2.1))).toBe(true);
  });

  it('may hold one tensor in ten that moves', () => {
    const of = (moved: number) =>
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`t${i}`, { min: 0, max: i < moved ? 2 : 1 }]));
    expect(usualMove(of(0), of(2))).toBe(0);
    expect(usualMove(of(0), of(3))).toBe(0.5);
    expect(usualMove({}, of(0))).toBe(Number.POSITIVE_INFINITY);
    expect(usualMove(of(0), { t0: { min: 0, max: 0 } })).toBe(1);
  });

  it('end a calibration that was to end then, and it says after how many samples', async () => {
    const details: (string | undefined)[] = [];
    const { value } = await ranges({
      estimator: 'percentile:99',
      untilStable: true,
      data: { samples: undefined },
      progress: (one) => details.push(one.detail),
    });
    expect(value?.data.stable).toEqual({ of: SAMPLES, share: 0.06 });
    expect(value?.data.samples).toBeLessThan(SAMPLES);
    expect(details.at(-1)).toBe(`stable after ${value?.data.samples} of ${SAMPLES}`);
    const whole = await ranges({
      estimator: 'percentile:99',
      untilStable: false,
      data: { samples: undefined },
    });
    expect(whole.value?.data.samples).toBe(SAMPLES);
    expect(usualMove(value?.ranges ?? {}, whole.value?.ranges ?? {})).toBeLessThan(0.1);
  });

  it('do not end one that was asked for a number of samples', async () => {
    const { value } = await ranges({ estimator: 'percentile:99', data: { samples: 260 } });
    expect(value?.data).toMatchObject({ samples: 260 });
    expect(value?.data.stable).toBeUndefined();
  });
});

describe('facts of activations', () => {
  it.each(['min-max', 'mse'])('%s: are those of the tensors, by layer', async (estimator) => {
    const { value } = await ranges({ estimator });
    const { input, relu1_out: relu } = value?.stats ?? {};
    expect(input?.mean).toBeCloseTo(0, 1);
    expect(input?.std).toBeCloseTo(1, 1);
    expect(input?.p9999).toBeGreaterThan(3);
    expect(relu?.min).toBe(0);
    for (const facts of [input, relu]) {
      expect(facts?.levels).toBe(256);
      expect(facts?.effectiveLevels).toBeGreaterThan(60);
      expect(facts?.effectiveLevels).toBeLessThan(256);
      expect(facts?.rangeVariation).toBeGreaterThan(0);
      expect(facts?.rangeVariation).toBeLessThan(0.5);
      expect(facts?.sampleSpread).toBeGreaterThan(1);
      expect(facts?.sampleSpread).toBeLessThan(3);
    }
    const open = opened(folder.model('same.onnx', convNet()));
    const folded = cloneModel(open.model);
    runPasses(folded);
    const byLayer = activationFacts(folded, value?.stats);
    open.close();
    expect(byLayer.size).toBeGreaterThan(1);
    expect([...byLayer.values()][0]).toEqual(input);
  });
});

describe('cosine', () => {
  it('finds a range and a weight ratio per layer within the bounds of the search', async () => {
    const { value, issues } = await ranges({ estimator: 'cosine', data: { samples: 24 } });
    expect(issues).toEqual([]);
    const whole = await ranges({ estimator: 'min-max', data: { samples: 24 } });
    for (const name of ['input', 'relu1_out']) {
      const ratio = (value?.ranges[name]?.max ?? 0) / (whole.value?.ranges[name]?.max ?? 1);
      expect(ratio, name).toBeGreaterThanOrEqual(0.5);
      expect(ratio, name).toBeLessThanOrEqual(2.2);
    }
    const ratios = Object.values(value?.weightRatios ?? {});
    expect(ratios.length).toBeGreaterThan(1);
    for (const ratio of ratios) expect(Math.abs(ratio - 1)).toBeLessThan(0.6);
  });

  it('tells how many of how many steps are done', async () => {
    const told: Progress[] = [];
    const progress = (one: Progress) => void told.push(one);
    await ranges({ estimator: 'cosine', data: { samples: 30 }, progress });
    // Before the first sample is seen, so that whoever has no time can choose another estimator.
    expect(told[0]).toMatchObject({ done: 0, detail: expect.stringContaining('then 672 steps') });
    const steps = told.filter(({ unit }) => unit === 'steps');
    // Two searches: 12 coarse ratios on 8 samples, then 10 near ones on 24.
    expect(steps.map(({ done }) => done)).toEqual(
      Array.from({ length: 2 * (12 * 8 + 10 * 24) }, (_, at) => at + 1),
    );
    expect(new Set(steps.map(({ total }) => total))).toEqual(new Set([672]));
  });

  it('clips an outlier that the layer does not miss', async () => {
    const data = normalValues(40 * 16, 9);
    data[77] = 60;
    data[330] = -60;
    const source = folder.npy('outlier.npy', [40, 16], 'float', data);
    const asked = { data: { source, samples: 40 } };
    const whole = await ranges({ ...asked, estimator: 'min-max' }, gemmNet());
    const found = await ranges({ ...asked, estimator: 'cosine' }, gemmNet());
    expect(whole.value?.ranges.input?.max).toBe(60);
    // 38 of 40 samples are better off with half of the range, which is the narrowest that is tried.
    expect(found.value?.ranges.input?.max).toBeLessThan(40);
  });
});

it('large tensors that are freed are gone', async () => {
  const free = await tensorDrain();
  const large = floats([2048], new Float32Array(2048));
  const small = floats([4], Float32Array.of(1, 2, 3, 4));
  free([large, large, small]);
  expect(large.data.length).toBe(0);
  expect(small.data.length).toBe(4);
});
