/** `analyze MODEL`: weight errors without data; with data also activation and output errors. */
import { issue } from '../../engine/base/issue';
import { isMeasured, measureOptions } from '../measure-options';
import type { DataFlags, GlobalFlags } from '../options';
import { dataSpec } from '../options';
import { loadRecipe } from '../recipe';
import { factLines, findingLines, jsonReport, layerTable, outputLines } from '../report';
import { exitCodes, failed, runCommand } from '../run';

export interface AnalyzeFlags extends GlobalFlags, DataFlags {
  readonly recipe?: string;
  readonly scheme?: readonly string[];
  readonly metric?: readonly string[];
  readonly estimator?: string;
}

const DEFAULT_SAMPLES = 32;

export function analyze(model: string, flags: AnalyzeFlags): Promise<number> {
  return runCommand(flags, async (context) => {
    const { engine, terminal, common, signal } = context;
    const recipe = loadRecipe(flags.recipe, flags.seed);
    if (recipe.issues.length > 0 && !recipe.value) return failed(terminal, recipe.issues);
    const options = measureOptions(flags);
    if (!options.value) return failed(terminal, options.issues);
    const weights = await engine.weights(model, common, {
      signal,
      progress: terminal.progress,
      formats: options.value.weightFormats,
    });
    if (!weights.value) return failed(terminal, weights.issues);
    let report = weights.value;
    const data = dataSpec(flags, recipe.value?.data, DEFAULT_SAMPLES);
    const { schemes, weightsOnly } = options.value;
    const wanted = data !== undefined && (flags.data !== undefined || isMeasured(flags));
    if (wanted && schemes.length > 0) {
      const measured = await engine.run(
        {
          kind: 'measure',
          model,
          data,
          estimator: flags.estimator ?? recipe.value?.recipe.default.estimator ?? 'min-max',
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
      terminal.document(jsonReport(report, recipe.value?.recipe));
      return exitCodes.done;
    }
    terminal.print(factLines(report));
    if (report.data?.noData)
      terminal.print(
        `\nno data: activation ranges come from ${report.data.noData === 'noise' ? 'noise' : 'BatchNormalization statistics'}`,
      );
    terminal.print(
      `\nSQNR per layer (weight error: min-max, no data; ! below 10 dB, ? below 20 dB)\n${layerTable(report, options.value.weightFormats.length > 0 ? options.value.weightFormats : undefined)}`,
    );
    const output = outputLines(report);
    if (output !== '') terminal.print(`\n${output}`);
    const found = findingLines(report, recipe.value?.recipe);
    if (found !== '') terminal.print(`\n${found}`);
    return exitCodes.done;
  });
}
