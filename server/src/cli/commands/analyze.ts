/** `analyze MODEL`: weight errors without data; with data also activation and output errors. */
import { issue } from '../../engine/base/issue';
import { createEstimator } from '../../engine/numerics/ranges';
import { isMeasured, measureOptions } from '../measure-options';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { factLines, findingLines, jsonReport, layerTable, outputLines } from '../report';
import { exitCodes, failed, runCommand } from '../run';

export interface AnalyzeFlags extends GlobalFlags, DataFlags {
  readonly scheme?: readonly string[];
  readonly metric?: readonly string[];
  readonly estimator?: string;
}

const DEFAULT_SAMPLES = 32;

export function analyze(model: string, flags: AnalyzeFlags): Promise<number> {
  return runCommand(flags, async (context) => {
    const { engine, terminal, common, signal, recipe } = context;
    const options = measureOptions(flags);
    if (!options.value) return failed(terminal, options.issues);
    const estimator = flags.estimator ?? recipe?.recipe.default.estimator ?? 'min-max';
    const known = createEstimator(estimator);
    if (!known.value) return failed(terminal, known.issues);
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
    if (wanted && schemes.length > 0) {
      const measured = await engine.run(
        {
          kind: 'measure',
          model,
          data,
          estimator,
          schemes,
          metrics: options.value.metrics,
          ...common,
        },
        { signal, progress: terminal.progress },
      );
      if (!measured.value) return failed(terminal, measured.issues);
      engine.remember(model, measured.value);
      report = engine.report(model) ?? measured.value;
    }
    if (wanted && weightsOnly.length > 0) {
      const what = `measuring ${weightsOnly.join(', ')} on data`;
      const note = issue('not-implemented', { what, next: 'int4.group32' }, {}, 'information');
      report = { ...report, issues: [...report.issues, note] };
    }
    if (terminal.json) {
      terminal.document(jsonReport(report, recipe?.recipe));
      return exitCodes.done;
    }
    terminal.print(factLines(report));
    if (report.data?.noData)
      terminal.print(
        `\nno data: activation ranges come from ${report.data.noData === 'noise' ? 'noise' : 'BatchNormalization statistics'}`,
      );
    terminal.print(
      `\nSQNR per layer (weight error: min-max, no data; ✗ below 10 dB, △ below 20 dB)\n${layerTable(report, options.value.weightFormats.length > 0 ? options.value.weightFormats : undefined)}`,
    );
    const output = outputLines(report);
    if (output !== '') terminal.print(`\n${output}`);
    const found = findingLines(report, recipe?.recipe);
    if (found !== '') terminal.print(`\n${found}`);
    return exitCodes.done;
  });
}
