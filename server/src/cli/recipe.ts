/** Loads a recipe named on the command line, with its data resolved relative to it. */
import * as path from 'node:path';
import { openFile } from '../engine/base/byte-source';
import { anchored, hasErrors } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { parseRecipe, type Recipe } from '../engine/format/recipe';
import { recipeData } from '../engine/recipe-data';
import type { DataSpec } from '../protocol/reports';

export interface LoadedRecipe {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  readonly recipe: Recipe;
  readonly data: DataSpec | undefined;
}

/** `undefined` value without issues when no recipe was named. */
export function loadRecipe(file: string | undefined, seed: number): Outcome<LoadedRecipe> {
  if (file === undefined) return { value: undefined, issues: [] };
  const opened = openFile(file);
  if (!opened.value) return fail(...opened.issues);
  const text = new TextDecoder().decode(opened.value.read(0, opened.value.size));
  opened.value.close();
  const parsed = parseRecipe(text);
  const issues = parsed.issues.map((one) => anchored(one, { path: file }));
  if (!parsed.recipe || hasErrors(issues)) return fail(...issues);
  const folder = path.dirname(path.resolve(file));
  return ok(
    { path: file, folder, text, recipe: parsed.recipe, data: recipeData(parsed.recipe, folder, seed) },
    issues,
  );
}
