/**
 * Names of number formats, estimators, methods, presets and targets as recipes and the command line write
 * them (design contract: formats by name). Closed lists and one grammar for integer widths; what a format
 * means is decided in `numerics/scheme.ts`.
 */

/** Bit widths of integer formats. */
export const integerBits = [2, 3, 4, 5, 6, 7, 8, 16] as const;

/** Low-bit floating-point and table formats that can be exported or simulated. */
export const floatFormatNames = [
  'fp8e4m3',
  'fp8e5m2',
  'mxfp4',
  'mxfp6e2m3',
  'mxfp6e3m2',
  'mxfp8e4m3',
  'nvfp4',
  'nf4',
] as const;

/** Formats that are measured only: no runtime stores them. */
export const analysisFormatNames = ['kmeans4', 'pow2.int8', 'log4', 'logsqrt2.4', 'binary', 'lq2'] as const;

/** The word that leaves weights or activations unquantized. */
export const floatName = 'float';

export const estimatorNames = [
  'min-max',
  'moving-average',
  'percentile',
  'mse',
  'lp',
  'entropy',
  'aciq',
  'cosine',
  'power-of-two',
] as const;

/** Priors of `aciq`, written after its colon; `mix` takes the best of both and of no clipping. */
export const estimatorVariants = ['mix', 'laplace', 'gauss'] as const;

export const methodNames = [
  'fold-batchnorm',
  'equalize',
  'absorb-bias',
  'bias-correct',
  'smoothquant',
  'awq',
  'gptq',
  'gpfq',
  'hqq',
  'adaround',
  'lapq',
  'easyquant',
] as const;

export const presetNames = [
  'default',
  'zeroq',
  'dsg',
  'deepinversion',
  'genie',
  'intraq',
  'aac-abn',
  'gzsq',
  'dfq',
  'psaq-vit',
  'gdfq',
  'qimera',
  'fdda',
  'clusterq',
] as const;

export const targetNames = ['ort-cpu'] as const;

export type EstimatorName = (typeof estimatorNames)[number];
export type EstimatorVariant = (typeof estimatorVariants)[number];
export type MethodName = (typeof methodNames)[number];
export type PresetName = (typeof presetNames)[number];
export type TargetName = (typeof targetNames)[number];

const widths = '(u?int)([2-8]|16)';
const groups = 'group(16|32|64|128|256|512|1024|2048|4096|8192|16384|32768|65536)';
const symmetry = '(?:\\.(sym|asym))?';

/** `int4`, `uint8.tensor`, `int4.group32`, `int8.channel.asym`: base, width, scope, group size, symmetry. */
export const integerFormatPattern = new RegExp(`^${widths}(?:\\.(tensor|channel|${groups}))?${symmetry}$`);

/** Every weight format's name, for schemas. */
export const weightFormatPattern = alternatives([
  floatName,
  ...floatFormatNames.map(escaped),
  ...analysisFormatNames.map(escaped),
  `${widths}(\\.(tensor|channel|${groups}))?(\\.(sym|asym))?`,
]);

/**
 * Every activation format's name, for schemas. One scale per group does not exist for activations, and formats with
 * a table of levels are for weights.
 */
export const activationFormatPattern = alternatives([
  floatName,
  ...floatFormatNames.filter((name) => name !== 'nf4').map(escaped),
  `${widths}(\\.(tensor|channel))?(\\.(sym|asym))?`,
]);

const integerNames = integerBits.flatMap((bits) => [`int${bits}`, `uint${bits}`]);

/** Names of weight formats as people write them, for suggestions; not all that are valid. */
export const weightFormatNames: readonly string[] = [
  ...['', '.channel', '.tensor', '.group32', '.group64', '.group128'].flatMap((scope) =>
    integerNames.map((name) => name + scope),
  ),
  ...floatFormatNames,
  ...analysisFormatNames,
  floatName,
];

/** The same for activations. */
export const activationFormatNames: readonly string[] = [
  ...integerNames.flatMap((name) => [`${name}.tensor`, name]),
  floatName,
];

/** Every estimator's name with its parameter, for schemas. */
export const estimatorPattern = alternatives([
  ...estimatorNames,
  '(percentile|lp):[0-9]+(\\.[0-9]+)?',
  `aciq:(${estimatorVariants.join('|')})`,
]);

const weightFormat = new RegExp(weightFormatPattern);
const activationFormat = new RegExp(activationFormatPattern);

/** `w8a8`, `w4a16`: weights and activations in integers. */
export const schemePattern = /^w([2-8]|16)a([2-8]|16)$/;

/** An integer format's name taken apart. Absent parts are `undefined`: their defaults depend on the operator. */
export interface IntegerFormatName {
  readonly bits: number;
  readonly signed: boolean;
  readonly scope: 'tensor' | 'channel' | 'group' | undefined;
  readonly groupSize: number | undefined;
  readonly symmetric: boolean | undefined;
}

/** Takes an integer format's name apart; `undefined` when it is none. */
export function parseIntegerFormat(name: string): IntegerFormatName | undefined {
  const match = integerFormatPattern.exec(name);
  if (!match) return undefined;
  const [, base, bits, scope, group, symmetry] = match;
  return {
    bits: Number(bits),
    signed: base === 'int',
    scope: group === undefined ? (scope as 'tensor' | 'channel' | undefined) : 'group',
    groupSize: group === undefined ? undefined : Number(group),
    symmetric: symmetry === undefined ? undefined : symmetry === 'sym',
  };
}

/** True for the name of a weight format, `float` included. */
export function isWeightFormatName(name: string): boolean {
  return weightFormat.test(name);
}

/** True for the name of an activation format, `float` included. */
export function isActivationFormatName(name: string): boolean {
  return activationFormat.test(name);
}

/** An estimator's name taken apart; what is not written is absent. */
export interface ParsedEstimator {
  readonly name: EstimatorName;
  readonly parameter?: number;
  readonly variant?: EstimatorVariant;
}

/**
 * `percentile:99.99`, `lp:2.4` and `aciq:laplace` carry a parameter; the others are bare. `undefined` = no such
 * estimator.
 */
export function parseEstimatorName(text: string): ParsedEstimator | undefined {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const known = estimatorNames.find((one) => one === name);
  if (known === undefined) return undefined;
  if (colon < 0) return { name: known };
  const written = text.slice(colon + 1);
  const variant = estimatorVariants.find((one) => one === written);
  if (known === 'aciq' && variant !== undefined) return { name: known, variant };
  if (!/^\d+(\.\d+)?$/.test(written)) return undefined;
  const parameter = Number(written);
  if (known === 'percentile' && parameter > 50 && parameter <= 100) return { name: known, parameter };
  if (known === 'lp' && parameter > 0 && Number.isFinite(parameter)) return { name: known, parameter };
  return undefined;
}

/** The same weight format with one scale per output channel; formats without a scope are returned unchanged. */
export function withChannelScope(name: string): string {
  const integer = parseIntegerFormat(name);
  if (!integer) return name;
  const symmetry = integer.symmetric === undefined ? '' : integer.symmetric ? '.sym' : '.asym';
  return `${integer.signed ? 'int' : 'uint'}${integer.bits}.channel${symmetry}`;
}

/** The same format of activations, unsigned with a zero point; other formats are returned unchanged. */
export function withoutSymmetry(name: string): string {
  const integer = parseIntegerFormat(name);
  if (!integer) return name;
  return `uint${integer.bits}.${integer.scope === 'channel' ? 'channel' : 'tensor'}`;
}

/** The entry of `names` closest to `wanted` (edit distance at most a third of its length), if any. */
export function nearestName(wanted: string, names: readonly string[]): string | undefined {
  // A name far longer than every entry is near to none; comparing it would only cost time.
  if (wanted.length > 200) return undefined;
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const name of names) {
    if (Math.abs(name.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) {
      best = name;
      bestDistance = distance;
    }
  }
  return best;
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours, row by row. */
function editDistance(left: string, right: string): number {
  let before: readonly number[] = [];
  let previous: readonly number[] = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    for (let column = 1; column <= right.length; column++) {
      const [a, b] = [left[row - 1], right[column - 1]];
      const replaced = (previous[column - 1] ?? 0) + (a === b ? 0 : 1);
      const swaps = row > 1 && column > 1 && a === right[column - 2] && b === left[row - 2];
      const swapped = swaps ? (before[column - 2] ?? 0) + 1 : replaced;
      current.push(Math.min(replaced, swapped, (previous[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1));
    }
    before = previous;
    previous = current;
  }
  return previous[right.length] ?? 0;
}

function alternatives(patterns: readonly string[]): string {
  return `^(${patterns.join('|')})$`;
}

function escaped(name: string): string {
  return name.replaceAll('.', '\\.');
}
