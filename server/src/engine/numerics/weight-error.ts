/**
 * SQNR of a weight under min-max quantization for any number of formats at once: the contract's `weightSqnr`, plus
 * the per-channel figures and shape statistics that findings need. No data, no inference.
 */
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { fastWeightSums } from './kernels/weight-sums';
import { type ChannelView, channelView } from './layout';
import { levelNoise } from './level-error';
import { type LevelFormat, levelFormat } from './level-formats';
import { sqnr } from './metrics';
import { parseQuantScheme, type QuantScheme } from './scheme';
import { readerOf, referenceWeightSums, type WeightReader, type WeightSums } from './weight-error-reference';

export { readerOf, type WeightReader } from './weight-error-reference';

export interface WeightErrors {
  /** dB per format name as asked; null where undefined (all zero) or where the weight holds NaN or infinities. */
  readonly sqnr: Readonly<Record<string, number | null>>;
  /** dB per channel for the formats of `channelFormats`. */
  readonly channelSqnr: Readonly<Record<string, readonly (number | null)[]>>;
  readonly statistics: WeightStatistics;
  /** Elements that went through the SIMD kernels; 0 = all sums are the scalar reference's. */
  readonly fastElements: number;
}

export interface WeightStatistics {
  readonly count: number;
  /** NaN and infinities; the other figures leave them out. */
  readonly nonFinite: number;
  /** 0 for a weight without finite elements. */
  readonly min: number;
  readonly max: number;
  /** max|w| per output channel. */
  readonly channelAbsMax: Float32Array;
  /** E(w−μ)⁴ / σ⁴; 3 for a Gaussian, null where σ = 0 or a value is not finite. */
  readonly kurtosis: number | null;
}

export interface WeightErrorOptions {
  /** Name for issues. */
  readonly tensor?: string;
  /** Formats, also listed in `formats`, whose dB is wanted for every channel. */
  readonly channelFormats?: readonly string[];
  /** `scalar` measures with the reference alone; tests hold the kernels against it. */
  readonly kernel?: 'auto' | 'scalar';
}

/**
 * Quantizes and dequantizes a weight in every format and compares.
 * @param data the float32 elements in row-major order, or a reader of pieces for weights that should not be held.
 * @param channelAxis axis of the output channels (Conv 0, ConvTranspose 1, MatMul last), null = one channel.
 * @param formats complete integer names such as `int4.group32`, and names of `level-formats.ts` such as `nf4`.
 * Issues: `scheme-unknown`, `not-implemented` for the formats; `tensor-not-finite` (a value still comes, dB null).
 */
export function weightErrors(
  data: Float32Array | WeightReader,
  shape: readonly number[],
  channelAxis: number | null,
  formats: readonly string[],
  options: WeightErrorOptions = {},
): Outcome<WeightErrors> {
  const schemes: (QuantScheme | LevelFormat)[] = [];
  for (const format of formats) {
    const { value, issues } = measurable(format);
    if (value === undefined) return fail(...issues);
    schemes.push(value);
  }
  const view = channelView(shape, channelAxis);
  const reader = typeof data === 'function' ? data : readerOf(data);
  const sums = measure(reader, view, schemes, options.kernel ?? 'auto');
  const value = {
    sqnr: Object.fromEntries(formats.map((format, index) => [format, totalSqnr(sums, index)])),
    channelSqnr: Object.fromEntries(
      (options.channelFormats ?? []).map((format) => [format, channelSqnr(sums, formats.indexOf(format))]),
    ),
    statistics: statistics(sums, view),
    fastElements: sums.fastElements,
  };
  if (sums.nonFinite === 0) return ok(value);
  const tensor = options.tensor ?? '';
  return ok(value, [issue('tensor-not-finite', { tensor, count: sums.nonFinite }, { tensor }, 'warning')]);
}

function measurable(format: string): Outcome<QuantScheme | LevelFormat> {
  const level = levelFormat(format);
  return level === undefined ? parseQuantScheme(format) : ok(level);
}

/** Sums of all formats: integer ones together, then those with other levels one by one. */
function measure(
  reader: WeightReader,
  view: ChannelView,
  formats: readonly (QuantScheme | LevelFormat)[],
  kernel: 'auto' | 'scalar',
): WeightSums {
  const sums = integerSums(reader, view, formats.filter(isInteger), kernel);
  if (formats.every(isInteger) || sums.nonFinite > 0) return sums;
  const absMax = sums.channelAbsMax.reduce((most, one) => Math.max(most, one), 0);
  const integer = sums.noise.values();
  const noise = formats.map((format) =>
    isInteger(format)
      ? (integer.next().value ?? new Float64Array())
      : levelNoise(reader, view, format, absMax),
  );
  return { ...sums, noise };
}

function isInteger(format: QuantScheme | LevelFormat): format is QuantScheme {
  return 'symmetric' in format;
}

/** Sums by the kernels, or by the reference when they decline. */
function integerSums(
  reader: WeightReader,
  view: ChannelView,
  schemes: readonly QuantScheme[],
  kernel: 'auto' | 'scalar',
): WeightSums {
  const fast = kernel === 'auto' ? fastWeightSums(reader, view, schemes) : undefined;
  return fast ?? referenceWeightSums(reader, view, schemes);
}

function totalSqnr(sums: WeightSums, index: number): number | null {
  if (sums.nonFinite > 0) return null;
  return sqnr({ signal: total(sums.signal), noise: total(sums.noise[index] ?? []) });
}

function channelSqnr(sums: WeightSums, index: number): readonly (number | null)[] {
  const noise = sums.noise[index];
  return Array.from(sums.signal, (signal, channel) =>
    noise === undefined || sums.nonFinite > 0 ? null : sqnr({ signal, noise: noise[channel] ?? 0 }),
  );
}

function statistics(sums: WeightSums, view: ChannelView): WeightStatistics {
  const empty = sums.min > sums.max;
  return {
    count: view.count,
    nonFinite: sums.nonFinite,
    // Adding 0 turns −0 into 0.
    min: empty ? 0 : sums.min + 0,
    max: empty ? 0 : sums.max + 0,
    channelAbsMax: sums.channelAbsMax,
    kurtosis: sums.nonFinite > 0 ? null : kurtosis(sums.powers, view.count),
  };
}

/** Central fourth moment over squared variance from Σx … Σx⁴. */
function kurtosis(powers: Float64Array, count: number): number | null {
  const [m1 = 0, m2 = 0, m3 = 0, m4 = 0] = powers.map((sum) => sum / count);
  const variance = m2 - m1 * m1;
  // What float32 sums leave of a constant weight is not a variance.
  if (!(variance > 1e-5 * m2)) return null;
  return (m4 - 4 * m1 * m3 + 6 * m1 * m1 * m2 - 3 * m1 ** 4) / (variance * variance);
}

function total(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] ?? 0;
  return sum;
}
