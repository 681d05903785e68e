/** What findings need beyond measured errors, above all what each remedy gains; joined to the report. */

import type { Recipe } from '../engine/format/recipe';
import type { Engine } from '../engine/index';
import type { CommonOptions } from '../engine/jobs';
import { mergeReports } from '../engine/merge-reports';
import type { Progress } from '../protocol/progress';
import type { AnalysisReport, DataSpec, RangesFile } from '../protocol/reports';
import { judgedRecipe, withBaselines } from './judged-recipe';
import { findingsOf } from './model-view';
import { hasAttention, isMeasurable, needsExamination, questionsFor, withExamination } from './remedies';

export interface ExaminationInput {
  /** Float model. */
  readonly model: string;
  readonly data: DataSpec;
  readonly estimator: string;
  readonly recipe: { readonly text: string; readonly recipe: Recipe } | undefined;
  readonly common: CommonOptions;
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** Ranges calibrated just now on the same model and data. */
  readonly ranges?: RangesFile;
  /** Measured again in any case. */
  readonly fresh?: boolean;
}

export type ComparisonInput = Omit<ExaminationInput, 'estimator' | 'recipe' | 'ranges'> & {
  /** False: weights only. */
  readonly gains: boolean;
};

/**
 * A comparison with what its findings need beside it: facts of the float weights, and what remedies gain. A file that
 * tells nothing of its formats has no findings and stays as it is.
 */
export async function examinedComparison(
  engine: Engine,
  report: AnalysisReport,
  { gains, ...input }: ComparisonInput,
): Promise<AnalysisReport> {
  if (!report.layers.some((layer) => layer.quantized)) return report;
  const { model, common, signal, progress } = input;
  const weights = await engine.weights(model, common, { signal, progress });
  const whole = weights.value ? mergeReports(weights.value, report) : report;
  if (!gains) return whole;
  // A remedy is calibrated as most files are.
  return examined(engine, whole, { ...input, estimator: 'min-max', recipe: undefined });
}

/** The report with measured gains; noise measures no remedy, and what cannot be measured leaves the report as it is. */
export async function examined(
  engine: Engine,
  measured: AnalysisReport,
  input: ExaminationInput,
): Promise<AnalysisReport> {
  const { data, recipe, estimator } = input;
  const report = { ...measured, data: measured.data && { ...measured.data, estimator } };
  if (!isMeasurable(measured.data)) return report;
  const plan = report.layers.some((layer) => layer.quantized);
  const remedies = questionsFor(findingsOf(report, recipe?.recipe), estimator, plan);
  if (!plan && !needsExamination(report, remedies)) return report;
  const judged = judgedRecipe(report, recipe?.text, estimator);
  if (judged === undefined) return report;
  const end = await engine.examine(
    {
      kind: 'examine',
      model: input.model,
      data,
      recipe: judged,
      remedies: withBaselines(remedies, report, recipe?.text, estimator),
      plan,
      attention: hasAttention(report),
      ...(input.ranges ? { ranges: input.ranges } : {}),
      ...input.common,
    },
    { signal: input.signal, progress: input.progress },
    input.fresh,
  );
  if (end.value)
    return withExamination(report, end.value, { source: data.source, samples: data.samples ?? 0 });
  const issues = end.issues.map((one) => ({ ...one, severity: 'warning' as const }));
  return { ...report, issues: [...report.issues, ...issues] };
}
