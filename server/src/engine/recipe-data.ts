/** A recipe's `data` section as a {@link DataSpec}: paths relative to the recipe become absolute. */
import * as path from 'node:path';
import type { DataSpec, PreprocessingSpec } from '../protocol/reports';
import type { Recipe } from './format/recipe';

/** Sources that are words, not paths. */
const words = /^(none|random|synthetic(:.*)?)$/;

/** Data of a recipe, `undefined` when it names none. */
export function recipeData(recipe: Recipe, folder: string, seed: number): DataSpec | undefined {
  const { data } = recipe;
  if (!data) return undefined;
  const source = words.test(data.source)
    ? data.source === 'synthetic' && data.preset
      ? `synthetic:${data.preset}`
      : data.source
    : path.resolve(folder, data.source);
  const preprocessing: PreprocessingSpec = {
    scale: data.scale,
    mean: list(data.mean),
    std: list(data.std),
    resize: data.resize,
    crop: data.crop,
    layout: data.layout,
    color: data.color,
  };
  return { source, samples: data.samples, seed, preprocessing, dimensions: {} };
}

/** The `data` section that makes {@link recipeData} answer this spec; a path becomes relative to the recipe's folder. */
export function dataSection(spec: DataSpec, folder: string): Readonly<Record<string, unknown>> {
  const { scale, mean, std, resize, crop, layout, color } = spec.preprocessing;
  const [word, preset] = spec.source.split(':', 2);
  const named = words.test(spec.source)
    ? { source: word, ...(preset ? { preset } : {}) }
    : { source: path.relative(folder, path.resolve(folder, spec.source)).replaceAll('\\', '/') || '.' };
  return { ...named, samples: spec.samples, scale: fraction(scale), mean, std, resize, crop, layout, color };
}

/** `1/255` reads better than its decimals. */
function fraction(scale: number | undefined): number | string | undefined {
  if (scale === undefined || scale <= 0 || scale >= 1) return scale;
  const divisor = Math.round(1 / scale);
  return 1 / divisor === scale ? `1/${divisor}` : scale;
}

/** Absolute path of something a recipe names. */
export function recipePath(folder: string, name: string): string {
  return path.resolve(folder, name);
}

function list(value: number | readonly number[] | undefined): readonly number[] | undefined {
  return typeof value === 'number' ? [value] : value;
}
