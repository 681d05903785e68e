/** `compare FLOAT QUANTIZED --data SRC`: local and cumulative error per layer of a quantized file. */

import { issue } from '../../engine/base/issue';
import type { AnalysisReport } from '../../protocol/reports';
import { examinedComparison } from '../../rules/examination';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { findingLines, jsonReport, layerTable, outputLines } from '../report';
import { exitCodes, failed, runCommand } from '../run';
import type { Terminal } from '../terminal';

export interface CompareFlags extends GlobalFlags, DataFlags {
  /** False with `--no-gains`. */
  readonly gains?: boolean;
  readonly metric?: 'local' | 'cumulative';
}

export function compare(float: string, quantized: string, flags: CompareFlags): Promise<number> {
  return runCommand(flags, async ({ engine, terminal, common, signal, recipe, note }) => {
    const data = dataSpec(flags, recipe?.data);
    if (!data) return failed(terminal, [issue('data-not-found', { source: '--data' })]);
    note.add({ kind: 'compare', model: float, source: data.source, outputFile: quantized });
    const end = await engine.run(
      { kind: 'compare', float, quantized, data, ...common, ...(flags.metric ? { only: flags.metric } : {}) },
      { signal, progress: terminal.progress },
    );
    if (!end.value) return failed(terminal, end.issues);
    const figures = end.value.output?.file;
    note.add({ samples: end.value.data?.samples });
    note.addOutput(figures?.deployed ?? figures, figures?.deployed ? 'deployed' : 'simulated');
    if (flags.metric) return printed(terminal, end.value);
    const report = await examinedComparison(engine, end.value, {
      model: float,
      data,
      common,
      signal,
      progress: terminal.progress,
      gains: flags.gains !== false,
    });
    printed(terminal, report);
    if (terminal.json) return exitCodes.done;
    const found = findingLines({ ...report, issues: [] });
    if (found !== '') terminal.print(`\n${found}`);
    return exitCodes.done;
  });
}

function printed(terminal: Terminal, report: AnalysisReport): number {
  if (terminal.json) terminal.document(jsonReport(report));
  else {
    terminal.print(layerTable(report, []));
    terminal.print(`\n${outputLines(report)}`);
    terminal.notes(report.issues);
  }
  return exitCodes.done;
}
