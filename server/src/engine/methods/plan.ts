/**
 * Decides what every layer becomes: recipe or scheme × model × target → {@link QuantPlan}. Export only executes the
 * plan. Every rule has a fate: it wins somewhere, or it is R01 (matches nothing), R02 (its format cannot be exported
 * to the target) or R03 (later rules win everywhere it matches).
 */
import {
  floatName,
  nearestName,
  parseEstimatorName,
  schemePattern,
  type TargetName,
} from '../base/format-names';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { layerMatcher } from '../format/layer-glob';
import type { Recipe, RecipeSpans } from '../format/recipe';
import { chooseLayer, shadowedRules, unmatchedRules } from '../format/recipe-match';
import { defaultOpset, type Model } from '../graph/ir';
import type { Layer } from '../graph/layers';
import { parseScheme } from '../numerics/scheme';
import { raiseObstacle } from './opset';
import { type Choice, chooseForm, type LayerForm } from './plan-form';
import type { PlanLayer, PlanReason, QuantPlan } from './plan-types';
import { targets } from './targets';

export { diffPlans, type PlanChange, type PlanLayer, printPlan, type QuantPlan } from './plan-types';

export interface PlanInput {
  /** After BatchNormalization folding. */
  readonly model: Model;
  readonly layers: readonly Layer[];
  readonly recipe?: Recipe;
  /** Anchors for R01–R03. */
  readonly spans?: RecipeSpans;
  /** `--scheme`: replaces the recipe's default; its rules still refine it. */
  readonly scheme?: string;
  /** `--estimator`: wins over the recipe's. */
  readonly estimator?: string;
  /** `--keep-float`: layer names or patterns; win over everything. */
  readonly keepFloat?: readonly string[];
  /** `--target`: wins over the recipe's. */
  readonly target?: TargetName;
}

export const defaultEstimator = 'mse';

/**
 * Makes the plan. Without a value: neither scheme nor recipe given, an unknown scheme or estimator. With a value, R02
 * issues of error severity name formats that were asked for and cannot be written; those parts stay float.
 */
export function makePlan(input: PlanInput): Outcome<QuantPlan> {
  const { model, layers, recipe } = input;
  const issues: Issue[] = [];
  if (layers.length === 0) return fail(issue('no-layers', {}));
  if (input.scheme === undefined && recipe === undefined) {
    return fail(issue('scheme-unknown', { scheme: '', expected: 'a scheme such as w8a8, or a recipe' }));
  }
  if (input.scheme !== undefined) {
    const { value, issues: wrong } = parseScheme(input.scheme);
    if (value === undefined) return fail(...wrong);
  }
  const estimator = input.estimator ?? recipe?.default.estimator ?? defaultEstimator;
  if (parseEstimatorName(estimator) === undefined) {
    return fail(
      issue('recipe-value', { key: 'estimator', reason: estimator, expected: 'an estimator name' }),
    );
  }
  const target = targets[input.target ?? recipe?.target ?? 'ort-cpu'];
  const choices = layers.map((layer) => choose(layer, input));
  const decide = (version: number, settled: boolean) =>
    layers.map((layer, index) => chooseForm(layer, choices[index] ?? floatChoice, target, version, settled));
  const opset = chooseOpset(model, decide(defaultOpset(model), false));
  const forms = decide(opset.version, true);
  issues.push(...ruleIssues(input), ...exportIssues(forms, layers, choices, input));
  return ok(
    {
      target: target.name,
      scheme: input.scheme ?? 'recipe',
      estimator,
      opsetBefore: defaultOpset(model),
      opset: opset.version,
      ...(opset.obstacle === undefined ? {} : { opsetObstacle: opset.obstacle }),
      layers: layers.map((layer, index) => planLayer(layer, choices[index] ?? floatChoice, forms[index])),
    },
    issues,
  );
}

const floatChoice: Choice = { weights: floatName, activations: floatName, why: { by: 'default' } };

/** What recipe and flags ask for one layer. Keep-float flags win, then the recipe's rules, then scheme or default. */
function choose(layer: Layer, { recipe, scheme, keepFloat }: PlanInput): Choice {
  const kept = keepFloat?.find((pattern) => layerMatcher(pattern)(layer.name));
  if (kept !== undefined) return { ...floatChoice, why: { by: 'keep-float', match: kept } };
  const base = scheme === undefined ? undefined : formatsOf(scheme);
  const fallback: PlanReason = scheme === undefined ? { by: 'default' } : { by: 'scheme', scheme };
  if (recipe === undefined) return { ...(base ?? floatChoice), why: fallback };
  const chosen = chooseLayer(base === undefined ? recipe : { ...recipe, default: base }, layer.name);
  const match = chosen.rule === undefined ? undefined : recipe.layers[chosen.rule]?.match;
  const why: PlanReason =
    chosen.rule === undefined || match === undefined ? fallback : { by: 'rule', rule: chosen.rule, match };
  if (chosen.keep) return { ...floatChoice, why };
  return { weights: chosen.weights ?? floatName, activations: chosen.activations ?? floatName, why };
}

/** `w8a8` as formats of weights and activations; a weight format alone leaves activations float. */
function formatsOf(scheme: string): { weights: string; activations: string } {
  const match = schemePattern.exec(scheme);
  if (match === null) return { weights: scheme, activations: floatName };
  return { weights: `int${match[1]}.channel`, activations: `uint${match[2]}.tensor` };
}

/** Raises the operator set as far as the formats need and the model's operators allow: to 21, else to 13, else not. */
function chooseOpset(model: Model, forms: readonly LayerForm[]): { version: number; obstacle?: string } {
  const present = defaultOpset(model);
  const needed = forms.map((form) => form.opset);
  let obstacle: string | undefined;
  for (const version of [Math.max(...needed), Math.max(...needed.filter((one) => one <= 13), 0)]) {
    if (version <= present) continue;
    const found = raiseObstacle(model, version);
    if (found === undefined) return { version, ...(obstacle === undefined ? {} : { obstacle }) };
    obstacle ??= found === 'version' ? `opset ${present}` : found.node;
  }
  return { version: present, ...(obstacle === undefined ? {} : { obstacle }) };
}

function planLayer(layer: Layer, choice: Choice, form: LayerForm | undefined): PlanLayer {
  const { weights, activations, storage, changes, bytes, bytesIdeal } = form ?? {
    weights: floatName,
    activations: floatName,
    storage: 'float' as const,
    changes: [],
    bytes: 0,
    bytesIdeal: 0,
  };
  return {
    name: layer.name,
    node: layer.node.label,
    op: layer.op,
    weight: layer.weight.name,
    weights,
    activations,
    form: form?.form ?? 'float',
    storage,
    why: choice.why,
    changes,
    bytes,
    bytesIdeal,
  };
}

/** R01 for rules and flags that match no layer, R03 for rules that never win. */
function ruleIssues({ recipe, layers, spans, keepFloat }: PlanInput): Issue[] {
  const names = layers.map((layer) => layer.name);
  const issues: Issue[] = [];
  const report = (match: string, nearest: string | undefined, rule?: number) => {
    const facts = nearest === undefined ? { match } : { match, nearest };
    issues.push(issue('R01', facts, anchorOf(rule, spans), 'warning'));
  };
  for (const { rule, nearest } of recipe === undefined ? [] : unmatchedRules(recipe, names)) {
    report(recipe?.layers[rule]?.match ?? '', nearest, rule);
  }
  for (const pattern of keepFloat ?? []) {
    if (!names.some(layerMatcher(pattern))) report(pattern, nearestName(pattern, names));
  }
  for (const { rule, by } of recipe === undefined ? [] : shadowedRules(recipe, names)) {
    const match = recipe?.layers[rule]?.match ?? '';
    const winners = (by ?? []).map((index) => recipe?.layers[index]?.match ?? '').join(', ');
    issues.push(issue('R03', { match, by: winners }, anchorOf(rule, spans), 'warning'));
  }
  return issues;
}

/** R02, once per rule, format and reason, anchored at the first layer it concerns; it names the others. */
function exportIssues(
  forms: readonly LayerForm[],
  layers: readonly Layer[],
  choices: readonly Choice[],
  { spans }: PlanInput,
): Issue[] {
  // One layer that is quantized already is a remark; a model of nothing else has been given by mistake.
  const nothing = layers.every((layer) => layer.quantized);
  const issues = new Map<string, { readonly make: (names: readonly string[]) => Issue; names: string[] }>();
  forms.forEach((form, index) => {
    const name = layers[index]?.name;
    const why = choices[index]?.why ?? floatChoice.why;
    const match = why.by === 'rule' || why.by === 'keep-float' ? why.match : '*';
    for (const { format, reason, severity } of form.refused) {
      const key = JSON.stringify([match, format, reason]);
      const known = issues.get(key);
      if (known) {
        if (name !== undefined) known.names.push(name);
        continue;
      }
      const anchor = { ...anchorOf(why.by === 'rule' ? why.rule : undefined, spans), layer: name };
      const facts = { match, format, reason };
      const make = (names: readonly string[]) =>
        issue('R02', names.length > 0 ? { ...facts, names } : facts, anchor, nothing ? 'error' : severity);
      issues.set(key, { make, names: [] });
    }
  });
  return [...issues.values()].map(({ make, names }) => make(names));
}

function anchorOf(rule: number | undefined, spans: RecipeSpans | undefined) {
  const span = rule === undefined ? undefined : spans?.rules[rule]?.match;
  return span === undefined ? {} : { span };
}
