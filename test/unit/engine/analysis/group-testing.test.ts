/** Finding layers with fewer runs than layers, on made-up noises with known answers and on real switched networks. */
import { describe, expect, it } from 'vitest';
import { findLoudest, raceLayers, separability } from '../../../../server/src/engine/analysis/group-testing';
import { exportedPairs } from '../../../../server/src/engine/analysis/layer-pairs';
import { switchedModel } from '../../../../server/src/engine/analysis/switches';
import { variantsOf } from '../../../../server/src/engine/analysis/variants';
import { verify } from '../../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../../server/src/engine/graph/walk';
import { createRandom } from '../../../../server/src/engine/numerics/random';
import { dataTypeOf } from '../../../../server/src/engine/runtime/runtime-tensor';
import { convNet } from '../../../fixtures/build';
import { quantized } from '../../../fixtures/quantize';
import { residualNet } from '../../../fixtures/residual-nets';
import { runTensors } from '../../../fixtures/run-tensors';

const names = (count: number) => Array.from({ length: count }, (_, index) => `layer${index}`);

describe('halving suspects', () => {
  it.each([
    [54, 1],
    [54, 3],
    [200, 5],
    [7, 7],
    [1, 3],
  ])('of %i layers finds the %i loudest', async (count, wanted) => {
    const random = createRandom(count + wanted);
    const layers = names(count);
    const noise = new Map(layers.map((layer) => [layer, Math.exp(2 * random.normal())]));
    let runs = 0;
    const result = await findLoudest(layers, wanted, async (group) => {
      runs++;
      return group.reduce((sum, layer) => sum + (noise.get(layer) ?? 0), 0);
    });
    const expected = [...noise].sort((one, other) => other[1] - one[1]).slice(0, wanted);
    expect(result.found.map((one) => one.layer)).toEqual(expected.map(([layer]) => layer));
    expect(result.runs).toBe(runs);
  });

  it('needs few runs when few layers are to blame', async () => {
    const layers = names(256);
    const guilty = new Set(['layer17', 'layer201']);
    const result = await findLoudest(layers, 2, async (group) =>
      group.reduce((sum, layer) => sum + (guilty.has(layer) ? 1 : 1e-6), 0),
    );
    expect(new Set(result.found.map((one) => one.layer))).toEqual(guilty);
    expect(result.runs).toBeLessThanOrEqual(1 + 2 * 2 * 8);
  });
});

describe('racing', () => {
  it('gives samples to those near the border only', async () => {
    const random = createRandom(3);
    const level = { far: 100, above: 10.6, below: 10, low: 0.1 } as const;
    const raced = await raceLayers(
      Object.keys(level),
      2,
      { first: 8, available: 512 },
      async (layer, from, to) =>
        Array.from(
          { length: to - from },
          () => level[layer as keyof typeof level] * (1 + 0.2 * random.normal()),
        ),
    );
    expect(raced.map((one) => one.layer)).toEqual(['far', 'above']);
    expect(raced[0]?.samples).toBe(8);
    expect(raced[1]?.samples).toBeGreaterThan(8);
  });

  it('ends when samples do', async () => {
    const raced = await raceLayers(['a', 'b'], 1, { first: 2, available: 5 }, async (_layer, from, to) =>
      Array.from({ length: to - from }, (_, index) => (from + index) % 2),
    );
    expect(raced).toEqual([{ layer: 'a', noise: expect.closeTo(0.4, 12), samples: 5 }]);
  });
});

describe('separability', () => {
  it('is 1 where effects add up', async () => {
    const layers = names(54);
    const result = await separability(layers, async (group) => {
      const noise = group.reduce((sum, layer) => sum + Number(layer.slice(5)), 0);
      return [noise, 2 * noise, 0.5 * noise];
    });
    expect(result).toMatchObject({ groups: 31, runs: 64 });
    expect(result?.rSquared).toBeCloseTo(1, 9);
    expect(result?.error).toBeCloseTo(0, 9);
  });

  it('falls with interactions', async () => {
    const layers = names(8);
    const noise = (share: number) => async (group: readonly string[]) => {
      const pair = group.includes('layer1') && group.includes('layer5') ? 1 : 0;
      return [group.length * (1 - share) + 8 * share * pair];
    };
    const some = (await separability(layers, noise(0.3)))?.rSquared ?? Number.NaN;
    const strong = (await separability(layers, noise(0.9)))?.rSquared ?? Number.NaN;
    expect(some).toBeLessThan(1);
    expect(strong).toBeLessThan(some);
    expect(strong).toBeLessThan(0.7);
  });

  it('tells how far it varies with the samples', async () => {
    const layers = names(8);
    const spreadOf = async (samples: number) => {
      const random = createRandom(3);
      const shares = Array.from({ length: samples }, () => random.uniform());
      return separability(layers, async (group) => {
        const pair = group.includes('layer1') && group.includes('layer5') ? 1 : 0;
        return shares.map((share) => group.length * (1 - share) + 8 * share * pair);
      });
    };
    const [one, few, many] = [await spreadOf(1), await spreadOf(6), await spreadOf(96)];
    expect(one?.error).toBeUndefined();
    expect(few?.error).toBeGreaterThan(0.01);
    // Four times as narrow with sixteen times the samples, up to chance.
    expect((few?.error ?? 0) / (many?.error ?? 0)).toBeGreaterThan(2);
    expect((few?.error ?? 0) / (many?.error ?? 0)).toBeLessThan(8);
    expect(Math.abs((few?.rSquared ?? 0) - (many?.rSquared ?? 0))).toBeLessThan(3 * (few?.error ?? 0));
  });

  it('says nothing where nothing varies', async () => {
    expect(await separability(names(4), async () => [0])).toBeUndefined();
    expect(await separability(names(1), async () => [1])).toBeUndefined();
  });
});

describe('a switched network', () => {
  it.each([
    ['convNet', convNet(), 'w8a8', 'disabled'],
    ['convNet, optimised', convNet(), 'w8a8', 'all'],
    ['a residual network', residualNet({ blocks: [1, 1], width: 4, classes: 10, size: 16 }), 'w4a8', 'all'],
  ] as const)(
    '%s: each layer alone as measured by itself, none is silent',
    async (_name, proto, scheme, level) => {
      const made = await quantized(proto, scheme);
      const float = cloneModel(made.float);
      for (const [domain, version] of made.model.opsets) {
        float.opsets.set(domain, Math.max(version, float.opsets.get(domain) ?? 0));
      }
      const pairs = exportedPairs(float, made.model);
      const switched = switchedModel(float, pairs);
      expect(verify(switched.model)).toEqual([]);
      expect([...switched.switches.keys()]).toEqual(pairs.map((pair) => pair.name));
      const exact = (await runTensors(float, made.feeds, 'disabled')).output;
      if (!exact || !(exact.data instanceof Float32Array)) throw new Error('no output');
      const data = exact.data;
      expect(dataTypeOf(exact.type)).toBe(1);
      const noiseOf = async (chosen: readonly string[]) => {
        const flags = [...switched.switches].map(([layer, input]) => [
          input,
          { shape: [], data: Uint8Array.of(chosen.includes(layer) ? 1 : 0) },
        ]);
        const feeds = {
          ...made.feeds,
          ...Object.fromEntries(flags),
          [switched.reference]: { shape: exact.dims, data },
        };
        const rows = (await runTensors(switched.model, feeds, level))[switched.noise];
        expect(rows?.dims).toEqual([exact.dims[0]]);
        return Array.from(rows?.data ?? [], Number).reduce((sum, one) => sum + one, 0);
      };
      const signal = data.reduce((sum, one) => sum + one * one, 0);
      expect((await noiseOf([])) / signal).toBeLessThan(1e-10);
      for (const pair of pairs) {
        const { model: alone, outputs } = variantsOf(float, [], float.graph.outputs, [pair]);
        const close = (await runTensors(alone, made.feeds, 'disabled'))[outputs.get(pair.name)?.[0] ?? ''];
        const expected = data.reduce((sum, one, at) => sum + (one - Number(close?.data[at])) ** 2, 0);
        expect((await noiseOf([pair.name])) / expected).toBeCloseTo(1, 2);
      }
    },
  );
});
