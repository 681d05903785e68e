/** Findings on files that are quantized already: each speaks on one file and is silent on one that differs in one fact. */
import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../../server/src/engine/format/recipe';
import type {
  AnalysisReport,
  LayerReport,
  QuantizedLayerFacts,
  QuantizedModelFacts,
} from '../../../server/src/protocol/reports';
import { findingsOf } from '../../../server/src/rules/model-view';
import { line } from '../../../server/src/rules/words';
import { layer, report } from './fixtures';

const facts: QuantizedLayerFacts = {
  form: 'qdq',
  weightBits: 8,
  weightSigned: true,
  granularity: 'channel',
  codesUsed: 200,
  effectiveLevels: 120,
  saturatedShare: 0.01,
  zeroPointNonZero: false,
  badScales: 0,
  scaleSpread: 3,
  accumulatorPeak: 1e6,
  pairSumPeak: 30000,
  bias: { scaleError: 1e-8, saturated: 0 },
  inputQuantizer: { tensor: 'x_codes', bits: 8, signed: false, scale: 0.02, zeroPoint: 0 },
  lowestCode: -127,
  highestCode: 127,
  zeroPointsDiffer: false,
  negativeScales: 0,
  fractionalZeroPoints: 0,
  reduction: 72,
  reach: { median: 127, least: 127, channel: 0 },
};

const graph: QuantizedModelFacts = { quantizers: 4, separated: [], operands: [], zeros: [] };

/** A layer of the file; without facts of a float weight, as the file alone has none. */
function stored(name: string, parts: Partial<QuantizedLayerFacts> = {}): LayerReport {
  const { facts: _, weightSqnr: __, ...rest } = layer(name);
  return { ...rest, quantized: { ...facts, ...parts } };
}

function file(layers: readonly LayerReport[], parts: Partial<QuantizedModelFacts> = {}): AnalysisReport {
  return { ...report(...layers), quantization: { ...graph, ...parts } };
}

const inGroups = (parts: Partial<QuantizedLayerFacts>) => {
  const { inputQuantizer: _, pairSumPeak: __, bias: ___, ...rest } = facts;
  const whole: QuantizedLayerFacts = { ...rest, form: 'matmul-n-bits', granularity: 'group', ...parts };
  return { ...stored('a'), quantized: whole };
};

function found(code: string, one: AnalysisReport, recipe?: string): readonly string[] {
  return findingsOf(one, recipe === undefined ? undefined : parseRecipe(recipe).recipe)
    .filter((each) => each.code === code)
    .map((each) => `${each.severity} ${line(each)}`);
}

/** One scale for eight channels, of which so many use few codes. */
const perTensor = (narrow: number): Partial<QuantizedLayerFacts> => ({
  granularity: 'tensor',
  reach: { median: 8, least: 2, channel: 0, narrow, channels: 8 },
});
const operands = (...scales: readonly number[]) => ({ operands: [{ node: '/cat', op: 'Concat', scales }] });
const unfused = {
  unfused: ['a', 'b'].map((name) => ({
    node: `/${name}`,
    op: 'Conv',
    layer: name,
    reason: 'types-differ' as const,
  })),
  conversions: 9,
};

const cases: readonly (readonly [
  code: string,
  speaks: AnalysisReport,
  says: readonly string[],
  silent: AnalysisReport,
])[] = [
  [
    'M01',
    file([stored('a', perTensor(3)), stored('b', perTensor(4)), stored('c', perTensor(1))]),
    [
      'warning b: under one scale for the tensor, 4 of 8 channels use less than an eighth of the codes, and the median channel loses 4.0 bits; so in 2 of 3 layers with one scale for the tensor (b, a). Use per-channel weights.',
    ],
    file([stored('a', perTensor(1)), stored('b', { ...perTensor(4), granularity: 'channel' })]),
  ],
  [
    'M04',
    file([stored('a')], { separated: [{ node: '/a/Conv', op: 'Conv', activation: '/a/Relu' }] }),
    [
      'warning a: a quantizer stands between this Conv and "/a/Relu". Quantize behind the activation function only.',
    ],
    file([stored('a')]),
  ],
  [
    'M05',
    file([stored('a')], operands(0.5, 0.0625)),
    [
      'warning /cat: the operands of this Concat have scales 0.500 and 0.0625 (8.0×) and end under one: the finer one loses 3.0 bits. Let them share a scale.',
    ],
    file([stored('a')], operands(0.5, 0.125)),
  ],
  [
    'M06',
    file([stored('a')], {
      zeros: [
        { node: '/pad', tensor: 'q', becomes: -6, because: 'padding' },
        { node: '/dq', tensor: 'x', becomes: 0.5, because: 'pair' },
      ],
    }),
    [
      'warning /pad: "q" is padded with another number than the code of 0: 0 becomes -6.00. Pad with the zero point.',
      'warning /dq: QuantizeLinear and DequantizeLinear of "x" have different zero points: 0 becomes 0.500. Use one for both.',
    ],
    file([stored('a')]),
  ],
  [
    'M06',
    file([inGroups({ fractionalZeroPoints: 3 })]),
    ['information a: its zero points are no integers, so that 0 has no code of its own. Round them.'],
    file([inGroups({})]),
  ],
  [
    'M08',
    file([stored('a', { zeroPointNonZero: true, zeroPointsDiffer: true }), stored('b')]),
    [
      'information a: 1 of 2 integer layers have weight zero points other than 0 (1 with different ones per channel), which cost a sum over all activations at every run; not every runtime takes them. Symmetric weights avoid it.',
    ],
    // Weights that are dequantized before they are multiplied may have any zero point.
    file([inGroups({ zeroPointNonZero: true })]),
  ],
  [
    'M09',
    file([stored('a', { lowestCode: -128 }), stored('b')]),
    [
      'information a: 1 of 2 integer layers use the weight code −128; TensorFlow Lite and some ARM kernels want −127 … 127.',
    ],
    file([stored('a', { lowestCode: -128, zeroPointNonZero: true })]),
  ],
  [
    'M10',
    file([stored('a', { pairSumPeak: 40000 }), stored('b', { pairSumPeak: 64515 })]),
    [
      'information b: 2 of 2 integer layers: pairs of products can exceed 16 bits on x86 processors without VNNI and are then cut off. Use 7-bit weights (reduce_range) where such processors matter.',
    ],
    file([stored('a', { pairSumPeak: 32640 })]),
  ],
  [
    'M11',
    file([stored('a', { accumulatorPeak: 2 ** 31, reduction: 4608 })]),
    [
      'error a: the int32 accumulator can overflow: 4608 products reach 2.15e+9 of 2.15e+9. Use fewer bits, or split the layer.',
    ],
    file([stored('a', { accumulatorPeak: 2 ** 31 - 1 })]),
  ],
  [
    'M12',
    file([stored('a', { bias: { scaleError: 0.31, saturated: 2 } })]),
    [
      'warning a: the bias scale is 31.00 % off input scale × weight scale and 2 bias codes are cut off at the ends of int32. Requantize the bias with input scale × weight scale.',
    ],
    file([stored('a', { bias: { scaleError: 0.0005, saturated: 0 } })]),
  ],
  [
    'M23',
    file([stored('a'), stored('b')], unfused),
    [
      'information a: 2 Conv run in float between quantizers: its input and output have different 8-bit types; on x64 int8 activations become uint8 unless several operators read them: use uint8 activations (a, b). 9 conversions stay in the graph.',
    ],
    file([stored('a')], { unfused: [] }),
  ],
  [
    'M28',
    file([inGroups({ groupSize: 32, reduction: 72 })]),
    [
      'information a: 1 layer has inputs that are no multiple of the group size (here 72 in groups of 32). Choose a group size that divides them, or pad.',
    ],
    file([inGroups({ groupSize: 32, reduction: 96 })]),
  ],
  [
    'M28',
    file([inGroups({ groupSize: 8, reduction: 96 })]),
    [
      'warning a: 1 layer has groups of only 8 weights: scales take more room than they save, and MatMulNBits starts at 16. Use larger groups.',
    ],
    file([inGroups({ groupSize: 16, reduction: 96 })]),
  ],
  [
    'M28',
    file([inGroups({ groupSize: 32, reduction: 96, negativeScales: 4 })]),
    [
      'information a: 1 layer has negative scales, which not every runtime reads. Store them as positive numbers.',
    ],
    file([inGroups({ groupSize: 32, reduction: 96 })]),
  ],
];

describe.each(cases)('%s', (code, speaks, says, silent) => {
  it('says what it found', () => expect(found(code, speaks)).toEqual(says));
  it('is silent otherwise', () => expect(found(code, silent)).toEqual([]));
  it('is silent on a float model', () => expect(found(code, report(layer('a')))).toEqual([]));
});

describe('M17 of a file', () => {
  const held = (weightSqnr?: number) => {
    const one = inGroups({
      groupSize: 16,
      reduction: 96,
      weightBits: 4,
      ...(weightSqnr === undefined ? {} : { weightSqnr }),
    });
    return file([{ ...one, weightSqnr: layer('a').weightSqnr ?? {} }]);
  };
  it('states the dB of the weight as it is held', () =>
    expect(found('M17', held(23.8))).toEqual([
      'warning a: the only layer is held with 4 bits: 23.8 dB against 42.0 dB at 8 bits (measured on the weight). Keep it at 8 bits.',
    ]));
  it('is silent where they are not known', () => expect(found('M17', held())).toEqual([]));
});

describe('ranges of a file that fitting ones do not better', () => {
  const data = { source: 'images', samples: 32 };
  const seen = { endsShare: 0.01, levels: 256 };
  const judged = (parts: Partial<QuantizedLayerFacts>, after?: number): AnalysisReport => ({
    ...file([{ ...stored('a', parts), localActivations: { file: 12 } }]),
    data,
    ...(after === undefined
      ? {}
      : { remedies: [{ fix: 'recalibrate', output: { of: 'output', before: 6.4, after, data } }] }),
  });
  const clipping = (clippedShare: number) => ({ input: { ...seen, clippedShare, codesUsed: 250 } });
  it.each([
    ['M14', 'clip few values', clipping(5e-5), undefined, 1],
    ['M14', 'clip few values and cost much', clipping(5e-5), 9, 1],
    ['M14', 'clip few values that cost nothing', clipping(5e-5), 6.1, 0],
    ['M14', 'clip many values', clipping(0.02), undefined, 1],
    ['M14', 'clip many values at no cost', clipping(0.02), 6.1, 0],
    ['M15', 'leave codes unused', { input: { ...seen, codesUsed: 47 } }, 9, 1],
    ['M15', 'leave codes unused at no cost', { input: { ...seen, codesUsed: 47 } }, 6.4, 0],
  ] as const)('%s: %s', (code, _, parts, after, expected) =>
    expect(found(code, judged(parts, after))).toHaveLength(expected),
  );
});

describe('layers that no integer kernel computes', () => {
  const extreme: Partial<QuantizedLayerFacts> = {
    accumulatorPeak: 2 ** 33,
    pairSumPeak: 64515,
    zeroPointNonZero: true,
  };
  const wide = { tensor: 'x_codes', bits: 16, signed: false, scale: 1e-4, zeroPoint: 32768 };
  const spoken = (parts: Partial<QuantizedLayerFacts>) => {
    const one = file([stored('a', { ...extreme, ...parts })]);
    return ['M08', 'M09', 'M10', 'M11'].flatMap((code) => found(code, one));
  };
  it('are judged as integer layers when codes of 8 bits meet', () => expect(spoken({})).toHaveLength(3));
  it.each([
    ['16-bit activations', { inputQuantizer: wide }],
    ['16-bit weights', { weightBits: 16 }],
    ['a layer that stayed float', { fused: false }],
  ] as const)('%s are not', (_, parts) => expect(spoken(parts)).toEqual([]));
  it('a transposed convolution is not', () => {
    const one = file([{ ...stored('a', extreme), op: 'ConvTranspose' }]);
    expect(['M08', 'M10', 'M11'].flatMap((code) => found(code, one))).toEqual([]);
  });
  it('4-bit codes that were widened count once the optimised graph tells', () => {
    expect(spoken({ weightBits: 4 })).toEqual([]);
    expect(spoken({ weightBits: 4, fused: true })).toHaveLength(3);
  });
});

describe('findings that depend on a runtime', () => {
  const recipe = '{"model": "m.onnx", "target": "ort-cpu", "default": {"weights": "int8.channel"}}';
  const saturating = file([stored('a', { pairSumPeak: 64515 })]);
  it.each([
    ['M10', saturating],
    ['M23', file([stored('a'), stored('b')], unfused)],
    ['M28', file([inGroups({ groupSize: 32, reduction: 72 })])],
  ] as const)('%s is a warning once the runtime is known', (code, one) => {
    expect(found(code, one)[0]).toMatch(/^information /);
    expect(found(code, one, recipe)[0]).toMatch(/^warning /);
    const own: AnalysisReport = {
      ...one,
      quantization: { ...graph, ...one.quantization, target: 'ort-cpu' },
    };
    expect(found(code, own)[0]).toMatch(/^warning /);
  });
});

it('a layer whose weight alone is quantized, as the file says, is no fault', () => {
  const told = (reason: 'weight-only' | 'input-not-quantized') =>
    found(
      'M23',
      file([stored('a')], { unfused: [{ node: 'n', op: 'Conv', layer: 'a', reason }], conversions: 0 }),
    );
  expect(told('weight-only')).toEqual([]);
  expect(told('input-not-quantized')).toHaveLength(1);
});

it('a file without faults has no findings of its own', () => {
  const own = new Set(cases.map(([code]) => code));
  const one = file([stored('a'), stored('b')], { target: 'ort-cpu', unfused: [], conversions: 2 });
  expect(findingsOf(one, undefined).filter(({ code }) => own.has(code))).toEqual([]);
});
