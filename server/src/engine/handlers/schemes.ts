/** Schemes made ready to be measured: plan, quantized twin and the layers of both. */
import type { RangesFile } from '../../protocol/reports';
import { recipeScheme } from '../../protocol/views';
import { exportedPairs } from '../analysis/layer-pairs';
import type { LayerPair } from '../analysis/shadow';
import { floatName } from '../base/format-names';
import { hasErrors, type Issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { parseRecipe } from '../format/recipe';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { raiseOpset } from '../methods/opset';
import { makePlan, type QuantPlan } from '../methods/plan';
import { parseScheme } from '../numerics/scheme';
import type { PreparedModel } from './open';
import { quantizedTwin } from './simulate';

export interface PreparedScheme {
  readonly scheme: string;
  readonly plan: QuantPlan;
  readonly ranges: RangesFile | undefined;
  /** What export would write. */
  readonly twin: Model;
}

/**
 * Plan and twin of a scheme; the scheme named `recipe` is what the text of a recipe plans. Issues: those of the recipe; those
 * of the plan; of the export, when it fails.
 */
export function prepareScheme(
  prepared: PreparedModel,
  scheme: string,
  ranges: RangesFile | undefined,
  recipe?: string,
): Outcome<PreparedScheme> {
  const model = prepared.folded();
  const parsed = recipe === undefined || scheme !== recipeScheme ? undefined : parseRecipe(recipe);
  if (parsed && (!parsed.recipe || hasErrors(parsed.issues))) return fail(...parsed.issues);
  const what = parsed ? { recipe: parsed.recipe } : { scheme };
  const plan = makePlan({ model, layers: listLayers(model), ...what });
  if (!plan.value) return fail(...plan.issues);
  const twin = quantizedTwin(prepared, plan.value, ranges);
  if (!twin.value || hasErrors(twin.issues)) return fail(...twin.issues);
  return ok({ scheme, plan: plan.value, ranges, twin: twin.value }, plan.issues);
}

/** Layers of a float network that the plan quantizes, paired with those of the twin. */
export function plannedPairs(
  float: Model,
  { plan, twin }: Pick<PreparedScheme, 'plan' | 'twin'>,
): readonly LayerPair[] {
  const planned = new Set(
    plan.layers
      .filter((layer) => layer.form !== floatName || layer.activations !== floatName)
      .map((layer) => layer.name),
  );
  return exportedPairs(float, twin).filter((pair) => planned.has(pair.name));
}

/**
 * The scheme with only its weights or only its activations quantized; `undefined` when it has one of them alone. The
 * activations keep every quantizer that the whole has, also those that are there for the sake of quantized weights.
 */
export function partOf(
  prepared: PreparedModel,
  { scheme, plan, ranges }: PreparedScheme,
  part: 'weights' | 'activations',
): Outcome<PreparedScheme> | undefined {
  const { layers } = plan;
  const split =
    layers.some((layer) => layer.weights !== floatName) &&
    layers.some((layer) => layer.activations !== floatName);
  if (!split) return undefined;
  const reduced: QuantPlan = {
    ...plan,
    layers: layers.map((layer) =>
      part === 'weights'
        ? { ...layer, activations: floatName }
        : { ...layer, weights: floatName, form: floatName, storage: floatName },
    ),
  };
  const twin =
    part === 'weights'
      ? quantizedTwin(prepared, reduced, ranges)
      : quantizedTwin(prepared, plan, ranges, 'activations');
  if (!twin.value || hasErrors(twin.issues)) return fail(...twin.issues);
  return ok({ scheme, plan: reduced, ranges, twin: twin.value });
}

/** The scheme with weights and inputs of its layers quantized and nothing between them; `undefined` when that is all. */
export function layersOf(
  prepared: PreparedModel,
  { scheme, plan, ranges, twin: whole }: PreparedScheme,
): Outcome<PreparedScheme> | undefined {
  const twin = quantizedTwin(prepared, plan, ranges, 'layers');
  if (!twin.value || hasErrors(twin.issues)) return fail(...twin.issues);
  if (quantizedReads(twin.value) === quantizedReads(whole)) return undefined;
  return ok({ scheme, plan, ranges, twin: twin.value });
}

/** Inputs of operators that are quantized activations. */
function quantizedReads({ graph }: Model): number {
  const isQuantized = (value: Value | undefined) =>
    value?.producer?.opType === 'DequantizeLinear' && value.producer.input(0)?.tensor === undefined;
  return graph.nodes.reduce((sum, node) => sum + node.inputs.filter(isQuantized).length, 0);
}

/** A float copy that runs in one session with the twins: raised to the newest of their operator sets. */
export function floatBeside(prepared: PreparedModel, twins: readonly Model[]): Model {
  const float = prepared.folded();
  raiseOpset(float, Math.max(...twins.map(defaultOpset), defaultOpset(float)));
  for (const twin of twins) shareOpsets(float, twin);
  return float;
}

/** Declares in `float` what `twin`'s nodes need. */
export function shareOpsets(float: Model, twin: Model): void {
  for (const [domain, version] of twin.opsets) {
    float.opsets.set(domain, Math.max(version, float.opsets.get(domain) ?? 0));
  }
  float.irVersion = Math.max(float.irVersion, twin.irVersion);
}

/** True when a scheme quantizes activations and so needs their ranges. */
export function needsRanges(scheme: string): boolean {
  return parseScheme(scheme).value?.activations !== floatName;
}

/** True when a scheme names a format of activations and the plan has it nowhere. */
export function asksInVain({ scheme, plan }: PreparedScheme): boolean {
  const { value } = parseScheme(scheme);
  const asked = value !== undefined && value.activations !== floatName;
  return asked && plan.layers.every((layer) => layer.activations === floatName);
}

/** Issues that are not known yet. */
export function newIssues(known: readonly Issue[], found: readonly Issue[]): readonly Issue[] {
  return found.filter((one) => !known.some((other) => other.code === one.code));
}
