/** A deep network is compared part by part: every figure is that of one session for all layers. */
import { describe, expect, it } from 'vitest';
import { exportedPairs } from '../../../../server/src/engine/analysis/layer-pairs';
import type { ShadowResult } from '../../../../server/src/engine/analysis/run-shadow';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import type { PreparedModel } from '../../../../server/src/engine/handlers/open';
import { simulate } from '../../../../server/src/engine/handlers/simulate';
import { openFeeds } from '../../../../server/src/engine/runtime/feeds';
import type { Progress } from '../../../../server/src/protocol/progress';
import { convNet } from '../../../fixtures/build';
import { quantized } from '../../../fixtures/quantize';

const data = { source: 'random', samples: 6, seed: 5, preprocessing: {}, dimensions: {} } as const;

async function ran(part: number | undefined) {
  const made = await quantized(convNet(), 'w8a8');
  const float = cloneModel(made.float);
  const feeds = await openFeeds(data, float);
  if (!feeds.value) throw new Error(JSON.stringify(feeds.issues));
  const progress: Progress[] = [];
  const partials: ShadowResult[] = [];
  // Test models hold their weights themselves: nothing is read from a file.
  const open = { path: 'memory.onnx' } as PreparedModel['open'];
  const result = await simulate({
    float,
    quantized: made.model,
    pairs: exportedPairs(float, made.model),
    prepared: { open } as PreparedModel,
    feeds: feeds.value,
    what: { local: true, cumulative: true, output: true },
    options: { threads: 1, seed: 0, dimensions: {} },
    stage: 'compare',
    context: { signal: new AbortController().signal, progress: (one) => progress.push(one) },
    partial: (one) => partials.push(one),
    ...(part === undefined ? {} : { part }),
  });
  expect(result.issues).toEqual([]);
  if (!result.value) throw new Error('no result');
  return { result: result.value, progress, partials };
}

/** Sums of float32 differ in their last bits with where they lie in memory. */
function rounded(result: ShadowResult): unknown {
  return JSON.parse(
    JSON.stringify(result, (_, value: unknown) =>
      typeof value === 'number' ? Number(value.toPrecision(5)) : value,
    ),
  );
}

describe('simulate', () => {
  it.each([1, 2])('%i layers at a time gives what all at once give', async (part) => {
    const whole = await ran(undefined);
    const parts = await ran(part);
    expect(Object.keys(whole.result.sqnr.local)).toEqual(['conv1', 'conv2', 'fc']);
    expect(rounded(parts.result)).toEqual(rounded(whole.result));
    // The first layers are there before the others, and stay.
    expect(Object.keys(parts.partials[0]?.sqnr.cumulative ?? {})).toEqual(
      ['conv1', 'conv2', 'fc'].slice(0, part),
    );
    const told = parts.progress.map(({ done, total, unit }) => [done, total, unit]);
    expect(told.at(-1)).toEqual([3, 3, 'layers']);
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).sort());
  });
});
