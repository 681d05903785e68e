/** Quantize: what the editor asks becomes a job; the written file was loaded, run and compared before this answers. */
import * as path from 'node:path';
import { issue } from '../../engine/base/issue';
import type { Job } from '../../engine/jobs';
import { readRangesFile } from '../../engine/ranges-file';
import { recipeData, recipePath } from '../../engine/recipe-data';
import type { Issue } from '../../protocol/issues';
import type { QuantizeParams } from '../../protocol/lsp-ext';
import type { Progress } from '../../protocol/progress';
import type { Decibel } from '../../protocol/reports';
import type { QuantizeResult } from '../../protocol/views';
import { outputSentence } from '../../rules/model-view';
import { decibels, shortBytes } from '../../rules/numbers';
import { verdictOf } from '../../rules/verdict';
import { editorWords, line } from '../../rules/words';
import { pathOf, uriOf } from '../convert';
import type { Workspace } from '../workspace';
import { dataOf } from './data';
import type { JobHost } from './jobs';

/** Quantizes by recipe or scheme. */
export async function quantizeModel(
  host: JobHost,
  params: QuantizeParams,
  context: { readonly signal: AbortSignal; readonly progress: (progress: Progress) => void },
): Promise<QuantizeResult> {
  const job = quantizeJob(host.workspace, params);
  if (!job.value) return failed(job.issues);
  const end = await host.engine.run(job.value, context);
  host.ended(end.issues);
  if (!end.value) return failed(end.issues);
  const report = end.value;
  const { verification } = report;
  return {
    state: 'done',
    outputPath: report.output,
    outputUri: uriOf(report.output),
    bytesBefore: report.bytesBefore,
    bytesAfter: report.bytesAfter,
    output: verification,
    samples: verification.samples,
    latency: report.latency,
    summary: `${lost(verification.sqnr)}${editorWords.written(
      path.basename(report.output),
      `${shortBytes(report.bytesBefore)} → ${shortBytes(report.bytesAfter)}`,
      outputSentence(verification),
      verification.samples,
      verification.data === 'noise',
    )}`,
    problems: report.issues.map(line),
  };
}

/** Below this the noise is as strong as half of the signal, dB: nothing of use is left. */
const DESTROYED = 3;

/** First words on a file whose output is bad; nothing otherwise. */
export function lost(sqnr: Decibel): string {
  if (sqnr === null || verdictOf(sqnr) !== 'bad') return '';
  return `${editorWords.outputLost(decibels(sqnr), sqnr < DESTROYED)} `;
}

function quantizeJob(
  workspace: Workspace,
  params: QuantizeParams,
): {
  readonly value?: Extract<Job, { kind: 'quantize' }>;
  readonly issues: readonly Issue[];
} {
  const common = workspace.common();
  const recipeFile = params.recipeUri === undefined ? undefined : pathOf(params.recipeUri);
  const parsed =
    params.recipeUri !== undefined && recipeFile !== undefined
      ? workspace.recipe(params.recipeUri, recipeFile)
      : undefined;
  if (recipeFile !== undefined && !parsed?.recipe)
    return { issues: [issue('recipe-syntax', { reason: 'it holds no object' }, { path: recipeFile })] };
  const folder = recipeFile === undefined ? '' : path.dirname(recipeFile);
  const named = parsed?.recipe?.model;
  const model = named !== undefined ? recipePath(folder, named) : pathOf(params.modelUri);
  const planned = parsed?.recipe?.output;
  const output =
    params.outputPath ??
    (planned !== undefined
      ? recipePath(folder, planned)
      : defaultOutput(model, params.scheme ?? 'quantized'));
  const calibration = params.calibration && dataOf(params.calibration);
  if (calibration && !calibration.value) return { issues: calibration.issues };
  const ranges = params.rangesPath === undefined ? undefined : readRangesFile(params.rangesPath);
  if (ranges && !ranges.value) return { issues: ranges.issues };
  return {
    issues: [],
    value: {
      kind: 'quantize',
      model,
      output,
      recipe:
        parsed && recipeFile !== undefined
          ? workspace.recipeText(params.recipeUri ?? '', recipeFile)
          : undefined,
      scheme: params.scheme,
      estimator: params.calibration?.estimator,
      keepFloat: [],
      data:
        calibration?.value ?? (parsed?.recipe ? recipeData(parsed.recipe, folder, common.seed) : undefined),
      ranges: ranges?.value,
      rangesPath: params.rangesPath,
      ...common,
    },
  };
}

function defaultOutput(model: string, scheme: string): string {
  return model.replace(/(\.[^./\\]+)?$/, `.${scheme}.onnx`);
}

function failed(issues: readonly Issue[]): QuantizeResult {
  const cancelled = issues.some((one) => one.code === 'cancelled');
  const problems = issues.filter((one) => one.severity === 'error' && one.code !== 'cancelled').map(line);
  return {
    state: cancelled ? 'cancelled' : 'failed',
    summary: cancelled ? editorWords.nothingWritten : (problems[0] ?? editorWords.failed),
    problems,
  };
}
