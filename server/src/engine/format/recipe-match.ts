/** Which rule of a recipe speaks for a layer: patterns over names, the last match wins. */
import { nearestName } from '../base/format-names';
import { type LayerMatcher, layerMatcher } from './layer-glob';
import type { Recipe, RecipeRule } from './recipe';

type Rules = Pick<Recipe, 'layers'>;

/** Each suggestion compares the pattern with all names; a recipe for another model would ask for hundreds. */
const maximumSuggestions = 20;

const compiled = new WeakMap<readonly RecipeRule[], readonly LayerMatcher[]>();

/** Index in `recipe.layers` of the rule that wins for a layer name; `undefined` = the default applies. */
export function matchLayer(recipe: Rules, name: string): number | undefined {
  const matchers = matchersOf(recipe);
  for (let index = matchers.length - 1; index >= 0; index--) {
    if (matchers[index]?.(name)) return index;
  }
  return undefined;
}

/** What becomes of one layer by the recipe alone; absent formats are the engine's to choose. */
export interface LayerChoice {
  /** Winning rule, `undefined` when the default applies. */
  readonly rule: number | undefined;
  readonly keep: boolean;
  readonly weights: string | undefined;
  readonly activations: string | undefined;
}

/** Formats for a layer: the winning rule's, and from the recipe's default what that rule leaves open. */
export function chooseLayer(recipe: Pick<Recipe, 'layers' | 'default'>, name: string): LayerChoice {
  const index = matchLayer(recipe, name);
  const rule = index === undefined ? undefined : recipe.layers[index];
  return {
    rule: index,
    keep: rule?.keep === 'float',
    weights: rule?.weights ?? recipe.default.weights,
    activations: rule?.activations ?? recipe.default.activations,
  };
}

/** A rule that no layer needs, and why. */
export interface IdleRule {
  readonly rule: number;
  /** Layer name most like the pattern, for a rule that matches nothing. */
  readonly nearest?: string;
  /** Indices of the later rules that win everywhere, for a rule that is shadowed. */
  readonly by?: readonly number[];
}

/** Rules that match none of the names, each with the nearest name if one is near. */
export function unmatchedRules(recipe: Rules, names: readonly string[]): IdleRule[] {
  const idle: IdleRule[] = [];
  matchersOf(recipe).forEach((matcher, rule) => {
    if (names.some(matcher)) return;
    const match = recipe.layers[rule]?.match ?? '';
    const nearest = idle.length < maximumSuggestions ? nearestName(match, names) : undefined;
    idle.push(nearest === undefined ? { rule } : { rule, nearest });
  });
  return idle;
}

/** Rules that match layers but win none of them, with the rules that do. */
export function shadowedRules(recipe: Rules, names: readonly string[]): IdleRule[] {
  const matchers = matchersOf(recipe);
  const winners = names.map((name) => matchLayer(recipe, name));
  const winning = new Set(winners);
  return matchers.flatMap((matcher, rule) => {
    if (winning.has(rule)) return [];
    const by = new Set<number>();
    names.forEach((name, index) => {
      const winner = winners[index];
      if (winner !== undefined && winner > rule && matcher(name)) by.add(winner);
    });
    return by.size === 0 ? [] : [{ rule, by: [...by].sort((left, right) => left - right) }];
  });
}

function matchersOf(recipe: Rules): readonly LayerMatcher[] {
  const known = compiled.get(recipe.layers);
  if (known !== undefined) return known;
  const matchers = recipe.layers.map((rule) => layerMatcher(rule.match));
  compiled.set(recipe.layers, matchers);
  return matchers;
}
