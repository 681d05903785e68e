/** Issues of a recipe: what parsing found, the model it names, rules that match nothing, are shadowed or impossible. */
import { issue } from '../engine/base/issue';
import type { Outcome } from '../engine/base/outcome';
import type { ParsedRecipe } from '../engine/format/recipe';
import { shadowedRules, unmatchedRules } from '../engine/format/recipe-match';
import { isAvailable, methodIssue } from '../engine/methods/available';
import { parseWeightFormat } from '../engine/numerics/scheme';
import type { Issue } from '../protocol/issues';
import type { AnalysisReport } from '../protocol/reports';

/**
 * @param inspect headers of the model the recipe names, by the path written there.
 */
export function recipeIssues(
  parsed: ParsedRecipe,
  inspect: (model: string) => Outcome<AnalysisReport>,
): readonly Issue[] {
  const { recipe, spans } = parsed;
  const issues: Issue[] = [...parsed.issues];
  if (!recipe) return issues;
  recipe.methods.forEach(({ name }, index) => {
    if (!isAvailable(name)) issues.push({ ...methodIssue(name), anchor: { span: spans.methods[index] } });
  });
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
    if (rule.weights === undefined || rule.weights === 'float') return;
    const format = parseWeightFormat(rule.weights);
    if (format.value) return;
    const span = spans.rules[index]?.properties.weights?.value;
    issues.push(
      issue(
        'R02',
        { match: rule.match, format: rule.weights, reason: 'analysis only in this version' },
        { span },
      ),
    );
  });
  return issues;
}
