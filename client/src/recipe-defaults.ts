/** What a recipe says of its model and data, read leniently to prefill the calibration form. No vscode in here. */
import { parse } from 'jsonc-parser';
import type { CalibrationRequest } from '../../server/src/protocol/views';

/** The parts of a recipe that the client looks at; the server checks recipes, so nothing is trusted here. */
export interface RecipeGlance {
  readonly model?: unknown;
  readonly data?: unknown;
  readonly default?: unknown;
}

/** A recipe's text as an object; an empty one when it is none. */
export function readRecipe(text: string): RecipeGlance {
  const value: unknown = parse(text, [], { allowTrailingComma: true });
  return isObject(value) ? value : {};
}

/** The form's values that a recipe states; `folder` is the recipe's own, with `/` between names. */
export function calibrationDefaults(recipe: RecipeGlance, folder: string): Partial<CalibrationRequest> {
  const data = isObject(recipe.data) ? recipe.data : {};
  const rules = isObject(recipe.default) ? recipe.default : {};
  const { source, samples, resize, crop, layout, color } = data;
  const all: Partial<CalibrationRequest> = {
    source: typeof source === 'string' ? sourceOf(source, folder) : undefined,
    samples: wholeNumber(samples),
    estimator: typeof rules.estimator === 'string' ? rules.estimator : undefined,
    scale: numbersText(data.scale),
    mean: numbersText(data.mean),
    std: numbersText(data.std),
    resize: wholeNumber(resize),
    crop: wholeNumber(crop),
    layout: layout === 'nchw' || layout === 'nhwc' ? layout : undefined,
    color: color === 'rgb' || color === 'bgr' ? color : undefined,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Synthetic data is made by the engine itself, which the form calls `none`. */
function sourceOf(source: string, folder: string): string {
  if (source === 'none' || source === 'random') return source;
  if (/^synthetic(:|$)/.test(source)) return 'none';
  return isAbsolute(source) ? source : `${folder.replace(/\/$/, '')}/${source}`;
}

function isAbsolute(path: string): boolean {
  return /^([/\\]|[A-Za-z]:[/\\])/.test(path);
}

/** `0.286`, `"1/255"` and `[0.4, 0.5]` as the form writes them: `0.286`, `1/255`, `0.4, 0.5`. */
function numbersText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const all = Array.isArray(value) ? value : [value];
  return all.length > 0 && all.every((one) => typeof one === 'number') ? all.join(', ') : undefined;
}

function wholeNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
