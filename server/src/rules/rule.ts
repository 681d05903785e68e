/**
 * A finding on models: id, default severity, what it needs, and a check over plain facts. One rule a file, one line in
 * `rules/index.ts`. Thresholds are the defaults of the methods table (first-hand sources named in each file).
 */
import type { Issue, IssueCode, Severity } from '../protocol/issues';
import type { AnalysisReport, FixKind, LayerReport } from '../protocol/reports';

/** What a rule sees of a model. */
export interface ModelFacts {
  readonly report: AnalysisReport;
  readonly plan: PlannedFormats;
}

/** What shall become of each layer: from the recipe, or the default w8a8 with per-tensor weights without one. */
export interface PlannedFormats {
  /** False without a recipe: findings are then information only. */
  readonly fromRecipe: boolean;
  /** BatchNormalization is folded before quantizing; true by default. */
  readonly folds: boolean;
  readonly layers: ReadonlyMap<string, PlannedFormat>;
}

export interface PlannedFormat {
  readonly bits: number;
  readonly granularity: 'tensor' | 'channel' | 'group' | 'float';
  readonly activations: boolean;
}

export interface ModelRule<C extends IssueCode = IssueCode> {
  readonly code: C;
  /** Severity with a recipe; without one every finding is `information`. */
  readonly severity: Severity;
  /** One line for settings and documentation. */
  readonly title: string;
  /** What triggers it, why it matters, what to do; sources named. Markdown paragraphs for docs/findings.md. */
  readonly documentation: {
    readonly trigger: string;
    readonly why: string;
    readonly remedy: string;
    readonly source: string;
  };
  readonly fixes: readonly FixKind[];
  check(facts: ModelFacts): readonly Issue[];
}

/** Severity of a finding under the plan at hand. */
export function severityOf(rule: ModelRule, plan: PlannedFormats): Severity {
  return plan.fromRecipe ? rule.severity : 'information';
}

/** Layers with their plan, float ones left out. */
export function* quantizedLayers(facts: ModelFacts): Iterable<{ layer: LayerReport; plan: PlannedFormat }> {
  for (const layer of facts.report.layers) {
    const plan = facts.plan.layers.get(layer.name);
    if (plan && plan.granularity !== 'float') yield { layer, plan };
  }
}
