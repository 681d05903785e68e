/** One model that a finding speaks on and one that differs in the decisive fact, per code; `findings.test.ts` runs them. */
import type {
  ActivationFacts,
  AnalysisReport,
  ErrorMetrics,
  LayerReport,
} from '../../../server/src/protocol/reports';
import { layer, report } from './fixtures';

export interface Case {
  readonly report: AnalysisReport;
  readonly recipe?: string;
}

export interface RuleCases {
  readonly speaks: Case;
  /** What it says, place first. */
  readonly says: string;
  readonly silent: Case;
}

const activation: ActivationFacts = {
  tensor: '/a/Relu',
  min: -4,
  max: 5,
  mean: 0,
  std: 1,
  p9999: 4,
  clippedShare: 0,
  effectiveLevels: 120,
  levels: 256,
  rangeVariation: 0.02,
};

const metrics: ErrorMetrics = { mse: 0.01, cosine: 0.999, normRatio: 1, meanShift: 0 };

const recipe = (weights: string, activations: string, extra = '') =>
  `{"model": "m.onnx", "default": {"weights": "${weights}", "activations": "${activations}", "estimator": "min-max"}${extra}}`;
const perTensor = recipe('int8.tensor', 'uint8.tensor');
const perChannel = recipe('int8.channel', 'uint8.tensor');

const reads = (facts: Partial<ActivationFacts>, parts: Partial<LayerReport> = {}): AnalysisReport =>
  report(layer('a', { activation: { ...activation, ...facts }, ...parts }));
const judged = (facts: Partial<ErrorMetrics>, parts: Partial<LayerReport> = {}): AnalysisReport =>
  report(layer('a', { metrics: { w8a8: { ...metrics, ...facts } }, local: { w8a8: 19 }, ...parts }));
/** Layers that read a Concat of operands of such a ratio, and keep such dB. */
const joins = (ratio: number, sqnr: number): AnalysisReport => ({
  ...report(layer('a', { facts: undefined, localActivations: { w8a8: sqnr } })),
  joined: [
    {
      node: '/cat',
      op: 'Concat',
      readers: ['a'],
      operands: [
        { tensor: '/image', min: -1, max: 1 },
        { tensor: '/depth', min: 0, max: 2 / ratio },
      ],
    },
  ],
});
const on = (samples: number, one: AnalysisReport): AnalysisReport => ({
  ...one,
  data: { source: 'images', samples },
});
const batchNorm = { node: '/bn', gammaSpread: 2, channel: 4, kurtosisBefore: 3, kurtosisAfter: 3 };
const withImages = (spread: number, ops: Readonly<Record<string, number>> = { Conv: 3 }): AnalysisReport => {
  const made = reads({ sampleSpread: spread });
  const outputs = [{ name: 'y', type: 'float', shape: ['N', 3, 64, 64] }];
  return { ...made, model: { ...made.model, outputs, ops } };
};
const added = (ratio: number, error?: number): AnalysisReport => ({
  ...report(layer('a')),
  output: {
    w4a4: {
      sqnr: 10,
      topOneAgreement: null,
      execution: 'simulated',
      additivity: {
        predicted: 8,
        measured: 10,
        ratio,
        basis: 'measured',
        ...(error === undefined ? {} : { error }),
      },
    },
  },
});
const single = { channel: 3, value: 40, ratio: 2000, lost: 70, of: 72 };
const column = (after: number) => ({
  index: 7,
  ratio: 61,
  groups: { int8: { before: 32, after }, int4: { before: 6, after: after - 26 } },
});
const many = (depthwise: number, all: number): AnalysisReport =>
  report(...Array.from({ length: all }, (_, index) => layer(`l${index}`, { depthwise: index < depthwise })));

export const cases: Readonly<Record<string, RuleCases>> = {
  M01: {
    speaks: { report: report(layer('a', {}, { channelSpread: 8.1 })), recipe: perTensor },
    says: 'a: per-tensor int8 loses 3.0 bits: channel 3 is 8.1× the median channel. Per-channel weights: 38.0 dB → 42.0 dB (measured on the weight).',
    silent: { report: report(layer('a', {}, { channelSpread: 8 })), recipe: perTensor },
  },
  M02: {
    speaks: {
      report: report(layer('a', {}, { batchNorm: { ...batchNorm, kurtosisAfter: 9.1 } })),
      recipe: perTensor,
    },
    says: 'a: folding BatchNormalization makes outliers: kurtosis 3.0 → 9.1, |γ/σ| of channel 4 is 2.0× the median. Use per-channel weights: weight 38.0 dB → 42.0 dB (measured on the weight).',
    silent: {
      report: report(layer('a', {}, { batchNorm: { ...batchNorm, kurtosisAfter: 9 } })),
      recipe: perTensor,
    },
  },
  M03: {
    speaks: {
      report: report(layer('a', {}, { batchNorm })),
      recipe: recipe('int8.channel', 'uint8.tensor', ', "methods": ["equalize"]'),
    },
    says: 'a: "/bn" is not folded into this layer. Fold it before quantizing.',
    silent: {
      report: report(layer('a', {}, { batchNorm })),
      recipe: recipe('int8.channel', 'uint8.tensor', ', "methods": ["fold-batchnorm"]'),
    },
  },
  M05: {
    speaks: { report: joins(4.1, 19.9), recipe: perChannel },
    says: 'a: it reads what Concat "/cat" joins: one scale serves "/depth" and "/image", whose ranges differ, and the finer one loses 2.0 bits (4.1×); the activation alone leaves 19.9 dB here. Use 16-bit activations.',
    silent: { report: joins(4.1, 20), recipe: perChannel },
  },
  M07: {
    speaks: { report: reads({ min: 3, max: 5 }), recipe: perChannel },
    says: "a: the activation lies between 3.00 and 5.00: zero is far outside, so 1.3 bits of the codes' range are wasted. Subtract the offset and fold it into the bias.",
    silent: { report: reads({ min: 2.4, max: 5 }), recipe: perChannel },
  },
  M13: {
    speaks: { report: report(layer('a', {}, { deadChannels: [1, 7] })), recipe: perChannel },
    says: 'a: 2 of 16 channels are dead (weights zero or next to zero): 1, 7.',
    silent: { report: report(layer('a')), recipe: perChannel },
  },
  M14: {
    speaks: { report: reads({ max: 41 }), recipe: perChannel },
    says: "a: the activation's peak 41.0 is 10.3× its 99.99th percentile 4.00. Estimate ranges by mse.",
    silent: { report: reads({ max: 40 }), recipe: perChannel },
  },
  M15: {
    speaks: { report: reads({ effectiveLevels: 32 }), recipe: perChannel },
    says: 'a: 32 of 256 levels do the work: 3.0 bits wasted. Estimate ranges by mse.',
    silent: { report: reads({ effectiveLevels: 64 }), recipe: perChannel },
  },
  M16: {
    speaks: { report: many(3, 10), recipe: perTensor },
    says: '3 of 10 quantized layers are depthwise with one weight scale for channels of different range, most of all "l0" (channel 3 is 2.0× the median, 38.0 dB → 42.0 dB), "l1" (channel 3 is 2.0× the median, 38.0 dB → 42.0 dB), "l2" (channel 3 is 2.0× the median, 38.0 dB → 42.0 dB). Per-channel weights gain 4.0 dB on average (measured on the weights).',
    silent: { report: many(2, 10), recipe: perTensor },
  },
  M17: {
    speaks: {
      report: report(layer('a'), layer('b')),
      recipe: recipe('int4.channel', 'float', ', "layers": [{"match": "b", "keep": "float"}]'),
    },
    says: 'a: the first layer is planned with 4 bits: 17.0 dB against 42.0 dB at 8 bits (measured on the weight). Keep it at 8 bits.',
    silent: { report: report(layer('a'), layer('b')), recipe: recipe('int5.channel', 'float') },
  },
  M18: {
    speaks: { report: report(layer('a'), layer('b')), recipe: recipe('int8.channel', 'uint4.tensor') },
    says: 'activations of 2 layers are planned with 4 bits. Use 8-bit activations.',
    silent: { report: report(layer('a'), layer('b')), recipe: recipe('int8.channel', 'uint5.tensor') },
  },
  M19: {
    speaks: {
      report: report(layer('a', {}, { inputFrom: 'LayerNormalization' })),
      recipe: recipe('int8.channel', 'uint6.tensor'),
    },
    says: 'a: the output of LayerNormalization is quantized to 6 uniform bits. Use 8-bit activations or keep the layer in float.',
    silent: {
      report: report(layer('a', {}, { inputFrom: 'LayerNormalization' })),
      recipe: recipe('int8.channel', 'uint7.tensor'),
    },
  },
  M29: {
    speaks: { report: report(layer('a', {}, { element: single })), recipe: perChannel },
    says: "a: one weight of channel 3 (magnitude 40.0) is 2000× the median of its channel: at 8 bits 70 of the channel's 71 others become 0, which the weight's 42.0 dB do not show. Look whether it is meant, or keep the layer in float.",
    silent: { report: report(layer('a', {}, { element: single })), recipe: recipe('int4.group32', 'float') },
  },
  M30: {
    speaks: { report: report(layer('a', { op: 'MatMul' }, { column: column(41) })), recipe: perChannel },
    says: 'a: input column 7 of the weight is 61.0× the median column, so that it decides the scale of every channel. Use one scale per group of 32 inputs (int8.group32), against one per channel: weight 32.0 dB → 41.0 dB (measured on the weight).',
    silent: { report: report(layer('a', { op: 'MatMul' }, { column: column(32) })), recipe: perChannel },
  },
  M20: {
    speaks: {
      report: { ...report(layer('a')), attention: [{ node: '/attn/Softmax', tau: 0.89, rows: 64 }] },
    },
    says: '/attn/Softmax: quantization reorders attention: Kendall τ 0.89 on average over 64 rows. Keep the layers that make queries and keys at 8 bits or in float.',
    silent: { report: { ...report(layer('a')), attention: [{ node: '/attn/Softmax', tau: 0.9, rows: 64 }] } },
  },
  M21: {
    speaks: { report: report(layer('a', {}, { clipMaximum: 6 })), recipe: perChannel },
    says: 'a: 1 layer is followed by Clip(0, 6). The bound is used as the range; when retraining, plain ReLU does better.',
    silent: { report: report(layer('a')), recipe: perChannel },
  },
  M22: {
    speaks: { report: withImages(3.1), recipe: perChannel },
    says: "a: a regression network without normalisation: the activation's standard deviation differs 3.1× between samples under one fixed 8-bit range. Use 16-bit activations or keep it in float.",
    silent: { report: withImages(30, { Conv: 3, BatchNormalization: 1 }), recipe: perChannel },
  },
  M24: {
    speaks: {
      report: judged({ channelShift: { channel: 7, shift: 0.11 }, biasCorrectionGain: 1.5 }),
      recipe: perChannel,
    },
    says: 'a: w8a8 shifts the mean of channel 7 by 0.11 standard deviations. Keep the layer in float, or subtract the shift from the bias of the exported file: at this layer 19.0 dB → 20.5 dB (measured on the weight).',
    silent: { report: judged({ channelShift: { channel: 7, shift: 0.1 } }), recipe: perChannel },
  },
  M25: {
    speaks: { report: on(31, report(layer('a'))), recipe: perChannel },
    says: '31 samples were used; take 32 or more. Add samples like those of the application.',
    silent: { report: on(32, report(layer('a'))), recipe: perChannel },
  },
  M26: {
    speaks: { report: judged({ cosine: 0.995, normRatio: 0.94 }), recipe: perChannel },
    says: 'a: w8a8: cosine 0.9950 looks fine, yet the output of "a" is 0.940× as long as it should be. Judge it by SQNR; look for clipping.',
    silent: { report: judged({ cosine: 0.985, normRatio: 0.94 }), recipe: perChannel },
  },
  M27: {
    speaks: { report: added(1.31, 0.15) },
    says: "w4a4: the layers' own effects add up to 8.0 dB at the output, all layers at once give 10.0 dB: 31 % of the noise amiss (± 15 % over batches of samples). Choose formats by runs of the whole network, or raise the bits.",
    silent: { report: added(1.31, 0.16) },
  },
};
