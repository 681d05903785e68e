/** What the fields on data and preprocessing hold, as text, and what is wrong with it. No elements in here. */
import type { Preprocessing } from '../../../server/src/protocol/views';

/** The fields as typed. */
export interface DataValues {
  /** Path, `random`, `none`, or empty while nothing is chosen. */
  readonly source: string;
  readonly samples: string;
  readonly scale: string;
  readonly mean: string;
  readonly std: string;
  readonly resize: string;
  readonly crop: string;
  readonly layout: string;
  readonly color: string;
}

/** Fields that can be wrong, each with the key of the text that says what is expected. */
export type Problems = Partial<Record<keyof DataValues, 'wholeNumber' | 'number' | 'numbers' | 'chooseData'>>;

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** False for `none` and `random`, which read no data. */
export function isPath(source: string): boolean {
  return source !== 'none' && source !== 'random';
}

/** Where preprocessing matters: for data, and without any it tells where the input lies. */
export function isPreprocessed(source: string): boolean {
  return source !== 'random';
}

/** What is wrong with the fields; empty when they can be used. */
export function problemsOf(values: DataValues): Problems {
  const problems: Problems = {};
  if (values.source === '') problems.source = 'chooseData';
  if (!isWholeNumber(values.samples)) problems.samples = 'wholeNumber';
  if (!isPreprocessed(values.source)) return problems;
  if (values.scale !== '' && !isFraction(values.scale)) problems.scale = 'number';
  if (values.mean !== '' && !areNumbers(values.mean)) problems.mean = 'numbers';
  if (values.std !== '' && !areNumbers(values.std, true)) problems.std = 'numbers';
  if (values.resize !== '' && !isWholeNumber(values.resize)) problems.resize = 'wholeNumber';
  if (values.crop !== '' && !isWholeNumber(values.crop)) problems.crop = 'wholeNumber';
  return problems;
}

/** Preprocessing of fields without problems. Empty fields are left out: the engine's defaults hold. */
export function preprocessingOf(values: DataValues): Preprocessing {
  if (!isPreprocessed(values.source)) return {};
  return {
    scale: text(values.scale),
    mean: text(values.mean),
    std: text(values.std),
    resize: number(values.resize),
    crop: number(values.crop),
    layout: values.layout === 'nchw' || values.layout === 'nhwc' ? values.layout : undefined,
    color: values.color === 'rgb' || values.color === 'bgr' ? values.color : undefined,
  };
}

function text(value: string): string | undefined {
  const trimmed = value.trim();
  return trimmed === '' ? undefined : trimmed;
}

function number(value: string): number | undefined {
  return value.trim() === '' ? undefined : Number(value);
}

/** Counts and sizes: from 1 on. */
export function isWholeNumber(value: string): boolean {
  return /^\d{1,9}$/.test(value.trim()) && Number(value) > 0;
}

/** `0.0039` or `1/255`; zero makes every pixel the same. */
function isFraction(value: string): boolean {
  const parts = value.split('/').map((part) => part.trim());
  return parts.length <= 2 && parts.every((part) => decimal.test(part) && Number(part) !== 0);
}

function areNumbers(value: string, positive = false): boolean {
  return value
    .split(',')
    .map((part) => part.trim())
    .every((part) => decimal.test(part) && (!positive || Number(part) > 0));
}
