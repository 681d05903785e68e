/** `analyze --imatrix`: joins weight errors weighted with an importance matrix to a report. */
import type { ImportanceReport } from '../engine/analysis/importance';
import type { Outcome } from '../engine/base/outcome';
import type { AnalysisReport } from '../protocol/reports';
import type { CommandContext } from './run';

/** What is weighted where `--scheme` names no complete weight format. */
const usual = ['int8.channel', 'int4.channel', 'int4.group32'];

/** Errors by layer. Issues: whatever reading finds; `importance-unmatched` when the matrix covers not every layer. */
export function measureImportance(
  { engine, common, signal, terminal }: CommandContext,
  model: string,
  matrix: string,
  asked: readonly string[],
): Promise<Outcome<ImportanceReport>> {
  const formats = asked.length > 0 ? asked : usual;
  return engine.run(
    { kind: 'importance', model, matrix, formats, ...common },
    { signal, progress: terminal.progress },
  );
}

/** The report with the weighted errors beside the plain ones. */
export function withImportance(report: AnalysisReport, found: Outcome<ImportanceReport>): AnalysisReport {
  return {
    ...report,
    layers: report.layers.map((layer) => {
      const importanceSqnr = found.value?.[layer.name];
      return importanceSqnr ? { ...layer, importanceSqnr } : layer;
    }),
    issues: [...report.issues, ...found.issues],
  };
}
