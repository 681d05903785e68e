/** Every rule has a model it speaks on and one it is silent on; words, severities and documentation follow the tables. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, it } from 'vitest';
import manifest from '../../../package.json';
import translations from '../../../package.nls.json';
import { parseRecipe } from '../../../server/src/engine/format/recipe';
import type { LayerReport } from '../../../server/src/protocol/reports';
import { findingPages, manifestSettings, withoutChecks } from '../../../server/src/rules/docs';
import { modelRules } from '../../../server/src/rules/index';
import { findingsOf, plannedBytes, storedBytes } from '../../../server/src/rules/model-view';
import { recipeIssues } from '../../../server/src/rules/recipe-issues';
import { line } from '../../../server/src/rules/words';
import { layer, report } from './fixtures';

const perTensor = '{"default": {"weights": "int8.tensor", "activations": "uint8.tensor"}}';
const perChannel = '{"default": {"weights": "int8.channel", "activations": "uint8.tensor"}}';
const int4 = '{"default": {"weights": "int4.channel", "activations": "float"}}';

function checkFindings(
  layers: readonly LayerReport[],
  recipe: string | undefined,
  expected: readonly string[],
): void {
  const parsed = recipe === undefined ? undefined : parseRecipe(recipe).recipe;
  const found = findingsOf(report(...layers), parsed);
  expect(found.map((one) => `${one.severity} ${one.code} ${line(one)}`)).toEqual(expected);
}

const wide = {
  channelSpread: 40,
  widestChannel: 17,
  folded: { 'int8.tensor': 20, 'int8.channel': 42, 'int4.tensor': 2, 'int4.channel': 17 },
};

describe('M01 per-tensor weights over channels of different range', () => {
  it('names the channel, the bits lost and the measured gain', () =>
    checkFindings([layer('a', {}, wide)], perTensor, [
      'warning M01 a: per-tensor int8 loses 5.3 bits: channel 17 is 40.0× the median channel. Per-channel weights: 20.0 dB → 42.0 dB (measured on the weight).',
    ]));
  it('speaks of the weakest channel when the spread is small', () =>
    checkFindings([layer('a', {}, { worstChannelSqnr: 9 })], perTensor, [
      'warning M01 a: under one scale for the tensor, channel 5 keeps only 9.0 dB at 8 bits. Per-channel weights: 38.0 dB → 42.0 dB (measured on the weight).',
    ]));
  it('is information without a recipe', () => {
    const [found] = findingsOf(report(layer('a', {}, wide)), undefined);
    expect([found?.code, found?.severity]).toEqual(['M01', 'information']);
  });
  it('is silent on even channels', () => checkFindings([layer('a')], perTensor, []));
  it('is silent when the plan is per channel', () => checkFindings([layer('a', {}, wide)], perChannel, []));
  it('is silent on layers kept in float', () =>
    checkFindings(
      [layer('a', {}, wide)],
      '{"default": {"weights": "int8.tensor"}, "layers": [{"match": "a", "keep": "float"}]}',
      [],
    ));
});

describe('M02 BatchNormalization folding makes outliers', () => {
  const batchNorm = { node: '/bn', gammaSpread: 45, channel: 4, kurtosisBefore: 3, kurtosisAfter: 30 };
  it('speaks when γ/σ spreads', () =>
    checkFindings([layer('a', {}, { batchNorm })], perTensor, [
      'warning M02 a: folding BatchNormalization makes outliers: kurtosis 3.0 → 30.0, |γ/σ| of channel 4 is 45.0× the median. Use per-channel weights: weight 38.0 dB → 42.0 dB (measured on the weight).',
    ]));
  it('is silent on an even BatchNormalization', () =>
    checkFindings(
      [layer('a', {}, { batchNorm: { ...batchNorm, gammaSpread: 3, kurtosisAfter: 4 } })],
      perTensor,
      [],
    ));
});

describe('M03 BatchNormalization not folded', () => {
  const batchNorm = { node: '/bn', gammaSpread: 2, channel: 0, kurtosisBefore: 3, kurtosisAfter: 3 };
  const withMethods =
    '{"default": {"weights": "int8.channel", "activations": "uint8.tensor"}, "methods": ["equalize"]}';
  const withFold =
    '{"default": {"weights": "int8.channel", "activations": "uint8.tensor"}, "methods": ["fold-batchnorm"]}';
  it('speaks when the recipe lists methods without folding', () =>
    checkFindings([layer('a', {}, { batchNorm })], withMethods, [
      'warning M03 a: "/bn" is not folded into this layer. Fold it before quantizing.',
    ]));
  it('is silent when folding is listed', () => checkFindings([layer('a', {}, { batchNorm })], withFold, []));
  it('is silent by default, since folding is', () =>
    checkFindings([layer('a', {}, { batchNorm })], perChannel, []));
});

describe('M13 dead channels', () => {
  it('lists them', () =>
    checkFindings([layer('a', {}, { deadChannels: [1, 7] })], perChannel, [
      'information M13 a: 2 of 16 channels are dead (weights zero or next to zero): 1, 7.',
    ]));
  it('leaves out padding rows of a lookup table', () =>
    checkFindings([layer('a', { lookup: true }, { deadChannels: [0] })], perChannel, []));
  it('says once which layers hold one number, and nothing of their channels', () =>
    checkFindings(
      [
        layer('a', { weightRange: { min: 0.5, max: 0.5 } }),
        layer('b', { weightRange: { min: 0, max: 0 } }, { deadChannels: [0, 1] }),
        layer('c', { weightRange: { min: 0, max: 0.5 } }),
      ],
      perChannel,
      [
        'information M13 a: all weights are the same number (0.500), a placeholder or a fixed filter; so in 2 layers (a, b): errors of such weights say nothing. Put the trained weights into the file.',
      ],
    ));
  it('takes no notice of a weight of one element', () =>
    checkFindings([layer('a', { params: 1, weightRange: { min: 2, max: 2 } })], perChannel, []));
});

describe('M16 depthwise network per tensor', () => {
  const depthwise = { depthwise: true };
  it('gives the mean gain over depthwise layers', () =>
    checkFindings([layer('a', depthwise), layer('b', depthwise), layer('c')], perTensor, [
      'warning M16 2 of 3 quantized layers are depthwise with one weight scale for channels of different range, most of all "a" (channel 3 is 2.0× the median, 38.0 dB → 42.0 dB), "b" (channel 3 is 2.0× the median, 38.0 dB → 42.0 dB). Per-channel weights gain 4.0 dB on average (measured on the weights).',
    ]));
  it('is silent on one depthwise layer of six', () =>
    checkFindings(
      [layer('a', depthwise), ...['b', 'c', 'd', 'e', 'f'].map((name) => layer(name))],
      perTensor,
      [],
    ));
});

describe('M17 first and last layer at low bits', () => {
  it('speaks on both ends only', () =>
    checkFindings([layer('a'), layer('b'), layer('c')], int4, [
      'warning M17 a: the first layer is planned with 4 bits: 17.0 dB against 42.0 dB at 8 bits (measured on the weight). Keep it at 8 bits.',
      'warning M17 c: the last layer is planned with 4 bits: 17.0 dB against 42.0 dB at 8 bits (measured on the weight). Keep it at 8 bits.',
    ]));
  it('is silent at 8 bits', () => checkFindings([layer('a'), layer('b')], perChannel, []));
});

describe('M21 Clip limits the range', () => {
  it('is one finding for the network', () =>
    checkFindings([layer('a', {}, { clipMaximum: 6 }), layer('b', {}, { clipMaximum: 6 })], perChannel, [
      'information M21 a: 2 layers are followed by Clip(0, 6). The bound is used as the range; when retraining, plain ReLU does better.',
    ]));
});

describe('the rule list', () => {
  it('has every code once', () => {
    const codes = modelRules.map((rule) => rule.code);
    expect(new Set(codes).size).toBe(codes.length);
  });
  it('obeys configured severities', () => {
    const noisy = report(layer('a', {}, wide));
    expect(findingsOf(noisy, undefined, { M01: 'off' })).toEqual([]);
    expect(findingsOf(noisy, undefined, { M01: 'error' })[0]?.severity).toBe('error');
    expect(findingsOf(noisy, undefined, { M01: 'loud' })[0]?.severity).toBe('information');
  });
  it.each(Object.entries(findingPages()))('is what docs/%s says', (name, text) => {
    expect(fs.readFileSync(path.resolve(__dirname, '../../../docs', name), 'utf8')).toBe(text);
  });
  it('is what the schema for completion leaves of the one that checks', () => {
    const read = (name: string): unknown =>
      JSON.parse(fs.readFileSync(path.resolve(__dirname, '../../../schemas', name), 'utf8'));
    const completing = read('quant.completion.json');
    expect(completing).toEqual(withoutChecks(read('quant.schema.json')));
    // A value of any kind stands under every key without a complaint.
    expect(JSON.stringify(completing)).not.toMatch(/"(type|enum|pattern|required|additionalProperties)":/);
    expect(JSON.stringify(completing)).toMatch(/"examples":\["int8.channel"/);
  });
  it('is what the settings of the manifest offer', () => {
    const { properties } = manifest.contributes.configuration;
    const { severity, thresholds, words } = manifestSettings();
    expect(properties['quantlens.severity'].properties).toEqual(severity);
    expect(properties['quantlens.thresholds'].properties).toEqual(thresholds);
    expect(translations).toMatchObject(words);
  });
});

describe('what a recipe asks for and this version cannot do', () => {
  const known = (text: string) =>
    recipeIssues(parseRecipe(text), () => ({ value: report(layer('a')), issues: [] }))
      .filter((one) => one.severity === 'error')
      .map(
        (one) => `${one.code} ${one.anchor.span === undefined ? 'nowhere' : text.slice(...one.anchor.span)}`,
      );

  it.each([
    ['{"model": "m.onnx", "default": {"weights": "nf4"}}', ['R02 "nf4"']],
    ['{"model": "m.onnx", "layers": [{"match": "a", "weights": "kmeans4"}]}', ['R02 "kmeans4"']],
    ['{"model": "m.onnx", "data": {"source": "synthetic"}}', ['not-implemented "synthetic"']],
    ['{"model": "m.onnx", "methods": ["gptq"]}', ['not-implemented "gptq"']],
    [
      '{"model": "m.onnx", "default": {"weights": "int8", "estimator": "mse"}, "data": {"source": "none"}}',
      [],
    ],
  ])('%s', (text, expected) => expect(known(text)).toEqual(expected));
});

describe('a recipe on layers that are quantized already', () => {
  const codes = (name: string) => layer(name, { dataType: 'int8' });
  const told = (text: string, ...layers: readonly LayerReport[]) =>
    recipeIssues(parseRecipe(text), () => ({ value: report(...layers), issues: [] })).map(
      (one) =>
        `${one.severity} ${one.code} ${one.anchor.span === undefined ? 'nowhere' : text.slice(...one.anchor.span)}: ${line(one)}`,
    );
  const rules =
    '{"model": "m.onnx", "layers": [{"match": "a*", "weights": "int4"}, {"match": "a2", "keep": "float"}]}';

  it('is told of each rule that has nothing else to decide about', () =>
    expect(told(rules, codes('a1'), codes('a2'), layer('b'))).toEqual([
      'warning R05 "a*": "a*" is about a layer that is stored quantized already (int8): the rule has no effect. Write the recipe for the float original.',
      'warning R05 "a2": "a2" is about a layer that is stored quantized already (int8): the rule has no effect. Write the recipe for the float original.',
    ]));
  it('is fine where a rule decides about a float layer too', () =>
    expect(told(rules, codes('a1'), layer('a2'), layer('a3'))).toEqual([]));
  it('is told once, at the default, of a model that holds nothing else', () =>
    expect(
      told('{"model": "m.onnx", "default": {"weights": "int8.channel"}}', codes('a'), codes('b')),
    ).toEqual([
      'warning R05 "int8.channel": all 2 layers of the model are stored quantized already (int8): nothing is left to plan. Write the recipe for the float original.',
    ]));
});

describe('predicted bytes', () => {
  const plan = (text: string) => parseRecipe(text).recipe ?? { default: {}, layers: [], methods: [] };

  it('are the codes, a float32 scale and a zero point per scale', () => {
    // 1152 weights, 16 channels: 1152 + 16·4 + 16; 576 + 16·4 + 8; groups of 32 over 72 inputs: 3 per channel.
    expect(storedBytes(layer('a'), 'int8.channel')).toBe(1232);
    expect(storedBytes(layer('a'), 'int4.channel')).toBe(648);
    expect(storedBytes(layer('a'), 'int4.group32')).toBe(576 + 48 * 4 + 24);
    expect(storedBytes(layer('a'), 'int8.tensor')).toBe(1157);
    expect(storedBytes(layer('a'), 'float')).toBe(4608);
  });

  it('stay what they are when every layer is kept in float', () => {
    expect(plannedBytes(report(layer('a')), plan('{"layers": [{"match": "*", "keep": "float"}]}'))).toBe(
      20000,
    );
  });

  it('count what quantized activations add to a layer', () => {
    const weights = plannedBytes(
      report(layer('a')),
      plan('{"default": {"weights": "int8.channel", "activations": "float"}}'),
    );
    const both = plannedBytes(report(layer('a')), plan(perChannel));
    expect(weights).toBeLessThan(both);
    expect(both).toBeLessThan(20000);
  });
});
