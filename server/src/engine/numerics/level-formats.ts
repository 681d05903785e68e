/**
 * Weight formats whose levels are not equally spaced or whose scales are not free: one row each, with the reference
 * implementation. A row gets the values that share a scale and gives what remains of them, in float32. They are
 * measured, not exported; `scheme.ts` holds the integer formats.
 */
import { codeRange, fakeQuantizeValue, symmetricScale } from './affine';
import {
  basisLevels,
  fitBasis,
  kMeansLevels,
  levelRounder,
  roundToLevels,
  type SortedValues,
  sortedValues,
} from './codebook';
import { blockScale, type FloatElement, floatElements, roundToElement } from './lowfloat';
import { createRandom } from './random';
import type { Granularity } from './scheme';

/** What formats with a tensor-wide part may ask about the whole weight. */
export interface WholeWeight {
  readonly absMax: number;
  /** The values, or a seeded part of them where there are many. */
  readonly sample: () => SortedValues;
}

/** Writes what remains of values that share a scale. Values are finite. */
export type Rounder = (values: Float32Array, target: Float32Array) => void;

export interface LevelFormat {
  readonly name: string;
  /** Bits of one code. */
  readonly bits: number;
  readonly granularity: Granularity;
  readonly source: string;
  readonly rounder: (whole: WholeWeight) => Rounder;
}

/** Levels of NF4: quantiles of the normal distribution, with an exact zero (QLoRA, Dettmers et al. 2023, appendix E). */
export const nf4Levels = [
  -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
  -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1,
] as const;

const NVFP4_LARGEST = floatElements.e2m1.max * floatElements.e4m3.max;
/** 127 of it are still a float32. */
const LARGEST_POWER = 2 ** 121;
const CODEBOOK_LEVELS = 16;
const CODEBOOK_SEED = 0;

/** The ordered table; a format is one row here and one in docs/formats.md. */
export const levelFormats: readonly LevelFormat[] = [
  fp8('fp8e4m3', floatElements.e4m3, 'channel'),
  fp8('fp8e4m3.channel', floatElements.e4m3, 'channel'),
  fp8('fp8e4m3.tensor', floatElements.e4m3, 'tensor'),
  fp8('fp8e5m2', floatElements.e5m2, 'channel'),
  fp8('fp8e5m2.channel', floatElements.e5m2, 'channel'),
  fp8('fp8e5m2.tensor', floatElements.e5m2, 'tensor'),
  mx('mxfp4', floatElements.e2m1),
  mx('mxfp6e2m3', floatElements.e2m3),
  mx('mxfp6e3m2', floatElements.e3m2),
  mx('mxfp8e4m3', floatElements.e4m3),
  {
    name: 'nvfp4',
    bits: 4,
    granularity: { group: 16 },
    source: 'NVIDIA NVFP4: E4M3 scale per block, float32 scale per tensor',
    rounder: ({ absMax }) => {
      const tensorScale = symmetricScale(absMax, NVFP4_LARGEST);
      return (values, target) => {
        const wanted = Math.fround(absMaxOf(values) / floatElements.e2m1.max / tensorScale);
        roundAll(
          values,
          target,
          floatElements.e2m1,
          roundToElement(wanted, floatElements.e4m3) * tensorScale,
        );
      };
    },
  },
  {
    name: 'nf4',
    bits: 4,
    granularity: { group: 64 },
    source: 'QLoRA, Dettmers et al. 2023: blocks of 64, scale max|w|',
    rounder: () => {
      const round = levelRounder(nf4Levels);
      return (values, target) => round(values, target, symmetricScale(absMaxOf(values), 1));
    },
  },
  {
    name: 'kmeans4',
    bits: 4,
    granularity: 'tensor',
    source: 'Deep Compression, Han et al. 2016: one codebook of 16 levels per tensor',
    rounder: ({ sample }) => {
      const round = levelRounder(kMeansLevels(sample(), CODEBOOK_LEVELS, createRandom(CODEBOOK_SEED)));
      return (values, target) => round(values, target);
    },
  },
  {
    name: 'pow2.int8',
    bits: 8,
    granularity: 'channel',
    source: 'TQT, Jain et al. 2019: the smallest power of two that clips nothing',
    rounder: () => (values, target) => {
      const { min: codeMin, max: codeMax } = codeRange({ bits: 8, signed: true, symmetric: true });
      const scale = Math.min(powerOfTwoAbove(symmetricScale(absMaxOf(values), codeMax)), LARGEST_POWER);
      const parameters = { scale, zeroPoint: 0, codeMin, codeMax };
      for (let i = 0; i < values.length; i++) target[i] = fakeQuantizeValue(values[i] ?? 0, parameters);
    },
  },
  logarithmic('log4', 1, 'LogQuant, Miyashita et al. 2016: ± max|w| · 2^−q, q = 0 … 6, and 0'),
  logarithmic('logsqrt2.4', 2, 'RepQ-ViT, Li et al. 2023: ± max|w| · 2^(−q/2), q = 0 … 6, and 0'),
  {
    name: 'binary',
    bits: 1,
    granularity: 'channel',
    source: 'IR-Net, Qin et al. 2020: sign after balancing and standardising, scale a power of two',
    rounder: () => roundToSigns,
  },
  {
    name: 'lq2',
    bits: 2,
    granularity: 'channel',
    source: 'LQ-Nets, Zhang et al. 2018: ± v1 ± v2, basis by QEM',
    rounder: () => roundToBasis,
  },
];

/** The row of a name, if it is one of this table. */
export function levelFormat(name: string): LevelFormat | undefined {
  return levelFormats.find((one) => one.name === name);
}

/** The smallest power of two that is not below a positive value. */
export function powerOfTwoAbove(value: number): number {
  const below = 2 ** Math.floor(Math.log2(value));
  return below >= value ? below : 2 * below;
}

/**
 * Code of |x| / largest on a logarithmic grid of `steps` levels an octave: −steps · log2, rounded. Codes from `codes` on
 * stand for zero.
 */
export function logarithmicCode(ratio: number, steps: number, codes: number): number {
  const code = ratio > 0 ? Math.round(-steps * Math.log2(ratio)) : codes;
  return Math.min(Math.max(code, 0), codes);
}

function fp8(name: string, element: FloatElement, granularity: 'tensor' | 'channel'): LevelFormat {
  const scaleFor = (absMax: number) => symmetricScale(absMax, element.max);
  return {
    name,
    bits: 8,
    granularity,
    source: 'OCP OFP8 1.0; ONNX opset 19; scale max|w| / largest element',
    rounder: ({ absMax }) => {
      if (granularity === 'tensor') {
        const scale = scaleFor(absMax);
        return (values, target) => roundAll(values, target, element, scale);
      }
      return (values, target) => roundAll(values, target, element, scaleFor(absMaxOf(values)));
    },
  };
}

function mx(name: string, element: FloatElement): LevelFormat {
  return {
    name,
    bits: element.bits,
    granularity: { group: 32 },
    source: 'OCP MX 1.0: E8M0 scale per block',
    rounder: () => (values, target) =>
      roundAll(values, target, element, blockScale(absMaxOf(values), element)),
  };
}

function logarithmic(name: string, steps: number, source: string): LevelFormat {
  // A sign and three bits: seven magnitudes, and one code for zero.
  const codes = 7;
  return {
    name,
    bits: 4,
    granularity: 'channel',
    source,
    rounder: () => (values, target) => {
      const largest = symmetricScale(absMaxOf(values), 1);
      for (let i = 0; i < values.length; i++) {
        const x = values[i] ?? 0;
        const code = logarithmicCode(Math.abs(x) / largest, steps, codes);
        target[i] = code === codes ? 0 : Math.sign(x) * largest * 2 ** (-code / steps);
      }
    },
  };
}

/** w^ = μ + σ · 2^round(log2 E|w~|) · sign(w~) with w~ = (w − μ) / σ: what the binary weight means for w itself. */
function roundToSigns(values: Float32Array, target: Float32Array): void {
  const { mean, deviation, scale } = balanced(values);
  for (let i = 0; i < values.length; i++) {
    target[i] = mean + ((values[i] ?? 0) < mean ? -1 : 1) * deviation * scale;
  }
}

/** Mean and standard deviation of a channel, and the power of two next to E|w~| (1 for a constant channel). */
export function balanced(values: Float32Array): { mean: number; deviation: number; scale: number } {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  const mean = sum / values.length;
  let squares = 0;
  let absolute = 0;
  for (let i = 0; i < values.length; i++) {
    const difference = (values[i] ?? 0) - mean;
    squares += difference * difference;
    absolute += Math.abs(difference);
  }
  const deviation = Math.sqrt(squares / values.length);
  if (deviation === 0) return { mean, deviation, scale: 1 };
  return { mean, deviation, scale: 2 ** Math.round(Math.log2(absolute / values.length / deviation)) };
}

/** Starts as LQ-Nets does, v_i = 0.6745 · σ · 2^i / 2^(K−1), with the channel's own root mean square for σ. */
function roundToBasis(values: Float32Array, target: Float32Array): void {
  const squares = values.reduce((total, x) => total + x * x, 0);
  const start = 0.6745 * Math.sqrt(squares / values.length);
  const basis = fitBasis(sortedValues(values), [start / 2, start], 'signs');
  const levels = [...basisLevels(basis, 'signs')].sort((a, b) => a - b);
  roundToLevels(values, target, levels);
}

function roundAll(values: Float32Array, target: Float32Array, element: FloatElement, scale: number): void {
  if (scale === 0) {
    target.fill(0, 0, values.length);
    return;
  }
  for (let i = 0; i < values.length; i++) {
    target[i] = roundToElement(Math.fround((values[i] ?? 0) / scale), element) * scale;
  }
}

function absMaxOf(values: Float32Array): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i] ?? 0));
  return most;
}
