/** A deep network is compared part by part: every figure is that of one session for all layers. */
import { describe, expect, it } from 'vitest';
import { exportedPairs } from '../../../../server/src/engine/analysis/layer-pairs';
import type { ShadowResult } from '../../../../server/src/engine/analysis/run-shadow';
import type { ShadowOptions } from '../../../../server/src/engine/analysis/shadow';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import type { PreparedModel } from '../../../../server/src/engine/handlers/open';
import { simulate } from '../../../../server/src/engine/handlers/simulate';
import { openFeeds } from '../../../../server/src/engine/runtime/feeds';
import type { Progress } from '../../../../server/src/protocol/progress';
import { convNet } from '../../../fixtures/build';
import { quantized } from '../../../fixtures/quantize';

const data = { source: 'random', samples: 6, seed: 5, preprocessing: {}, dimensions: {} } as const;

const everything: ShadowOptions = { local: true, cumulative: true, output: true };

async function ran(part: number | undefined, what = everything, lonely: readonly string[] = []) {
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
    // A layer whose input cannot be found has no figure of its own.
    pairs: exportedPairs(float, made.model).map((pair) =>
      lonely.includes(pair.name) ? { ...pair, float: { ...pair.float, activationInput: 9 } } : pair,
    ),
    prepared: { open } as PreparedModel,
    feeds: feeds.value,
    what,
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

  const alone = (kind: keyof ShadowOptions): ShadowOptions => ({
    local: false,
    cumulative: false,
    output: false,
    [kind]: true,
  });
  it.each(['local', 'cumulative', 'output'] as const)('%s alone is the same in parts', async (kind) => {
    const whole = await ran(undefined, alone(kind));
    const parts = await ran(1, alone(kind));
    expect(rounded(parts.result)).toEqual(rounded(whole.result));
    expect(Object.keys(parts.result.sqnr[kind])).not.toEqual([]);
    expect(parts.result.samples).toBe(6);
  });
  it.each([['conv1'], ['fc']])('a part of which nothing can be compared is left out: %s', async (name) => {
    const { result } = await ran(1, alone('local'), [name]);
    expect(Object.keys(result.sqnr.local)).toEqual(['conv1', 'conv2', 'fc'].filter((one) => one !== name));
    expect(result.samples).toBe(6);
  });
});
