/**
 * A picture on its way into a network: what was done to it, in the terms of the calibration data of this project:
 * value = (pixel · scale − mean) / std, shorter side resized, centre cropped. Every step gives a new state; what cannot
 * be said in these terms is kept as a doubt, never guessed.
 */
import type { PreprocessingSpec } from '../protocol/reports';
import type { Span } from './syntax';

export type PreprocessingKey = keyof PreprocessingSpec;

/** Why a pipeline is not, or not quite, what its figures say. Words are made elsewhere. */
export type DoubtKind =
  /** A step that is not known; its name is the detail. */
  | 'unknown-step'
  /** An argument that is not a constant: `Normalize(mean)`. */
  | 'unknown-value'
  /** Random steps are left out; the first is the detail. */
  | 'random'
  /** Both sides are resized to their own size, `224 × 224`: the picture is squashed, here it is cropped. */
  | 'squashed'
  /** Height and width differ, which resize and crop cannot say. */
  | 'not-square'
  /** Cropped before it is resized: the size of the crop. */
  | 'cropped-first'
  /** Other than bilinear: `bicubic`. */
  | 'interpolation'
  /** Turned to grey and back to three channels. */
  | 'grey'
  /** Constants that come with a pretrained model and are not in the script. */
  | 'from-checkpoint'
  /** A data set that is no folder of pictures: `CIFAR10`. */
  | 'no-pictures'
  /** The path of the data is not a constant. */
  | 'unknown-source';

export interface Doubt {
  readonly kind: DoubtKind;
  readonly detail: string;
  readonly span: Span;
}

export interface Picture {
  readonly preprocessing: PreprocessingSpec;
  /** The steps that settle each value. */
  readonly evidence: Readonly<Partial<Record<PreprocessingKey, Span>>>;
  readonly doubts: readonly Doubt[];
  /** Recognised steps. */
  readonly steps: number;
  readonly isRandom: boolean;
  /** File the values come from, where it is one array of samples. */
  readonly source?: { readonly path: string; readonly span: Span };
}

/** A picture just decoded: whole numbers from 0 to 255. */
export function freshPicture(start: PreprocessingSpec = {}, span?: Span): Picture {
  const evidence = span ? Object.fromEntries(Object.keys(start).map((key) => [key, span] as const)) : {};
  return { preprocessing: start, evidence, doubts: [], steps: 0, isRandom: false };
}

export function withValues(picture: Picture, values: PreprocessingSpec, span: Span): Picture {
  const evidence = Object.fromEntries(Object.keys(values).map((key) => [key, span] as const));
  return {
    ...picture,
    preprocessing: { ...picture.preprocessing, ...values },
    evidence: { ...picture.evidence, ...evidence },
    steps: picture.steps + 1,
  };
}

export function withDoubt(picture: Picture, kind: DoubtKind, detail: string, span: Span): Picture {
  const known = picture.doubts.some((one) => one.kind === kind && one.detail === detail);
  return known ? picture : { ...picture, doubts: [...picture.doubts, { kind, detail, span }] };
}

/** A random step: the first is named, all are left out. */
export function withRandom(picture: Picture, name: string, span: Span): Picture {
  const named = picture.isRandom ? picture : withDoubt(picture, 'random', name, span);
  return { ...named, isRandom: true, steps: picture.steps + 1 };
}

/** Channels in the other order: what was subtracted before goes with its channel. */
export function recoloured(picture: Picture, color: 'rgb' | 'bgr', span: Span): Picture {
  const { mean, std } = picture.preprocessing;
  const turned = {
    ...(mean && { mean: [...mean].reverse() }),
    ...(std && { std: [...std].reverse() }),
    color,
  };
  return withValues(picture, turned, span);
}

/** Numbers one per channel, or one for all; undefined for both where they differ in length otherwise. */
function paired(
  one: readonly number[],
  other: readonly number[],
  combine: (a: number, b: number) => number,
): readonly number[] | undefined {
  const length = Math.max(one.length, other.length);
  if ([one, other].some((list) => list.length !== 1 && list.length !== length)) return undefined;
  return Array.from({ length }, (_, at) =>
    combine(one[one.length === 1 ? 0 : at] ?? 0, other[other.length === 1 ? 0 : at] ?? 0),
  );
}

/** Multiplies all values by a factor, or each channel by its own. */
export function multiplied(picture: Picture, factors: readonly number[], span: Span): Picture {
  const { scale = 1, mean, std } = picture.preprocessing;
  const [only] = factors;
  if (only !== undefined && factors.length === 1 && mean === undefined && std === undefined)
    return withValues(picture, { scale: exact(scale * only) }, span);
  const divisors = paired(std ?? [1], factors, (a, b) => exact(a / b));
  if (!divisors?.every((one) => Number.isFinite(one) && one !== 0))
    return withDoubt(picture, 'unknown-value', '×', span);
  return withValues(picture, { scale, std: divisors }, span);
}

export function divided(picture: Picture, divisors: readonly number[], span: Span): Picture {
  const { scale = 1, mean, std } = picture.preprocessing;
  const [only] = divisors;
  if (divisors.some((one) => one === 0)) return withDoubt(picture, 'unknown-value', '÷ 0', span);
  if (only !== undefined && divisors.length === 1 && mean === undefined && std === undefined)
    return withValues(picture, { scale: exact(scale / only) }, span);
  const products = paired(std ?? [1], divisors, (a, b) => exact(a * b));
  return products
    ? withValues(picture, { scale, std: products }, span)
    : withDoubt(picture, 'unknown-value', '÷', span);
}

/** Subtracts; (x·s − m)/d − v = (x·s − (m + v·d))/d. */
export function subtracted(picture: Picture, values: readonly number[], span: Span): Picture {
  const { scale = 1, mean = [0], std } = picture.preprocessing;
  const shift = paired(values, std ?? [1], (a, b) => a * b);
  const sum = shift && paired(mean, shift, (a, b) => exact(a + b));
  return sum
    ? withValues(picture, { scale, mean: sum }, span)
    : withDoubt(picture, 'unknown-value', '−', span);
}

/** `(x − mean) / std` as one step. */
export function normalized(
  picture: Picture,
  mean: readonly number[] | undefined,
  std: readonly number[] | undefined,
  span: Span,
): Picture {
  const { preprocessing } = picture;
  const untouched = preprocessing.mean === undefined && preprocessing.std === undefined;
  // Figures as they are written, without a detour through arithmetic.
  if (untouched)
    return withValues(picture, { ...(mean && { mean: alike(mean) }), ...(std && { std: alike(std) }) }, span);
  const shifted = mean ? subtracted(picture, mean, span) : picture;
  return std ? divided(shifted, std, span) : shifted;
}

/** `(0.5, 0.5, 0.5)` stays as it is; only rounding noise of a product is taken off. */
function alike(values: readonly number[]): readonly number[] {
  return values.map(exact);
}

/** Sixteen digits of a product say more than was meant. */
function exact(value: number): number {
  return Number(value.toPrecision(12)) === value ? value : Number(value.toPrecision(15));
}

/** Shorter side to a size. */
export function resizedShorter(picture: Picture, size: number, span: Span): Picture {
  const { crop } = picture.preprocessing;
  if (crop === undefined) return withValues(picture, { resize: size }, span);
  // What is cut out is a square already; here pictures are resized first.
  return withDoubt(
    withValues(picture, { resize: size, crop: size }, span),
    'cropped-first',
    String(crop),
    span,
  );
}

/** Both sides to sizes of their own. A square is the nearest that resize and crop can say. */
export function squashed(picture: Picture, height: number, width: number, span: Span): Picture {
  const detail = `${height} × ${width}`;
  if (height !== width) return withDoubt(withValues(picture, {}, span), 'not-square', detail, span);
  return withDoubt(withValues(picture, { resize: height, crop: height }, span), 'squashed', detail, span);
}

export function cropped(picture: Picture, height: number, width: number, span: Span): Picture {
  if (height !== width)
    return withDoubt(withValues(picture, {}, span), 'not-square', `${height} × ${width}`, span);
  return withValues(picture, { crop: height }, span);
}
