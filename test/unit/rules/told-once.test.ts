/** Findings of a file that many operators share are told once, name what they are about, and advise what helps there. */
import { describe, expect, it } from 'vitest';
import type {
  AnalysisReport,
  ErrorMetrics,
  LayerReport,
  QuantizedModelFacts,
} from '../../../server/src/protocol/reports';
import { findingsOf } from '../../../server/src/rules/model-view';
import { line } from '../../../server/src/rules/words';
import { cases } from './cases';
import { layer, report } from './fixtures';

const nothing: QuantizedModelFacts = { quantizers: 4, separated: [], operands: [], zeros: [] };

function said(code: string, one: AnalysisReport): readonly string[] {
  return findingsOf(one, undefined)
    .filter((each) => each.code === code)
    .map(line);
}

function file(facts: Partial<QuantizedModelFacts>, ...layers: readonly LayerReport[]): AnalysisReport {
  return { ...report(...layers), quantization: { ...nothing, ...facts } };
}

describe('M05 of a file', () => {
  const scales = [0.5, 0.0625];
  const join = (op: string, node: string, readers: readonly string[] = [], own = scales) => ({
    operands: [{ node, op, scales: own, readers }],
  });
  const reader = (sqnr: number) => layer('fc', { localActivations: { file: sqnr } });
  const output = (sqnr: number) => ({
    file: { sqnr, topOneAgreement: null, execution: 'simulated' as const },
  });

  it.each<[what: string, one: AnalysisReport, findings: number]>([
    ['a sum without figures', file(join('Add', '/add')), 0],
    ['a sum in front of a good layer', file(join('Add', '/add', ['fc']), reader(20)), 0],
    ['a sum in front of a poor layer', file(join('QLinearAdd', '/add', ['fc']), reader(19.9)), 1],
    ['a sum of a good output', { ...file(join('Sub', '/sub')), output: output(79) }, 0],
    ['a sum of a poor output', { ...file(join('Sub', '/sub')), output: output(12) }, 1],
    [
      'a good layer under a poor output',
      { ...file(join('Add', '/a', ['fc']), reader(30)), output: output(5) },
      0,
    ],
    ['a Concat without figures', file(join('Concat', '/cat')), 1],
    ['a Concat in front of a good layer', file(join('QLinearConcat', '/cat', ['fc']), reader(20)), 0],
    ['a Where in front of a poor layer', file(join('Where', '/where', ['fc']), reader(8)), 1],
    ['scales that are near', file(join('Concat', '/cat', [], [0.5, 0.125])), 0],
  ])('%s: %#', (_, one, findings) => expect(said('M05', one)).toHaveLength(findings));

  it('never advises a sum to share a scale, which costs the finer operand its bits', () => {
    const [text = ''] = said('M05', file(join('Add', '/add', ['fc']), reader(12)));
    expect(text).toBe(
      '/add: the operands of this Add have scales 0.500 and 0.0625 (8.0×): the rounding of the coarser one hides 3.0 bits of the finer one; the activation alone leaves 12.0 dB at the layer behind. Use 16-bit activations there, or keep it in float.',
    );
  });

  it('tells many at once, the worst first', () => {
    const operands = ['/a', '/b', '/c'].map((node, index) => ({
      node,
      op: 'Add',
      scales: [0.5 * (index + 1), 0.0625],
      readers: [],
    }));
    const told = said('M05', { ...file({ operands }), output: output(9) });
    expect(told).toEqual([
      expect.stringContaining('the output keeps 9.0 dB; so at 3 operators (/c, /b, /a). Use 16-bit'),
    ]);
  });
});

it('M04 names the operators it holds for', () => {
  const separated = ['a', 'b'].map((name) => ({
    node: `/${name}/Conv`,
    op: 'Conv',
    activation: `/${name}/Relu`,
  }));
  expect(said('M04', file({ separated }, layer('a')))).toEqual([
    'a: a quantizer stands between this Conv and "/a/Relu"; so in 2 operators (a, /b/Conv). Quantize behind the activation function only.',
  ]);
});

it('M06 names the tensors it holds for, those of another cause apart', () => {
  const zeros = [
    { node: '/p', tensor: 'p', becomes: 0.1, because: 'padding' as const },
    { node: '/q', tensor: 'q', becomes: -6, because: 'padding' as const },
    { node: '/d', tensor: 'd', becomes: 0.5, because: 'pair' as const },
  ];
  expect(said('M06', file({ zeros }))).toEqual([
    '/q: "q" is padded with another number than the code of 0: 0 becomes -6.00; so in 2 tensors (q, p). Pad with the zero point.',
    '/d: QuantizeLinear and DequantizeLinear of "d" have different zero points: 0 becomes 0.500. Use one for both.',
  ]);
});

it('M26 names its layers once for a scheme', () => {
  const figures = (normRatio: number): ErrorMetrics => ({
    mse: 0.01,
    cosine: 0.995,
    normRatio,
    meanShift: 0,
  });
  const of = (name: string, scheme: string, ratio: number) =>
    layer(name, { metrics: { [scheme]: figures(ratio) } });
  const layers = [of('a', 'w8a8', 0.94), of('b', 'w8a8', 1.08), of('c', 'w4a8', 0.9), of('d', 'w8a8', 0.99)];
  expect(said('M26', report(...layers))).toEqual([
    'b: w8a8: cosine 0.9950 looks fine, yet the output of "b" is 1.080× as long as it should be; so in 2 layers (b, a). Judge it by SQNR; look for clipping.',
    'c: w4a8: cosine 0.9950 looks fine, yet the output of "c" is 0.900× as long as it should be. Judge it by SQNR; look for clipping.',
  ]);
});

it.each([
  [19.9, 52, 1],
  [52, 19.9, 1],
  [20, 20, 0],
  [50.3, 52.1, 0],
])('M27 of %d dB against %d dB: %d findings', (predicted, measured, expected) => {
  const one = cases.M27?.speaks.report ?? report();
  const { w4a4 } = one.output ?? {};
  if (!w4a4?.additivity) throw new Error('no case');
  const output = { w4a4: { ...w4a4, additivity: { ...w4a4.additivity, predicted, measured } } };
  expect(said('M27', { ...one, output })).toHaveLength(expected);
});
