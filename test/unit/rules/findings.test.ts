/**
 * Every finding speaks on one model and is silent on one that differs in the decisive fact; it is silent where facts are
 * missing; thresholds move it; comments silence it; a gain is stated only where it was measured.
 */
import { describe, expect, it } from 'vitest';
import { issue } from '../../../server/src/engine/base/issue';
import { parseRecipe } from '../../../server/src/engine/format/recipe';
import { findingFamilies, findingUrl } from '../../../server/src/protocol/families';
import type { RemedyGain } from '../../../server/src/protocol/remedies';
import type { AnalysisReport, InputChannels } from '../../../server/src/protocol/reports';
import { examples } from '../../../server/src/rules/examples';
import { modelRules } from '../../../server/src/rules/index';
import { findingsOf } from '../../../server/src/rules/model-view';
import { recipeFindings } from '../../../server/src/rules/recipe-documentation';
import { questionsFor, remedies } from '../../../server/src/rules/remedies';
import { scriptExamples } from '../../../server/src/rules/script/examples';
import { scriptRules } from '../../../server/src/rules/script/index';
import { limitsOf, thresholdTable } from '../../../server/src/rules/thresholds';
import { line, reported } from '../../../server/src/rules/words';
import { type Case, cases } from './cases';
import { layer, report } from './fixtures';

const found = ({ report: one, recipe }: Case, thresholds: Readonly<Record<string, number>> = {}) =>
  findingsOf(one, recipe === undefined ? undefined : parseRecipe(recipe).recipe, {}, thresholds);
const ofCode = (code: string, one: Case, thresholds?: Readonly<Record<string, number>>) =>
  found(one, thresholds).filter((each) => each.code === code);

describe.each(Object.entries(cases))('%s', (code, { speaks, says, silent }) => {
  it('says what it found', () => expect(ofCode(code, speaks).map(line)).toEqual([says]));
  it('is silent otherwise', () => expect(ofCode(code, silent)).toEqual([]));
  it('is silent where facts are missing', () => {
    const bare = speaks.report.layers.map(
      ({ facts: _, activation: __, metrics: ___, quantized: ____, ...rest }) => rest,
    );
    const { output: _, attention: __, joined: ____, ...rest } = speaks.report;
    // What the plan alone shows needs no facts of the layer.
    const ofPlan = ['M17', 'M18'];
    const left = ofCode(code, { ...speaks, report: { ...rest, data: null, layers: bare } });
    expect(left).toHaveLength(ofPlan.includes(code) ? 1 : 0);
  });
});

describe('what stands in two places', () => {
  const documented: readonly string[] = [...modelRules, ...recipeFindings, ...scriptRules].map(
    ({ code }) => code,
  );
  const inFamilies = Object.values(findingFamilies).flat();

  it('every finding has exactly one page, and pages explain nothing else', () => {
    expect([...inFamilies].sort()).toEqual([...documented].sort());
  });
  it('every finding has an example for its page', () => {
    expect(documented.filter((code) => !(code in examples) && !(code in scriptExamples))).toEqual([]);
  });
  it('addresses lead to the section', () => {
    expect(findingUrl('M16')).toMatch(/docs\/findings\/weights\.md#m16$/);
    expect(findingUrl('file-not-found')).toMatch(/docs\/findings\.md$/);
  });
  it('every remedy that is measured is a fix of its findings', () => {
    const rules = new Map<string, readonly string[]>(modelRules.map(({ code, fixes }) => [code, fixes]));
    const missing = remedies.flatMap(({ fix, codes }) =>
      codes.filter((code) => !rules.get(code)?.includes(fix)),
    );
    expect(missing).toEqual([]);
  });
});

describe('figures that are no measure', () => {
  const spread = (channelSpread: number, tensor: number, channel: number) => {
    const facts = { channelSpread, folded: { 'int8.tensor': tensor, 'int8.channel': channel } };
    const whole = { 'int4.tensor': 13, 'int4.channel': 17, ...facts.folded };
    return ofCode('M01', { report: report(layer('a', {}, { channelSpread, folded: whole })) }).map(line);
  };
  it('scales per channel that gain nothing are not offered', () => expect(spread(40, 0, 0)).toEqual([]));
  it('of a weight that is one channel are said to be its own', () =>
    expect(spread(4e29, 120, 120)).toEqual([
      expect.stringMatching(
        /4\.0e\+29× the median channel\. The weight's 120\.0 dB tell of this channel alone/,
      ),
    ]));
  const { M27 } = cases;
  it.each([
    [99, 1],
    [100, 0],
    [120, 0],
  ])('effects that add up to no noise at %d dB: %d findings', (measured, expected) => {
    const { output, ...rest } = M27?.speaks.report ?? report();
    const { w4a4 } = output ?? {};
    if (!w4a4?.additivity) throw new Error('no case');
    const additivity = { ...w4a4.additivity, measured };
    const one = { ...rest, output: { w4a4: { ...w4a4, additivity } } };
    expect(ofCode('M27', { report: one })).toHaveLength(expected);
  });
});

describe('M14 of one channel', () => {
  const seen: InputChannels = { count: 64, widest: 9, peak: 34, median: 2, share: 1 };
  const said = (parts: Partial<InputChannels>, rest: Partial<AnalysisReport> = {}, recipe = int8) =>
    ofCode('M14', {
      report: { ...report(layer('a', { inputChannels: { ...seen, ...parts } })), ...rest },
      recipe,
    }).map(line);
  const int8 =
    '{"model": "m.onnx", "default": {"weights": "int8.channel", "activations": "uint8.tensor", "estimator": "mse"}}';
  const data = { source: 'images', samples: 32 };
  const tried = (after: number): RemedyGain => ({
    fix: 'activations-16-bit',
    layers: ['a'],
    output: { of: 'output', before: 10, after, data },
  });
  it('tells how far it is out and what is left to the others', () =>
    expect(said({})).toEqual([
      'a: channel 9 of the 64 of the activation is the widest on every sample: it reaches 34.0, 17.0× as far as the median channel, which is left with 15 of 256 levels. Use 16-bit activations.',
    ]));
  it.each<readonly [string, Partial<InputChannels>, Partial<AnalysisReport>, string | undefined, number]>([
    ['no further than the threshold', { peak: 32 }, {}, undefined, 0],
    ['another one on every fifth sample', { share: 0.8 }, {}, undefined, 0],
    ['on nine of ten', { share: 0.9 }, {}, undefined, 1],
    ['under 16 bits', {}, {}, int8.replace('uint8', 'uint16'), 0],
    ['in float', {}, {}, int8.replace('uint8.tensor', 'float'), 0],
    ['where 16 bits gain', {}, { data, remedies: [tried(12)] }, undefined, 1],
    ['where 16 bits gain nothing', {}, { data, remedies: [tried(10)] }, undefined, 0],
  ])('%s', (_, parts, rest, recipe, expected) => expect(said(parts, rest, recipe)).toHaveLength(expected));
  it('costs what was measured at the layer, whatever the output shows', () => {
    const [one] = report(layer('a', { inputChannels: seen, localActivations: { w8a8: 12 } })).layers;
    const layers = one ? [one] : [];
    expect(said({}, { layers, data, remedies: [tried(10)] })).toEqual([
      expect.stringContaining('Tried without gain: use 16-bit activations'),
    ]);
  });
  it.each([
    [2, 0.04, 1],
    [2, 30, 0],
    [16, 0.04, 0],
  ])(
    'with %i effective levels and %s dB of what differs between samples',
    (effectiveLevels, varying, expected) => {
      const activation = {
        tensor: 't',
        min: 0,
        max: 34,
        mean: 1,
        std: 2,
        p999: 30,
        p9999: 33,
        effectiveLevels,
        levels: 256,
        clippedShare: 0,
      };
      const { layers } = report(
        layer('a', { inputChannels: seen, activation, localActivations: { w8a8: 59 } }),
      );
      const output = { w8a8: { sqnr: 47, varying, topOneAgreement: 1, execution: 'simulated' } } as const;
      const lines = said({}, { layers, data, output, remedies: [tried(10)] });
      expect(lines).toHaveLength(expected);
      expect(lines.join('')).not.toContain('without gain');
    },
  );
  it('is M05 where a Concat brought it', () => {
    const { joined } = cases.M05?.speaks.report ?? {};
    expect(said({}, { joined })).toEqual([]);
  });
  it('is answered by 16 bits, which are tried, and by no other range', () => {
    const one = report(layer('a', { inputChannels: seen }));
    const fixes = found({ report: one, recipe: int8 }).map((each) => reported(each).fixes);
    expect(fixes).toEqual([['activations-16-bit', 'keep-float']]);
    expect(questionsFor(found({ report: one, recipe: int8 }), 'min-max')).toEqual([
      { fix: 'activations-16-bit', layers: ['a'] },
    ]);
  });
});

describe('M05 of a plan', () => {
  const { speaks } = cases.M05 ?? {};
  const operand = (tensor: string, min: number, max: number) => ({ tensor, min, max });
  const said = (
    operands: readonly ReturnType<typeof operand>[],
    remedies: readonly RemedyGain[] = [],
    recipe = speaks?.recipe,
  ) => {
    const one = speaks?.report ?? report();
    const joined = (one.joined ?? []).map((each) => ({ ...each, operands }));
    return ofCode('M05', { report: { ...one, joined, remedies }, recipe });
  };
  const data = { source: 'images', samples: 32 };
  const tried = (after: number): readonly RemedyGain[] => [
    { fix: 'activations-16-bit', layers: ['a'], output: { of: 'output', before: 10, after, data } },
  ];
  const far = [operand('x', -3, 5), operand('y', 0, 1), operand('z', 0, 0)];
  it('takes the widest and the finest, zeros left out, and says so', () =>
    expect(said(far).map(line)).toEqual([
      expect.stringContaining(
        'one scale serves "y" and "x", whose ranges differ, and the finer one loses 3.0 bits',
      ),
    ]));
  it('counts 0 to every range', () =>
    expect(said([operand('x', 9, 10), operand('y', 2.6, 2.7)])).toEqual([]));
  it('speaks where 16 bits gain, and where its cost was measured at the layer', () => {
    expect(said(far, tried(12)).map(line)).toEqual([expect.not.stringContaining('Tried without gain')]);
    expect(said(far, tried(10)).map(line)).toEqual([
      expect.stringContaining('leaves 19.9 dB here. Tried without gain: use 16-bit activations'),
    ]);
  });
  it('is silent where nothing was measured at the layer and 16 bits gain nothing', () => {
    const one = speaks?.report ?? report();
    const layers = one.layers.map(({ localActivations: _, ...rest }) => rest);
    const unmeasured = (remedies: readonly RemedyGain[]) =>
      ofCode('M05', { report: { ...one, layers, remedies }, recipe: speaks?.recipe });
    expect(unmeasured(tried(10))).toEqual([]);
    expect(unmeasured(tried(12))).toHaveLength(1);
  });
  it('is silent under 16 bits', () =>
    expect(said(far, [], speaks?.recipe?.replace('uint8', 'uint16'))).toEqual([]));
});

describe('M24', () => {
  const { M24 } = cases;
  const moved = (sqnr: number, issues: AnalysisReport['issues'] = []) => {
    const { report: one = report(), recipe } = M24?.speaks ?? {};
    const layers = one.layers.map((each) => ({ ...each, local: { w8a8: sqnr } }));
    return ofCode('M24', { report: { ...one, layers, issues }, recipe });
  };
  it.each([
    [19.9, 1],
    [20, 0],
    [54, 0],
  ])('at a layer of %d dB: %d findings', (sqnr, expected) => expect(moved(sqnr)).toHaveLength(expected));
  it.each([
    ['this layer', 'a', 0],
    ['another', 'b', 1],
  ])('where the file has another weight in %s', (_, name, expected) => {
    const differs = issue('weight-differs', { layer: name, sqnr: -3, transposed: true }, { layer: name });
    expect(moved(12, [differs])).toHaveLength(expected);
  });
});

describe('M17 in other formats', () => {
  const said = (format: string, ...layers: readonly string[]) =>
    ofCode('M17', {
      report: report(...layers.map((name) => layer(name))),
      recipe: `{"model": "m.onnx", "default": {"weights": "${format}", "activations": "float"}}`,
    }).map(line);
  it.each([
    [
      'int4.group32',
      'a: the only layer is planned with 4 bits: 19.0 dB against 42.0 dB at 8 bits (measured on the weight). Keep it at 8 bits.',
    ],
    // Not measured: no figure of another format in its place.
    ['int4.group16', 'a: the only layer is planned with 4 bits. Keep it at 8 bits.'],
    ['uint4.channel', 'a: the only layer is planned with 4 bits. Keep it at 8 bits.'],
  ])('%s', (format, expected) => expect(said(format, 'a')).toEqual([expected]));
});

describe('thresholds', () => {
  it('have defaults within their bounds', () => {
    const wrong = Object.entries(thresholdTable(modelRules)).filter(
      ([, { default: value, minimum, maximum }]) => !(minimum <= value && value <= maximum),
    );
    expect(wrong).toEqual([]);
  });
  it('move what a finding speaks of', () => {
    const { speaks } = cases.M01 ?? {};
    if (!speaks) throw new Error('no case');
    expect(ofCode('M01', speaks, { 'M01.spread': 12 })).toEqual([]);
    expect(ofCode('M01', speaks, { 'M01.spread': 0.5 })).toHaveLength(1);
  });
  it('outside their bounds keep the default', () => {
    const rule = modelRules.find(({ code }) => code === 'M01');
    expect(rule && limitsOf(rule, { 'M01.spread': 0.5, 'M01.channelSqnr': 20 })).toEqual({
      spread: 8,
      channelSqnr: 20,
    });
  });
});

describe('comments in a recipe', () => {
  const wide = report(layer('a', {}, { channelSpread: 40 }), layer('b', {}, { channelSpread: 40 }));
  const text = (parts: { top?: string; base?: string; above?: string; rule?: string }) => `${parts.top ?? ''}
{ "model": "m.onnx",
  "default": {"weights": "int8.tensor"}, ${parts.base ?? ''}
  "layers": [
    ${parts.above ?? ''}
    {"match": "b", "weights": "int8.tensor"} ${parts.rule ?? ''}
  ] }`;
  const left = (recipe: string) => ofCode('M01', { report: wide, recipe }).map(({ anchor }) => anchor.layer);
  it.each([
    ['none', {}, ['a', 'b']],
    ['on the line of the rule', { rule: '// quantlens: ignore[M01]' }, ['a']],
    ['above the rule', { above: '// quantlens: ignore[M13, M01]' }, ['a']],
    ['at the default', { base: '/* quantlens: ignore[M01] */' }, ['b']],
    ['on top', { top: '// quantlens: ignore[M01]' }, []],
    ['of all codes', { rule: '// quantlens: ignore' }, ['a']],
    ['of another code', { rule: '// quantlens: ignore[M02]' }, ['a', 'b']],
    ['in a text', { rule: ', "//": "quantlens: ignore[M01]"' }, ['a', 'b']],
  ] as const)('%s', (_, parts, expected) => expect(left(text(parts))).toEqual(expected));
});

describe('gains', () => {
  const data = { source: 'images', samples: 32 };
  const gain: RemedyGain = {
    fix: 'per-channel-weights',
    layers: ['a'],
    output: { of: 'output', before: 4.2, after: 21.8, layers: 1, data },
    local: { a: { of: 'local', before: 20, after: 40, data } },
  };
  const wide = report(layer('a', {}, { channelSpread: 40 }), layer('b', {}, { channelSpread: 40 }));
  const said = (gains: readonly RemedyGain[]) =>
    found({ report: { ...wide, remedies: gains } })
      .filter(({ code }) => code === 'M01')
      .map(line);
  it('are stated on the layers they were measured on', () => {
    expect(said([gain])).toEqual([
      expect.stringMatching(
        /^a: .*At this layer 20\.0 dB → 40\.0 dB \(measured on 32 samples\), at the output 4\.2 dB → 21\.8 dB/,
      ),
      expect.not.stringContaining('output'),
    ]);
  });
  it('after calibrating again say so once', () => {
    const given = 'recalibrated';
    const output = { ...gain.output, given } as const;
    const local = { a: { of: 'local', before: 20, after: 40, given, data } } as const;
    const [first] = said([{ ...gain, output, local }]);
    expect(first?.match(/calibrated again/gi)).toHaveLength(1);
  });
  it('of another remedy are not', () => {
    expect(said([{ ...gain, fix: 'estimator-mse' }]).join()).not.toContain('output');
  });
  it('are asked for once per remedy: all layers found, and the network where it was found', () => {
    const depthwise = { depthwise: true };
    const one = report(
      layer('a', depthwise, { channelSpread: 40 }),
      layer('b', depthwise),
      layer('c', {}, { channelSpread: 40 }),
    );
    expect(questionsFor(found({ report: one }))).toEqual([
      { fix: 'per-channel-weights' },
      { fix: 'per-channel-weights', layers: ['a', 'c'] },
    ]);
  });
  it('of a file are measured on the file itself where one change of it suffices', () => {
    expect(questionsFor(found({ report: wide }), 'min-max', true)).toEqual([]);
  });
  it('at the output that are none are said to be none', () => {
    const none = { of: 'output', before: 35.8, after: 35.82, data } as const;
    expect(said([{ fix: 'per-channel-weights', layers: ['a'], output: none }])[0]).toMatch(
      /Tried without gain: at the output 35\.8 dB → 35\.8 dB \(measured on 32 samples\)\.$/,
    );
  });
  it('are not asked for where no format helps', () => {
    const { speaks } = cases.M07 ?? {};
    expect(speaks && questionsFor(found(speaks))).toEqual([]);
  });
});

describe('what a finding offers', () => {
  const data = { source: 'images', samples: 32 };
  const activation = {
    tensor: 'x',
    min: -4,
    max: 50,
    mean: 0,
    std: 1,
    p9999: 4,
    clippedShare: 0,
    effectiveLevels: 20,
    levels: 256,
    rangeVariation: 0,
  };
  const poor = report(layer('a', { activation }));
  const planned = (estimator: string) =>
    `{"model": "m.onnx", "default": {"weights": "int8.channel", "activations": "uint8.tensor", "estimator": "${estimator}"}}`;
  const tried = (after: number): RemedyGain => ({
    fix: 'estimator-mse',
    output: { of: 'output', before: 10, after, data },
  });
  const offered = (one: Case) =>
    found(one)
      .filter(({ code }) => code === 'M14' || code === 'M15')
      .map((each) => [each.code, ...reported(each).fixes].join(' '));
  it.each([
    ['nothing could be tried', poor, 'min-max', ['M14 estimator-mse keep-float', 'M15 estimator-mse']],
    ['nothing was tried', { ...poor, data }, 'min-max', ['M14 keep-float', 'M15']],
    [
      'it gains',
      { ...poor, data, remedies: [tried(12)] },
      'min-max',
      ['M14 estimator-mse keep-float', 'M15 estimator-mse'],
    ],
    ['it gains nothing', { ...poor, data, remedies: [tried(10)] }, 'min-max', ['M14 keep-float', 'M15']],
    ['the plan has it', poor, 'mse', ['M14 keep-float']],
    [
      'noise was used',
      { ...poor, data: { ...data, source: 'random' } },
      'min-max',
      ['M14 estimator-mse keep-float', 'M15 estimator-mse'],
    ],
  ] as const)('where %s', (_, one, estimator, expected) => {
    expect(offered({ report: one, recipe: planned(estimator) })).toEqual(expected);
  });
  it('is not what was measured under, without a recipe', () => {
    const one = { ...poor, data: { ...data, estimator: 'mse' } };
    expect(offered({ report: one })).toEqual(['M14 keep-float']);
    expect(questionsFor(found({ report: poor }), 'mse')).toEqual([]);
    expect(questionsFor(found({ report: poor }), 'min-max')).toEqual([{ fix: 'estimator-mse' }]);
  });
  it('is one finding for all layers that use few levels, told at the one that loses most', () => {
    const few = (name: string, effectiveLevels: number) =>
      layer(name, { activation: { ...activation, effectiveLevels } });
    const layers = report(few('a', 30), few('b', 16), few('c', 20), layer('d'));
    expect(ofCode('M15', { report: layers, recipe: planned('min-max') }).map(line)).toEqual([
      'b: 16 of 256 levels do the work: 4.0 bits wasted; so in 3 layers (b, c, a). Estimate ranges by mse.',
    ]);
  });
  it('is said: ranges are estimated by error already', () => {
    const said = found({ report: poor, recipe: planned('mse') }).map(line);
    expect(said).toEqual([
      expect.stringMatching(/Ranges are estimated by mse already; keep the layer in float/),
    ]);
  });

  it('is the recipe itself where there is none: one scale per tensor is then an assumption', () => {
    const wide = report(layer('a', { depthwise: true }, { channelSpread: 40 }));
    const without = found({ report: wide });
    expect(without.map(line)).toEqual([
      expect.stringMatching(
        /^if weights had one scale per tensor: 1 of 1 layers are depthwise with channels/,
      ),
      expect.stringMatching(
        /^a: if weights had one scale per tensor, int8 would lose 5\.3 bits: .* Per-channel weights, the default of a recipe, make it 38\.0 dB → 42\.0 dB/,
      ),
    ]);
    expect(without.map((one) => reported(one).fixes)).toEqual([
      ['per-channel-weights'],
      ['per-channel-weights'],
    ]);
    expect(without.map(({ severity }) => severity)).toEqual(['information', 'information']);
    const weights = '{"model": "m.onnx", "default": {"weights": "int8.tensor"}}';
    const stated = found({ report: wide, recipe: weights });
    expect(stated.map(line).join()).not.toContain('if weights');
    expect(stated.map((one) => reported(one).fixes)).toEqual([
      ['per-channel-weights'],
      ['per-channel-weights', 'keep-float'],
    ]);
  });
});

describe('the order of findings', () => {
  const data = { source: 'images', samples: 32 };
  const gain = (after: number) => ({ of: 'output', before: 4, after, data }) as const;
  const low = { tensor: 'x', min: -4, max: 5, mean: 0, std: 1, p9999: 4, clippedShare: 0 };
  const wide = layer('a', {}, { channelSpread: 40 });
  const poor = layer('b', {
    activation: { ...low, effectiveLevels: 20, levels: 256, rangeVariation: 0 },
  });
  const text =
    '{"model": "m.onnx", "default": {"weights": "int8.tensor", "activations": "uint8.tensor", "estimator": "min-max"}}';
  const codes = (remedies: readonly RemedyGain[]) =>
    found({ report: { ...report(wide, poor), data, remedies }, recipe: text }).map(({ code }) => code);
  it('is that of the measured gains at the output, then of severity', () => {
    const channels: RemedyGain = { fix: 'per-channel-weights', layers: ['a'], output: gain(6) };
    expect(codes([channels, { fix: 'estimator-mse', output: gain(20) }])).toEqual(['M15', 'M01']);
    expect(codes([channels, { fix: 'estimator-mse', output: gain(5) }])).toEqual(['M01', 'M15']);
    expect(codes([{ fix: 'estimator-mse', output: gain(3) }])).toEqual(['M01', 'M15']);
  });
});
