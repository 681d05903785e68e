/** Leaves out what comments of a recipe silence; see `engine/format/recipe-ignore.ts` for what a comment speaks of. */
import type { Recipe, RecipeIgnore } from '../engine/format/recipe';
import { matchLayer } from '../engine/format/recipe-match';
import type { Issue } from '../protocol/issues';

/** A finding of a model belongs to the rule that decides about its layer, else to the default. */
export function withoutIgnored(issues: readonly Issue[], recipe: Recipe | undefined): readonly Issue[] {
  const ignores = recipe?.ignores;
  if (!recipe || !ignores || ignores.length === 0) return issues;
  return issues.filter(
    (one) => !ignores.some((ignore) => names(ignore, one.code) && covers(ignore, one, recipe)),
  );
}

function names({ codes }: RecipeIgnore, code: string): boolean {
  return codes === undefined || codes.includes(code);
}

function covers(ignore: RecipeIgnore, { anchor }: Issue, recipe: Recipe): boolean {
  if (ignore.whole) return true;
  if (anchor.span) return anchor.span[0] >= ignore.span[0] && anchor.span[0] < ignore.span[1];
  const rule = anchor.layer === undefined ? undefined : matchLayer(recipe, anchor.layer);
  return rule === undefined ? ignore.default : ignore.rules.includes(rule);
}
