/**
 * A finding on models: id, default severity, what it needs, and a check over plain facts. One rule a file, one line in
 * `rules/index.ts`. Thresholds are the defaults of the methods table (first-hand sources named in each file).
 */
import type { Gain, Issue, IssueCode, Severity } from '../protocol/issues';
import type { RemedyGain } from '../protocol/remedies';
import type { AnalysisReport, FixKind, LayerReport, TargetName } from '../protocol/reports';

/** What a rule sees of a model. */
export interface ModelFacts {
  readonly report: AnalysisReport;
  readonly plan: PlannedFormats;
}

/** What shall become of each layer: from the recipe, or the default w8a8 with per-tensor weights without one. */
export interface PlannedFormats {
  /** False when neither a recipe nor the file itself states formats: findings are then information only. */
  readonly fromRecipe: boolean;
  /** There is a recipe. */
  readonly hasRecipe: boolean;
  /** Of activation ranges: the recipe's, else the one that was measured under. */
  readonly estimator?: string;
  /** BatchNormalization is folded before quantizing; true by default. */
  readonly folds: boolean;
  /** Runtime that the recipe names. */
  readonly target?: TargetName;
  readonly layers: ReadonlyMap<string, PlannedFormat>;
}

export interface PlannedFormat {
  readonly bits: number;
  readonly granularity: 'tensor' | 'channel' | 'group' | 'float';
  /** Complete name of the weight's format; missing in a file. */
  readonly weights?: string;
  readonly activations: boolean;
  /** Of the activation the layer reads; missing when it stays float. */
  readonly activationBits?: number;
  readonly activationSymmetric?: boolean;
}

/** One number a user may set, with the default of its source. */
export interface Threshold {
  readonly default: number;
  readonly minimum: number;
  readonly maximum: number;
  /** What is compared with it: noun phrase for settings and documentation. */
  readonly description: string;
}

/** @typeParam T names of the rule's thresholds. */
export interface ModelRule<C extends IssueCode = IssueCode, T extends string = string> {
  readonly code: C;
  /** Severity with a recipe; without one every finding is `information`. */
  readonly severity: Severity;
  /** One line for settings and documentation. */
  readonly title: string;
  /** Markdown paragraphs for the page of its family. */
  readonly documentation: {
    /** What triggers it, default thresholds included. */
    readonly trigger: string;
    /** Why it matters. */
    readonly why: string;
    readonly remedy: string;
    /** What the gain it states is measured on; missing when none is stated. */
    readonly gain?: string;
    readonly source: string;
  };
  /** Settings `quantlens.thresholds` → `CODE.name`. */
  readonly thresholds?: Readonly<Record<T, Threshold>>;
  readonly fixes: readonly FixKind[];
  /** @param limits the thresholds in force: the user's, else the defaults. */
  check(facts: ModelFacts, limits: Readonly<Record<T, number>>): readonly Issue[];
}

/** Severity of a finding under the plan at hand. */
export function severityOf(rule: ModelRule, plan: PlannedFormats): Severity {
  return plan.fromRecipe ? rule.severity : 'information';
}

/** For facts of a finding on formats: nobody stated them. */
export function assumed(plan: PlannedFormats): { readonly assumed?: true } {
  return plan.fromRecipe ? {} : { assumed: true };
}

/** Layers with their plan, float ones left out. */
export function* quantizedLayers(facts: ModelFacts): Iterable<{ layer: LayerReport; plan: PlannedFormat }> {
  for (const layer of facts.report.layers) {
    const plan = facts.plan.layers.get(layer.name);
    if (plan && plan.granularity !== 'float') yield { layer, plan };
  }
}

/** The gain of a remedy on the whole network, else on a set of layers that holds all of these. */
export function networkGains(
  { report }: ModelFacts,
  fix: FixKind,
  layers: readonly string[],
): readonly Gain[] {
  const tried = (report.remedies ?? []).filter((one) => one.fix === fix);
  const known =
    tried.find((one) => one.layers === undefined) ??
    tried.find((one) => layers.every((name) => one.layers?.includes(name)));
  return known ? [known.output] : [];
}

/**
 * Gains that were measured for one of these remedies: on the network, or on a layer and those changed with it. Nothing
 * measured, nothing claimed.
 */
export function measuredGains(
  { report }: ModelFacts,
  fixes: readonly RemedyGain['fix'][],
  layer?: string,
): readonly Gain[] {
  const tried = (report.remedies ?? []).filter(({ fix }) => fixes.includes(fix));
  const onNetwork = tried.find(({ layers }) => layers === undefined);
  if (layer === undefined) return onNetwork ? [onNetwork.output] : [];
  const known = tried.find(({ layers }) => layers?.includes(layer)) ?? onNetwork;
  if (!known) return [];
  const local = known.local?.[layer];
  return local ? [local, known.output] : [known.output];
}
