/** Patterns over layer names, and which rule speaks for a layer. */
import picomatch from 'picomatch';
import { describe, expect, it } from 'vitest';
import { escapeLayerName, layerMatcher } from '../../../../server/src/engine/format/layer-glob';
import type { RecipeRule } from '../../../../server/src/engine/format/recipe';
import {
  chooseLayer,
  matchLayer,
  shadowedRules,
  unmatchedRules,
} from '../../../../server/src/engine/format/recipe-match';

const rule = (match: string, weights = 'int8'): RecipeRule => ({ match, weights });

describe('patterns', () => {
  it.each([
    ['layer3.*', 'layer3.0.conv1', true],
    ['layer3.*', 'layer30.conv1', false],
    ['layer3.*', 'layer3', false],
    ['*', 'a/b.c', true],
    ['*.conv?', 'layer1.0.conv2', true],
    ['*.conv?', 'layer1.0.conv', false],
    ['encoder/*/weight', 'encoder/layer/0/weight', true],
    ['layer[1-3].*', 'layer2.x', true],
    ['layer[!1-3].*', 'layer2.x', false],
    ['layer[^1-3].*', 'layer4.x', true],
    ['{conv,fc}*', 'fc2', true],
    ['{conv,fc}*', 'bn', false],
    ['a{b,c{d,e}}f', 'acef', true],
    ['a{b}', 'a{b}', true],
    ['a{b,c', 'a{b,c', true],
    ['a[b', 'a[b', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['', '', true],
    ['', 'a', false],
    ['a*b*c', 'a1b2b3c', true],
    ['a*b*c', 'a1c2b', false],
    ['fc', 'fc', true],
    ['.hidden', '.hidden', true],
    ['*', '.hidden', true],
    ['[]]', ']', true],
    ['*', 'two\nlines', true],
  ])('%j on %j: %s', (pattern, name, expected) => {
    expect(layerMatcher(pattern)(name)).toBe(expected);
  });

  it('agrees with picomatch where dots and slashes do not matter', () => {
    const patterns = ['a*', '*a', 'a?c', '[ab]*', '[^a]*', '{a,bc}?', '*{a,b}*', 'a*b*c', '?*', 'a\\*'];
    const letters = ['a', 'b', 'c', '*'];
    const names = letters.flatMap((one) => [
      one,
      ...letters.flatMap((two) => [one + two, ...letters.map((three) => one + two + three)]),
    ]);
    for (const pattern of patterns) {
      const expected = names.filter((name) => picomatch(pattern, { dot: true, windows: false })(name));
      expect(names.filter(layerMatcher(pattern)), pattern).toEqual(expected);
    }
  });

  it.each(['layer1.0.conv1', 'a[0]', '*', '{x,y}', 'back\\slash', '?', ''])(
    'an escaped name matches itself only: %j',
    (name) => {
      const matcher = layerMatcher(escapeLayerName(name));
      expect(matcher(name)).toBe(true);
      expect(matcher(`${name}x`)).toBe(false);
    },
  );

  it('hostile patterns and names take no time worth naming', () => {
    const stars = layerMatcher('*a'.repeat(200));
    expect(stars(`${'a'.repeat(2000)}b`)).toBe(false);
    expect(layerMatcher('{a,b}'.repeat(20))('ab')).toBe(false);
    expect(layerMatcher('*'.repeat(100_000))('x')).toBe(false);
    expect(layerMatcher('*')('x'.repeat(1_000_000))).toBe(true);
  });
});

describe('rules', () => {
  const recipe = {
    layers: [rule('*', 'int8'), rule('layer3.*', 'int4'), rule('layer3.0', 'int2')],
    default: { activations: 'uint8.tensor' },
  };

  it('the last match wins', () => {
    expect(matchLayer(recipe, 'conv1')).toBe(0);
    expect(matchLayer(recipe, 'layer3.1')).toBe(1);
    expect(matchLayer(recipe, 'layer3.0')).toBe(2);
    expect(matchLayer({ layers: [rule('fc')] }, 'conv1')).toBeUndefined();
  });

  it('the default fills what the winning rule leaves open', () => {
    expect(chooseLayer(recipe, 'layer3.1')).toEqual({
      rule: 1,
      keep: false,
      weights: 'int4',
      activations: 'uint8.tensor',
    });
    expect(chooseLayer({ layers: [{ match: 'fc', keep: 'float' }], default: {} }, 'fc')).toMatchObject({
      rule: 0,
      keep: true,
    });
    expect(chooseLayer({ layers: [], default: { weights: 'int8' } }, 'fc')).toMatchObject({
      rule: undefined,
      weights: 'int8',
    });
  });

  it('rules that match nothing name the nearest layer', () => {
    const rules = { layers: [rule('layer1.conv'), rule('layer1.*'), rule('head')] };
    expect(unmatchedRules(rules, ['layer1.conv1', 'layer2.conv1'])).toEqual([
      { rule: 0, nearest: 'layer1.conv1' },
      { rule: 2 },
    ]);
  });

  it('rules that never win name the rules that do', () => {
    const rules = {
      layers: [rule('fc'), rule('conv*'), rule('f*'), rule('conv1'), rule('*2'), rule('none')],
    };
    expect(shadowedRules(rules, ['fc', 'conv1', 'conv2', 'conv3'])).toEqual([{ rule: 0, by: [2] }]);
    expect(shadowedRules(rules, ['fc', 'conv1', 'conv2'])).toEqual([
      { rule: 0, by: [2] },
      { rule: 1, by: [3, 4] },
    ]);
  });
});
