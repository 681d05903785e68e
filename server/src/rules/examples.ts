/** One typical case per finding, for the documentation: facts here, words from `words.ts`, so that both stay true. */
import type { IssueFacts } from '../protocol/issues';

const data = { source: 'images/', samples: 32 };

export const examples: { readonly [C in keyof IssueFacts]?: IssueFacts[C] } = {
  M01: {
    spread: 41.3,
    channel: 17,
    because: 'spread',
    worstChannelSqnr: 3.4,
    bitsLost: 5.4,
    bits: 8,
    tensorSqnr: 20.1,
    channelSqnr: 42.3,
    gains: [
      { of: 'weight', before: 20.1, after: 42.3 },
      { of: 'output', before: 4.2, after: 21.8, data },
    ],
  },
  M02: {
    kurtosisBefore: 3.2,
    kurtosisAfter: 31.5,
    gammaSpread: 44.8,
    channel: 4,
    gains: [{ of: 'weight', before: 24.9, after: 41.6 }],
  },
  M03: { batchNorm: '/layer1/bn1/BatchNormalization' },
  M07: {
    min: 0,
    max: 6,
    because: 'symmetric',
    bitsLost: 1,
    gains: [{ of: 'output', before: 24.1, after: 28.3, data }],
  },
  M13: { channels: [3, 17], total: 32 },
  M14: {
    clippedShare: 0,
    peakRatio: 14.2,
    peak: 61.8,
    p9999: 4.35,
    gains: [
      { of: 'local', before: 22.4, after: 31.9, data },
      { of: 'output', before: 18.2, after: 21.4, data },
    ],
  },
  M15: {
    effectiveLevels: 31,
    levels: 256,
    bitsLost: 3.05,
    gains: [{ of: 'local', before: 27.3, after: 29.8, data }],
  },
  M16: { depthwise: 17, total: 53, gain: 14.6, gains: [{ of: 'output', before: 4.2, after: 21.8, data }] },
  M17: { position: 'last', bits: 4, sqnr: 17.2, sqnrAtEight: 42.1 },
  M18: { bits: 4, count: 20, gains: [{ of: 'output', before: 6.8, after: 29.4, data }] },
  M19: { op: 'LayerNormalization', bits: 4, gains: [{ of: 'output', before: 7.7, after: 24.6, data }] },
  M20: { tau: 0.81, rows: 384, matrices: 6 },
  M21: { count: 35, maximum: 6 },
  M22: { spread: 5.4, bits: 8 },
  M24: {
    scheme: 'w8a8',
    shift: 0.34,
    channel: 21,
    gains: [{ of: 'local', before: 17.2, after: 20.9, data }],
  },
  M25: { samples: 8, minimum: 32, variation: 0.17, unstable: 3 },
  M26: { scheme: 'w8a8', cosine: 0.9962, normRatio: 0.921 },
  M27: { scheme: 'w4a4', r2: 0.58 },
  R01: { match: 'layer3.conv9', nearest: 'layer3.conv1' },
  R02: { match: 'fc', format: 'nf4', reason: 'analysis only in this version' },
  R03: { match: 'layer1.*', by: '*' },
  R04: { model: '../resnet20.onnx' },
};
