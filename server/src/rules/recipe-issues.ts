/** Issues of a recipe: what parsing found, the model it names, rules that match nothing, are shadowed or impossible. */
import { issue } from '../engine/base/issue';
import type { Outcome } from '../engine/base/outcome';
import type { ParsedRecipe, Recipe, RecipeSpans, Span } from '../engine/format/recipe';
import { matchLayer, shadowedRules, unmatchedRules } from '../engine/format/recipe-match';
import { isAvailable, methodIssue } from '../engine/methods/available';
import { createEstimator } from '../engine/numerics/ranges';
import { parseWeightFormat } from '../engine/numerics/scheme';
import type { Issue } from '../protocol/issues';
import type { AnalysisReport, LayerReport } from '../protocol/reports';
import { withoutIgnored } from './ignored';
import { isFloat, isStoredQuantized, storedAs } from './stored-type';

/**
 * @param inspect headers of the model the recipe names, by the path written there.
 */
export function recipeIssues(
  parsed: ParsedRecipe,
  inspect: (model: string) => Outcome<AnalysisReport>,
): readonly Issue[] {
  return withoutIgnored(allIssues(parsed, inspect), parsed.recipe);
}

function allIssues(
  parsed: ParsedRecipe,
  inspect: (model: string) => Outcome<AnalysisReport>,
): readonly Issue[] {
  const { recipe, spans } = parsed;
  const issues: Issue[] = [...parsed.issues];
  if (!recipe) return issues;
  recipe.methods.forEach(({ name }, index) => {
    if (!isAvailable(name)) issues.push({ ...methodIssue(name), anchor: { span: spans.methods[index] } });
  });
  issues.push(...defaultIssues(recipe, spans));
  if (!recipe.model) return issues;
  const model = inspect(recipe.model);
  if (!model.value) {
    const span = spans.values.get('model')?.value;
    const missing = model.issues.some((one) => one.code === 'file-not-found');
    issues.push(
      ...(missing
        ? [issue('R04', { model: recipe.model }, { span })]
        : model.issues.map((one) => ({ ...one, anchor: { ...one.anchor, span } }))),
    );
    return issues;
  }
  const names = model.value.layers.map((layer) => layer.name);
  const patternOf = (rule: number) => recipe.layers[rule]?.match ?? '';
  for (const { rule, nearest } of unmatchedRules(recipe, names)) {
    issues.push(
      issue('R01', { match: patternOf(rule), nearest }, { span: spans.rules[rule]?.match }, 'warning'),
    );
  }
  for (const { rule, by } of shadowedRules(recipe, names)) {
    const last = by?.[by.length - 1];
    issues.push(
      issue(
        'R03',
        { match: patternOf(rule), by: last === undefined ? '' : patternOf(last) },
        { span: spans.rules[rule]?.match },
        'warning',
      ),
    );
  }
  recipe.layers.forEach((rule, index) => {
    const span = spans.rules[index]?.properties.weights?.value;
    issues.push(...formatIssues(rule.match, rule.weights, span));
  });
  issues.push(...storedIssues(recipe, spans, model.value.layers));
  return issues;
}

/** R05 for rules that decide about stored codes only; once at the default where the model holds nothing else. */
function storedIssues(recipe: Recipe, spans: RecipeSpans, layers: readonly LayerReport[]): readonly Issue[] {
  const stored = layers.filter((layer) => !isFloat(layer));
  const facts = (of: readonly LayerReport[]) => ({
    layers: of.length,
    storedAs: [...new Set(of.map(storedAs))],
  });
  if (isStoredQuantized(layers)) {
    const span = (spans.values.get('default.weights') ?? spans.values.get('model'))?.value;
    return [issue('R05', facts(stored), { span }, 'warning')];
  }
  const decisive = layers.map(({ name }) => matchLayer(recipe, name));
  return recipe.layers.flatMap(({ match }, index) => {
    const own = layers.filter((_, at) => decisive[at] === index);
    if (own.length === 0 || own.some(isFloat)) return [];
    return [issue('R05', { match, ...facts(own) }, { span: spans.rules[index]?.match }, 'warning')];
  });
}

/** What the default and the data ask for and this version cannot do: `quantize` would refuse it. */
function defaultIssues(recipe: Recipe, spans: RecipeSpans): readonly Issue[] {
  const at = (key: string) => spans.values.get(key)?.value;
  const { weights, estimator } = recipe.default;
  const found = [...formatIssues('default', weights, at('default.weights'))];
  if (estimator !== undefined) {
    const span = at('default.estimator');
    found.push(...createEstimator(estimator).issues.map((one) => ({ ...one, anchor: { span } })));
  }
  if (recipe.data?.source.startsWith('synthetic')) {
    const next = 'Use "none", "random", or a folder or file of samples.';
    found.push(
      issue('not-implemented', { what: `data ${recipe.data.source}`, next }, { span: at('data.source') }),
    );
  }
  return found;
}

function formatIssues(match: string, weights: string | undefined, span: Span | undefined): readonly Issue[] {
  if (weights === undefined || weights === 'float' || parseWeightFormat(weights).value) return [];
  return [issue('R02', { match, format: weights, reason: 'analysis only in this version' }, { span })];
}
