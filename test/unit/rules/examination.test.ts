/** What a comparison gets beside its figures: one way for the editor and the command line. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../../server/src/engine/index';
import type { ExamineJob } from '../../../server/src/engine/jobs';
import type { LayerReport } from '../../../server/src/protocol/reports';
import { examinedComparison } from '../../../server/src/rules/examination';
import { judgedRecipe, withBaselines } from '../../../server/src/rules/judged-recipe';
import { withExamination } from '../../../server/src/rules/remedies';
import { layer, report } from './fixtures';

const quantized = {
  form: 'qdq',
  weightBits: 8,
  weightSigned: true,
  granularity: 'channel',
  inputQuantizer: { tensor: 'x', bits: 8, signed: false, scale: 0.1, zeroPoint: 3 },
  lowestCode: -127,
  highestCode: 127,
  zeroPointNonZero: false,
  zeroPointsDiffer: false,
  fractionalZeroPoints: 0,
} as unknown as LayerReport['quantized'];

async function compared(source: string, gains = true, parts: object = {}) {
  const jobs: ExamineJob[] = [];
  const plan = { sqnr: 21, agreement: null, samples: 8, local: { a: 30 } };
  const engine = {
    weights: async () => ({ value: report(layer('a')), issues: [] }),
    examine: async (job: ExamineJob) => {
      jobs.push(job);
      return { value: { plan, remedies: [], attention: [] }, issues: [] };
    },
  } as unknown as Engine;
  const { weightSqnr: _, ...bare } = layer('a', {
    quantized: { ...quantized, ...parts } as LayerReport['quantized'],
    local: { file: 12 },
  });
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
  // Findings know by it what has been tried already.
  expect(whole.data?.estimator).toBe(gains ? 'min-max' : undefined);
});

describe('the formats of a file, which a remedy is measured on', () => {
  const unsigned = { weightSigned: false, lowestCode: 0, highestCode: 255, zeroPointNonZero: true };
  const blocks = { form: 'matmul-n-bits', granularity: 'group', inputQuantizer: undefined };
  const reads = (bits: number, signed: boolean, zeroPoint: number | null) => ({
    inputQuantizer: { tensor: 'x', bits, signed, scale: zeroPoint === null ? null : 0.1, zeroPoint },
  });
  const formats = (parts: object) => {
    const one = layer('a', { quantized: { ...quantized, ...parts } as LayerReport['quantized'] });
    const text = judgedRecipe(report(one), undefined, 'min-max');
    if (text === undefined) return undefined;
    const { default: base } = JSON.parse(text);
    return `${base.weights} ${base.activations}`;
  };
  it.each<[what: string, parts: object, expected: string | undefined]>([
    ['signed weights', {}, 'int8.channel uint8.tensor'],
    ['unsigned weights', { ...unsigned, granularity: 'tensor' }, 'uint8.tensor uint8.tensor'],
    ['unsigned weights around the middle', { ...unsigned, lowestCode: 3 }, 'int8.channel uint8.tensor'],
    ['unsigned weights of one sign', { ...unsigned, zeroPointNonZero: false }, 'uint8.channel uint8.tensor'],
    ['a zero point on signed weights', { zeroPointNonZero: true }, 'int8.channel.asym uint8.tensor'],
    ['a bit left to the accumulator', { lowestCode: -64, highestCode: 63 }, 'int7.channel uint8.tensor'],
    ['16-bit activations', reads(16, false, 31923), 'int8.channel uint16.tensor'],
    ['activations around the middle', reads(8, false, 128), 'int8.channel uint8.tensor.sym'],
    ['symmetric signed activations', reads(8, true, 0), 'int8.channel int8.tensor'],
    ['signed activations with a zero point', reads(8, true, -128), 'int8.channel uint8.tensor'],
    ['no quantized activations', { inputQuantizer: undefined }, 'int8.channel float'],
    ['blocks', { ...blocks, weightBits: 4, weightSigned: false, groupSize: 32 }, 'int4.group32 float'],
    [
      'blocks with zero points',
      { ...blocks, weightBits: 4, groupSize: 32, ...unsigned },
      'uint4.group32 float',
    ],
    ['blocks of a size without a name', { ...blocks, groupSize: 35 }, undefined],
    ['zero points that are no integers', { ...blocks, groupSize: 32, fractionalZeroPoints: 1 }, undefined],
    ['ranges of the run', { form: 'dynamic', ...reads(8, false, null) }, undefined],
  ])('%s', (_, parts, expected) => expect(formats(parts)).toBe(expected));
});

describe('a gain on a file', () => {
  const gain = { of: 'output', before: 20, after: 40 } as const;
  const joins = [{ node: '/add', op: 'Add', scales: [0.1, 0.2] }];
  const gains = (file: number, plan: number, parts: object = {}, operands: typeof joins = []) => {
    const one = layer('a', { quantized: { ...quantized, ...parts } as LayerReport['quantized'] });
    const output = { file: { sqnr: file, topOneAgreement: null, execution: 'simulated' as const } };
    const result = {
      plan: { sqnr: plan, agreement: null, samples: 8, local: {} },
      remedies: [{ fix: 'weights-8-bit' as const, output: gain }],
      attention: [],
    };
    const quantization = { quantizers: 2, separated: [], operands, zeros: [] };
    const data = { source: 'images', samples: 8 };
    const { remedies = [] } = withExamination({ ...report(one), output, quantization }, result, data);
    return remedies
      .filter(({ fix }) => fix !== 'recalibrate')
      .map(({ output: { given } }) => given ?? 'as is');
  };
  it.each<[what: string, file: number, plan: number, parts: object, expected: readonly string[]]>([
    ['is that of the file calibrated again', 5, 20, {}, ['recalibrated']],
    ['is none where its formats alone are worse', 21, 20, {}, []],
    ['of weights alone is that of the file', 20.4, 20, { inputQuantizer: undefined }, ['as is']],
    ['is none where its weights were rounded worse', 5, 20, { inputQuantizer: undefined }, []],
  ])('%s', (_, file, plan, parts, expected) => expect(gains(file, plan, parts)).toEqual(expected));
  it('is none where more than its layers may have gained', () => {
    expect(gains(5, 20, {}, joins)).toEqual([]);
    expect(gains(19.9, 20, {}, joins)).toEqual(['recalibrated']);
  });
});

it('measures nothing on formats that no recipe names', async () => {
  const { jobs } = await compared('images', true, { granularity: 'group', groupSize: 35 });
  expect(jobs).toEqual([]);
});

describe('the plan that a remedy starts from', () => {
  const started = (schemes: readonly string[], given?: string) => {
    const figures = { sqnr: 40, topOneAgreement: null, execution: 'simulated' as const };
    const one = {
      ...report(layer('a')),
      output: Object.fromEntries(schemes.map((name) => [name, figures])),
    };
    const text = judgedRecipe(one, given, 'min-max') ?? '';
    const questions = [{ fix: 'activations-16-bit' as const }, { fix: 'per-channel-weights' as const }];
    return withBaselines(questions, one, given, 'min-max').map(({ recipe = text }) => {
      const { weights, activations } = JSON.parse(recipe).default;
      return `${weights} ${activations}`;
    });
  };
  const tensor = 'int8.tensor uint8.tensor';
  it.each<[what: string, schemes: readonly string[], expected: readonly string[]]>([
    ['the measured scheme', ['w8a8'], ['int8.channel uint8.tensor', tensor]],
    ['whatever its formats', ['w4a8'], ['int4.channel uint8.tensor', tensor]],
    ['one that quantizes activations', ['int4.group32', 'w8a8'], ['int8.channel uint8.tensor', tensor]],
    ['the usual one where none was measured', [], ['int8.channel uint8.tensor', tensor]],
  ])('is %s, scales per channel aside', (_, schemes, expected) => expect(started(schemes)).toEqual(expected));
  it('is the recipe where there is one', () => {
    const given = '{"default": {"weights": "int6.tensor", "activations": "uint16.tensor"}}';
    expect(started(['w8a8'], given)).toEqual(['int6.tensor uint16.tensor', 'int6.tensor uint16.tensor']);
  });
});
