/** What findings need beyond measured errors, above all what each remedy gains; joined to the report. */

import type { Recipe } from '../engine/format/recipe';
import type { Engine } from '../engine/index';
import type { CommonOptions } from '../engine/jobs';
import type { AnalysisReport, DataSpec } from '../protocol/reports';
import { givesImages } from '../rules/model/m22-regression-range';
import { findingsOf } from '../rules/model-view';
import {
  hasAttention,
  judgedRecipe,
  needsExamination,
  questionsFor,
  withExamination,
} from '../rules/remedies';
import type { Terminal } from './terminal';

export interface ExaminationInput {
  /** Float model. */
  readonly model: string;
  readonly data: DataSpec;
  readonly estimator: string;
  readonly recipe: { readonly text: string; readonly recipe: Recipe } | undefined;
  readonly common: CommonOptions;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** The report with measured gains; noise measures no remedy, and what cannot be measured leaves the report as it is. */
export async function examined(
  engine: Engine,
  report: AnalysisReport,
  input: ExaminationInput,
): Promise<AnalysisReport> {
  const { data, recipe } = input;
  if (data.source === 'none' || data.source === 'random' || report.data?.noData) return report;
  const remedies = questionsFor(findingsOf(report, recipe?.recipe));
  const plan = report.layers.some((layer) => layer.quantized);
  if (!plan && !needsExamination(report, remedies)) return report;
  const end = await engine.run(
    {
      kind: 'examine',
      model: input.model,
      data,
      recipe: judgedRecipe(report, recipe?.text, input.estimator),
      remedies,
      plan,
      attention: hasAttention(report),
      sampleSpread: givesImages(report.model),
      ...input.common,
    },
    { signal: input.signal, progress: input.terminal.progress },
  );
  if (end.value)
    return withExamination(report, end.value, { source: data.source, samples: data.samples ?? 0 });
  const issues = end.issues.map((one) => ({ ...one, severity: 'warning' as const }));
  return { ...report, issues: [...report.issues, ...issues] };
}
