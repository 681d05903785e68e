/** `analyze MODEL`: weight errors without data; with data also activation and output errors. */
import { issue } from '../../engine/base/issue';
import { createEstimator } from '../../engine/numerics/ranges';
import type { AnalysisReport } from '../../protocol/reports';
import { examined } from '../../rules/examination';
import { measureImportance, withImportance } from '../importance';
import { isMeasured, measureOptions } from '../measure-options';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { overlayIssue, writeOverlays } from '../overlays';
import { quantizedTable, unfusedLine } from '../quantized-table';
import { factLines, findingLines, jsonReport, layerTable, outputLines } from '../report';
import { exitCodes, failed, runCommand } from '../run';
import type { RunNote } from '../run-note';

export interface AnalyzeFlags extends GlobalFlags, DataFlags {
  readonly scheme?: readonly string[];
  readonly metric?: readonly string[];
  readonly estimator?: string;
  /** True without a number. */
  readonly findWorst?: string | true;
  readonly imatrix?: string;
  readonly overlay?: string;
  /** False with `--no-gains`. */
  readonly gains?: boolean;
}

const DEFAULT_SAMPLES = 32;

const nothingToMeasure = issue('no-layers', {}, {}, 'information');

export function analyze(model: string, flags: AnalyzeFlags): Promise<number> {
  return runCommand(flags, async (context) => {
    const { engine, terminal, common, signal, recipe } = context;
    const options = measureOptions(flags);
    if (!options.value) return failed(terminal, options.issues);
    const estimator = flags.estimator ?? recipe?.recipe.default.estimator ?? 'min-max';
    const known = createEstimator(estimator);
    if (!known.value) return failed(terminal, known.issues);
    if (flags.overlay !== undefined) {
      const misplaced = overlayIssue(engine, model, flags.overlay);
      if (misplaced) return failed(terminal, [misplaced]);
    }
    context.note.add({ kind: 'analyze', model });
    const importance =
      flags.imatrix === undefined
        ? undefined
        : await measureImportance(context, model, flags.imatrix, options.value.weightFormats);
    if (importance && !importance.value) return failed(terminal, importance.issues);
    const weights = await engine.weights(model, common, {
      signal,
      progress: terminal.progress,
      formats: options.value.weightFormats,
    });
    if (!weights.value) return failed(terminal, weights.issues);
    let report = weights.value;
    const data = dataSpec(flags, recipe?.data, DEFAULT_SAMPLES);
    const { schemes, weightsOnly } = options.value;
    const wanted = data !== undefined && (flags.data !== undefined || isMeasured(flags));
    // A file that is quantized already has its own scheme: what there is to measure is what it does with it.
    const quantized = report.layers.some((layer) => layer.quantized) && flags.scheme === undefined;
    if (quantized) {
      const debugged = await engine.debug(
        { kind: 'debug', model, ...(wanted ? { data } : {}), ...common },
        { signal, progress: terminal.progress },
      );
      if (debugged.value) {
        engine.remember(model, debugged.value);
        report = engine.report(model) ?? debugged.value;
      } else if (wanted || debugged.issues.some(({ code }) => code === 'cancelled')) {
        return failed(terminal, debugged.issues);
      } else {
        // What the file itself tells needs no runtime.
        const notes = debugged.issues.map((one) => ({ ...one, severity: 'information' as const }));
        report = { ...report, issues: [...report.issues, ...notes] };
      }
    } else if (wanted && schemes.length > 0) {
      const measured = await engine.run(
        {
          kind: 'measure',
          model,
          data,
          estimator,
          schemes,
          metrics: options.value.metrics,
          ...(recipe ? { recipe: recipe.text } : {}),
          ...(options.value.findWorst === undefined ? {} : { findWorst: options.value.findWorst }),
          ...common,
        },
        { signal, progress: terminal.progress },
      );
      if (!measured.value) return failed(terminal, measured.issues);
      engine.remember(model, measured.value);
      report = engine.report(model) ?? measured.value;
      if (flags.gains !== false) {
        report = await examined(engine, report, {
          model,
          data,
          estimator,
          recipe,
          common,
          signal,
          progress: terminal.progress,
        });
      }
    }
    if (wanted && weightsOnly.length > 0) {
      const what = `measuring ${weightsOnly.join(', ')} on data`;
      const note = issue('not-implemented', { what, next: 'int4.group32' }, {}, 'information');
      report = { ...report, issues: [...report.issues, note] };
    }
    if (importance) report = withImportance(report, importance);
    if (flags.overlay !== undefined) {
      const written = await writeOverlays(context, model, report, flags.overlay, options.value.weightFormats);
      if (!written.value) return failed(terminal, written.issues);
    }
    // Codes of a scheme are named already.
    const unread = report.issues.some(({ code }) => code === 'codes-unread');
    if (report.layers.length === 0 && !unread)
      report = { ...report, issues: [...report.issues, nothingToMeasure] };
    noteReport(context.note, report, estimator);
    if (terminal.json) {
      terminal.document(jsonReport(report, recipe?.recipe));
      return exitCodes.done;
    }
    terminal.print(factLines(report));
    if (report.data?.noData && !quantized)
      terminal.print(
        `\nno data: activation ranges come from ${report.data.noData === 'noise' ? 'noise' : 'BatchNormalization statistics'}`,
      );
    if (report.layers.some((layer) => !layer.quantized))
      terminal.print(
        `\nSQNR per layer (weight error: min-max, no data; ✗ below 10 dB, △ below 20 dB)\n${layerTable(report, options.value.weightFormats.length > 0 ? options.value.weightFormats : undefined)}`,
      );
    const codes = quantizedTable(report);
    if (codes !== '') terminal.print(`\nLayers that are quantized already\n${codes}`);
    const unfused = unfusedLine(report);
    if (unfused !== '') terminal.print(`\n${unfused}`);
    const output = outputLines(report, estimator);
    if (output !== '') terminal.print(`\n${output}`);
    const found = findingLines(report, recipe?.recipe);
    if (found !== '') terminal.print(`\n${found}`);
    return exitCodes.done;
  });
}

/** Figures of the first scheme; of several, the table tells more than a line of a history. */
function noteReport(note: RunNote, { data, output, layers }: AnalysisReport, estimator: string): void {
  note.add({ summary: `Weights of ${layers.length} layers.` });
  const [first] = Object.entries(output ?? {});
  if (!data || !first) return;
  const [scheme, figures] = first;
  note.add({ scheme, estimator, source: data.source, samples: data.samples });
  note.addOutput(figures, figures.execution);
}
