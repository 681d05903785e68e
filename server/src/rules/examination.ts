/** What findings need beyond measured errors, above all what each remedy gains; joined to the report. */

import type { Recipe } from '../engine/format/recipe';
import type { Engine } from '../engine/index';
import type { CommonOptions } from '../engine/jobs';
import type { Progress } from '../protocol/progress';
import type { AnalysisReport, DataSpec, RangesFile } from '../protocol/reports';
import { findingsOf } from './model-view';
import {
  hasAttention,
  isMeasurable,
  judgedRecipe,
  needsExamination,
  questionsFor,
  withExamination,
} from './remedies';

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
}

/** The report with measured gains; noise measures no remedy, and what cannot be measured leaves the report as it is. */
export async function examined(
  engine: Engine,
  measured: AnalysisReport,
  input: ExaminationInput,
): Promise<AnalysisReport> {
  const { data, recipe, estimator } = input;
  if (!isMeasurable(measured.data)) return measured;
  const report = { ...measured, data: measured.data && { ...measured.data, estimator } };
  const remedies = questionsFor(findingsOf(report, recipe?.recipe), estimator);
  const plan = report.layers.some((layer) => layer.quantized);
  if (!plan && !needsExamination(report, remedies)) return report;
  const end = await engine.run(
    {
      kind: 'examine',
      model: input.model,
      data,
      recipe: judgedRecipe(report, recipe?.text, estimator),
      remedies,
      plan,
      attention: hasAttention(report),
      ...(input.ranges ? { ranges: input.ranges } : {}),
      ...input.common,
    },
    { signal: input.signal, progress: input.progress },
  );
  if (end.value)
    return withExamination(report, end.value, { source: data.source, samples: data.samples ?? 0 });
  const issues = end.issues.map((one) => ({ ...one, severity: 'warning' as const }));
  return { ...report, issues: [...report.issues, ...issues] };
}
