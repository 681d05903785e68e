/**
 * The recipe's keys and values (design contract: recipe), declared once: types are inferred from here, the reader
 * checks against it, and a test compares `schemas/quant.schema.json` with it. Each `error` text says what was
 * expected, as a noun phrase; sentences are made elsewhere.
 */
import * as z from 'zod';
import {
  activationFormatNames,
  activationFormatPattern,
  estimatorNames,
  estimatorPattern,
  methodNames,
  parseEstimatorName,
  presetNames,
  targetNames,
  weightFormatNames,
  weightFormatPattern,
} from '../base/format-names';
import type { Ignore } from './recipe-ignore';

/** One number or one per channel. */
const perChannel = (what: string, smallest: number | undefined) => {
  const number = z
    .number({ error: what })
    .refine((value) => smallest === undefined || value > smallest, { error: what });
  return z
    .union([number, z.array(number).min(1)], { error: what })
    .transform((value): readonly number[] => (typeof value === 'number' ? [value] : value));
};

/** `0.5` or `"1/255"`. */
const fractionText = 'a number or a fraction such as "1/255"';
const fraction = z
  .union([z.number(), z.string().regex(/^\d+(\.\d+)?(\/\d+(\.\d+)?)?$/, { error: fractionText })], {
    error: fractionText,
  })
  .transform(toNumber)
  .refine((value) => Number.isFinite(value) && value !== 0, { error: 'a number other than 0' });

const text = (what: string) => z.string({ error: what }).min(1, { error: what });
const count = (what: string) => z.number({ error: what }).int({ error: what }).min(1, { error: what });
const amount = (what: string) => z.number({ error: what }).min(0, { error: what });
const share = (what: string) => z.number({ error: what }).min(0, { error: what }).max(1, { error: what });
const oneOf = <const T extends readonly string[]>(names: T) =>
  z.enum(names, { error: `one of ${names.join(', ')}` });

const weightFormat = z
  .string({ error: 'a weight format such as int8.channel, int4.group32, fp8e4m3 or float' })
  .regex(new RegExp(weightFormatPattern), {
    error: 'a weight format such as int8.channel, int4.group32, fp8e4m3 or float',
  })
  .meta({
    examples: ['int8.channel', 'int8.tensor', 'int4', 'int4.group32', 'int4.channel', 'fp8e4m3', 'float'],
  });

const activationFormat = z
  .string({ error: 'an activation format such as uint8.tensor or float' })
  .regex(new RegExp(activationFormatPattern), { error: 'an activation format such as uint8.tensor or float' })
  .meta({ examples: ['uint8.tensor', 'int8.tensor', 'uint16.tensor', 'float'] });

const estimator = z
  .string({ error: `one of ${estimatorNames.join(', ')}` })
  .regex(new RegExp(estimatorPattern), { error: `one of ${estimatorNames.join(', ')}` })
  .refine((name) => parseEstimatorName(name) !== undefined, { error: 'percentile:50…100 or lp:p with p > 0' })
  .meta({ examples: [...estimatorNames, 'percentile:99.99', 'lp:2.4'] });

const method = z
  .union(
    [
      oneOf(methodNames),
      z.looseObject({ name: oneOf(methodNames).describe('Method name.') }).describe('A method with options.'),
    ],
    { error: `one of ${methodNames.join(', ')}, or an object with such a name` },
  )
  .transform((value) => {
    if (typeof value === 'string') return { name: value, options: {} };
    const { name, ...options } = value;
    return { name, options: options as Readonly<Record<string, unknown>> };
  });

export const dataSchema = z.strictObject({
  source: text('a folder, a file, synthetic, random or none').describe(
    'Folder of images, .npy or .npz file, `synthetic`, `random` or `none`. Paths are relative to the recipe.',
  ),
  preset: oneOf(presetNames).optional().describe('Data-free preset for the source `synthetic`.'),
  samples: count('a whole number of samples, at least 1')
    .optional()
    .describe('The first N samples in sorted order.'),
  scale: fraction
    .optional()
    .describe('value = (pixel · scale − mean) / std. Default 1/255 for images, 1 otherwise.'),
  mean: perChannel('a number or one number per channel', undefined)
    .optional()
    .describe('Mean, one or per channel.'),
  std: perChannel('a positive number or one per channel', 0)
    .optional()
    .describe('Standard deviation, one or per channel.'),
  resize: count('a length in pixels').optional().describe('Shorter side in pixels.'),
  crop: count('a length in pixels').optional().describe('Centre crop in pixels.'),
  layout: oneOf(['nchw', 'nhwc']).optional().describe('Layout of the model input.'),
  color: oneOf(['rgb', 'bgr']).optional().describe('Channel order of the model input.'),
});

export const defaultSchema = z.strictObject({
  weights: weightFormat.optional().describe('Weight format of layers that no rule matches.'),
  activations: activationFormat.optional().describe('Activation format of layers that no rule matches.'),
  estimator: estimator.optional().describe('Estimator of activation ranges.'),
});

export const ruleSchema = z.strictObject({
  match: text('a layer name or pattern').describe(
    'Layer name; `*` stands for any characters, `?` for one. The last rule that matches wins.',
  ),
  weights: weightFormat.optional().describe('Weight format.'),
  activations: activationFormat.optional().describe('Activation format.'),
  keep: z.literal('float', { error: '"float"' }).optional().describe('Leaves the layer unquantized.'),
});

export const goalSchema = z.strictObject({
  bytes: amount('a number of bytes').optional().describe('Size to reach, external data included.'),
  accuracyDrop: share('a fraction between 0 and 1')
    .optional()
    .describe('Largest loss of top-1 accuracy, as a fraction.'),
  seconds: amount('a number of seconds').optional().describe('Time that a search may spend.'),
});

export const gatesSchema = z.strictObject({
  outputSqnr: z.number({ error: 'a number of dB' }).optional().describe('Smallest output SQNR in dB.'),
  topOneAgreement: share('a fraction between 0 and 1')
    .optional()
    .describe('Smallest share of samples with the same top-1 class as the float model.'),
  bytes: amount('a number of bytes').optional().describe('Largest size on disk, external data included.'),
});

const scalarFields = {
  $schema: text('an address').optional().describe('Address of the schema, for editors.'),
  model: text('the path of a model').optional().describe('Model file, relative to the recipe.'),
  output: text('a path').optional().describe('File to write, relative to the recipe.'),
  target: oneOf(targetNames).optional().describe('Runtime that the file is made for.'),
};

/** The whole recipe; the reader checks it piece by piece so that one bad value does not hide the rest. */
export const recipeSchema = z.strictObject({
  ...scalarFields,
  data: dataSchema.optional().describe('Calibration data and its preprocessing.'),
  default: defaultSchema.optional().describe('Formats of layers that no rule matches.'),
  layers: z.array(ruleSchema).optional().describe('Rules by layer name; the last match wins.'),
  methods: z.array(method).optional().describe('Methods to run; the engine fixes their order.'),
  goal: goalSchema.optional().describe('What a search may spend and must reach.'),
  gates: gatesSchema.optional().describe('What `quantlens check` demands.'),
});

/** Names that values may have, by the key they stand under; formats in the forms that people write. */
export const valueNames: Readonly<Record<string, readonly string[]>> = {
  weights: weightFormatNames,
  activations: activationFormatNames,
  estimator: estimatorNames,
  methods: methodNames,
  name: methodNames,
  preset: presetNames,
  target: targetNames,
  layout: ['nchw', 'nhwc'],
  color: ['rgb', 'bgr'],
  keep: ['float'],
};

export const scalarSchema = z.strictObject(scalarFields);
export const methodSchema = method;

export type RecipeData = Readonly<z.infer<typeof dataSchema>>;
export type RecipeDefault = Readonly<z.infer<typeof defaultSchema>>;
export type RecipeRule = Readonly<z.infer<typeof ruleSchema>>;
export type RecipeMethod = Readonly<z.infer<typeof method>>;
export type RecipeGoal = Readonly<z.infer<typeof goalSchema>>;
export type RecipeGates = Readonly<z.infer<typeof gatesSchema>>;

/** A recipe as read: parts that were invalid are missing here and named by issues. */
export interface Recipe {
  readonly model?: string;
  readonly output?: string;
  readonly target?: z.infer<typeof scalarSchema>['target'];
  readonly data?: RecipeData;
  readonly default: RecipeDefault;
  readonly layers: readonly RecipeRule[];
  readonly methods: readonly RecipeMethod[];
  readonly goal?: RecipeGoal;
  readonly gates?: RecipeGates;
  /** Comments that silence findings; missing = none. */
  readonly ignores?: readonly RecipeIgnore[];
}

/** One comment `quantlens: ignore[…]`, with what it stands at. */
export interface RecipeIgnore extends Ignore {
  /** Indices in `layers` of the rules it speaks of. */
  readonly rules: readonly number[];
  /** True when it speaks of `default`. */
  readonly default: boolean;
}

/** Keys at the top of a recipe, in the order of the contract. */
export const recipeKeys: readonly string[] = Object.keys(recipeSchema.shape);

function toNumber(value: number | string): number {
  if (typeof value === 'number') return value;
  const [numerator, denominator] = value.split('/').map(Number);
  return (numerator ?? 0) / (denominator ?? 1);
}
