/**
 * Calibrate: ranges first, then local and cumulative error with them. Figures reach every surface while they are
 * measured; after a cancel the best so far stays.
 */
import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { fingerprintOf } from '../../engine/base/fingerprint';
import { issue } from '../../engine/base/issue';
import { writeText } from '../../engine/export/write';
import { mergeReports } from '../../engine/merge-reports';
import type { Issue } from '../../protocol/issues';
import type { Progress } from '../../protocol/progress';
import type { AnalysisReport, RangesFile } from '../../protocol/reports';
import { type CalibrationRequest, type CalibrationResult, recipeScheme } from '../../protocol/views';
import { examined } from '../../rules/examination';
import { problemLines } from '../../rules/problem-lines';
import { verdictOf } from '../../rules/verdict';
import { pathOf, recipePathOf, uriOf } from '../convert';
import { dataOf } from './data';
import type { JobHost } from './jobs';
import type { Calibrated } from './output-effect';

export interface CalibrateContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** Layers measured so far. */
  readonly layers: (layers: CalibrationResult['layers']) => void;
}

/** A calibration's answer, and what later measurements can stand on once it was made. */
export interface CalibrationEnd {
  readonly result: CalibrationResult;
  readonly calibrated?: Calibrated;
}

export async function calibrateModel(
  host: JobHost,
  params: CalibrationRequest,
  context: CalibrateContext,
): Promise<CalibrationEnd> {
  const began = performance.now();
  const { signal, progress, layers } = context;
  const model = pathOf(params.modelUri);
  const { scheme, estimator, seed, dimensions = {} } = params;
  const data = dataOf(params);
  const recipe = scheme === recipeScheme ? recipeBeside(host, model) : undefined;
  const refused = [...data.issues, ...(recipe?.issues ?? [])];
  if (!data.value || refused.length > 0) return { result: ended(refused, 0, undefined, undefined, began) };
  const common = { ...host.workspace.common(), seed, dimensions };
  const ranges = await host.engine.calibrate(
    { kind: 'calibrate', model, data: data.value, estimator, ...common },
    { signal, progress },
  );
  host.ended(ranges.issues);
  const kept = ranges.value ?? ranges.partial;
  const rangesPath = kept && (await saveRanges(kept, host.cacheDirectory()));
  if (!ranges.value)
    return { result: ended(ranges.issues, kept?.data.samples ?? 0, rangesPath, undefined, began) };
  const calibrated: Calibrated = {
    data: data.value,
    estimator,
    scheme,
    seed,
    ranges: ranges.value,
    ...(recipe?.text === undefined ? {} : { recipe: recipe.text }),
  };
  const taking = host.workspace.measuring(model, true);
  const { scheme: _scheme, ...run } = calibrated;
  const measured = await host.engine.run<'measure'>(
    { kind: 'measure', model, ...common, ...run, schemes: [scheme], metrics: ['local', 'cumulative'] },
    {
      signal,
      progress,
      partial: (report) => {
        taking.take(report);
        layers(layersOf(report, scheme));
      },
    },
  );
  host.ended(measured.issues);
  const report = measured.value ?? measured.partial;
  taking.end(measured.value ? await withGains(host, model, measured.value, calibrated, context) : report);
  const result = ended(
    [...ranges.issues, ...measured.issues],
    report?.data?.samples ?? ranges.value.data.samples,
    rangesPath,
    report && { report, scheme },
    began,
  );
  return measured.value ? { result, calibrated } : { result };
}

/** The report with what remedies of its findings gain, judged by the recipe beside the model where there is one. */
function withGains(
  host: JobHost,
  model: string,
  report: AnalysisReport,
  { data, estimator, seed, ranges }: Calibrated,
  { signal, progress }: CalibrateContext,
): Promise<AnalysisReport> {
  const held = host.engine.report(model);
  const file = recipePathOf(model);
  const { recipe } = host.workspace.recipe(uriOf(file), file) ?? {};
  const text = host.workspace.recipeText(uriOf(file), file);
  return examined(host.engine, held ? mergeReports(held, report) : report, {
    model,
    data,
    estimator,
    recipe: recipe && { text, recipe },
    common: { ...host.workspace.common(), seed },
    signal,
    progress,
    ranges,
  });
}

/** Text of the recipe beside a model, as the editor or the disk has it. */
function recipeBeside(
  { workspace }: JobHost,
  model: string,
): { readonly text: string; readonly issues: readonly Issue[] } {
  const file = recipePathOf(model);
  const uri = uriOf(file);
  if (workspace.recipe(uri, file)) return { text: workspace.recipeText(uri, file), issues: [] };
  return { text: '', issues: [issue('file-not-found', { path: file }, { path: file })] };
}

async function saveRanges(ranges: RangesFile, cache: string | undefined): Promise<string | undefined> {
  const name = `ranges-${fingerprintOf(ranges.model.fingerprint, ranges.data.fingerprint, ranges.estimator, String(ranges.data.samples)).slice(0, 16)}.json`;
  const folder = cache ?? os.tmpdir();
  const file = path.join(folder, name);
  // Nothing was cached yet in a new profile. Where it cannot be made, writing says so.
  await fs.mkdir(folder, { recursive: true }).catch(() => undefined);
  const written = await writeText(file, JSON.stringify(ranges), []);
  return written.value && file;
}

function layersOf(report: AnalysisReport, scheme: string): CalibrationResult['layers'] {
  return report.layers
    .filter((layer) => layer.local?.[scheme] !== undefined || layer.cumulative?.[scheme] !== undefined)
    .map((layer) => {
      const local = layer.local?.[scheme] ?? null;
      const cumulative = layer.cumulative?.[scheme] ?? null;
      return { name: layer.name, local, cumulative, verdict: verdictOf(cumulative ?? local) };
    });
}

function ended(
  issues: readonly Issue[],
  samples: number,
  rangesPath: string | undefined,
  measured: { readonly report: AnalysisReport; readonly scheme: string } | undefined,
  began: number,
): CalibrationResult {
  const cancelled = issues.some((one) => one.code === 'cancelled');
  const wrong = issues.some((one) => one.severity === 'error' && one.code !== 'cancelled');
  return {
    state: cancelled ? 'cancelled' : wrong ? 'failed' : 'done',
    samples,
    seconds: (performance.now() - began) / 1000,
    rangesPath,
    output: measured?.report.output?.[measured.scheme],
    // Calibrating and measuring read the same model and data, and say the same of them.
    problems: problemLines(issues),
    layers: measured ? layersOf(measured.report, measured.scheme) : [],
  };
}
