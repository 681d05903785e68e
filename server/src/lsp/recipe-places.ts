/** Where things stand in a recipe's text. */
import type { ParsedRecipe, RuleSpan } from '../engine/format/recipe';
import type { Span } from './convert';

/** The rule at an offset: its index among `recipe.layers` and its span. */
export function ruleAt(
  parsed: ParsedRecipe,
  offset: number,
): { readonly index: number; readonly span: Span; readonly rule: RuleSpan } | undefined {
  const index = parsed.spans.rules.findIndex(({ span }) => span[0] <= offset && offset <= span[1]);
  const rule = parsed.spans.rules[index];
  return rule && { index, span: rule.span, rule };
}

/** Start of the recipe's object, where lenses on the whole stand. */
export function recipeStart(parsed: ParsedRecipe): Span {
  const root = parsed.spans.root;
  return root ? [root[0], root[0] + 1] : [0, 0];
}
