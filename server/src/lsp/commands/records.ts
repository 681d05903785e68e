/** What the history says of a run: what was asked, how it ended, one sentence. */
import type { CompareParams, QuantizeParams } from '../../protocol/lsp-ext';
import type {
  CalibrationRequest,
  CalibrationResult,
  CompareView,
  QuantizeResult,
  RunRecord,
} from '../../protocol/views';
import { outputSentence } from '../../rules/model-view';
import { editorWords } from '../../rules/words';
import { pathOf, uriOf } from '../convert';

type Run = Omit<RunRecord, 'id' | 'finishedAt'>;

export function calibrationRecord(params: CalibrationRequest, result: CalibrationResult): Run {
  const { modelUri, source, samples, estimator, scheme, seed } = params;
  const { scale, mean, std, resize, crop, layout, color } = params;
  const preprocessing = { scale, mean, std, resize, crop, layout, color };
  const { state, seconds, output, problems } = result;
  const told = output ? outputSentence(output) : editorWords.noFigures;
  return {
    kind: 'calibrate',
    // Written field by field: what else the request brought, such as its token, is of this session only.
    request: {
      kind: 'calibrate',
      calibration: { modelUri, source, samples, estimator, scheme, seed, ...preprocessing },
    },
    modelUri: normal(modelUri),
    seconds,
    state,
    scheme,
    estimator,
    source,
    samples: result.samples,
    ...(output ? { output } : {}),
    summary: state === 'failed' ? (problems[0] ?? editorWords.failed) : told,
  };
}

export function quantizeRecord(params: QuantizeParams, result: QuantizeResult, seconds: number): Run {
  const { modelUri, recipeUri, scheme, outputPath, calibration } = params;
  return {
    kind: 'quantize',
    request: { kind: 'quantize', recipeUri, scheme, outputPath, calibration },
    modelUri: normal(modelUri),
    seconds,
    state: result.state,
    scheme: scheme ?? editorWords.recipe,
    estimator: calibration?.estimator,
    source: calibration?.source,
    samples: result.samples,
    ...(result.output ? { output: result.output } : {}),
    outputUri: result.outputUri,
    summary: result.summary,
  };
}

export function compareRecord(params: CompareParams, view: CompareView, seconds: number): Run {
  const { floatUri, quantizedUri, source, samples, preprocessing } = params;
  const { output, data, problems, state } = view;
  return {
    kind: 'compare',
    request: { kind: 'compare', source, samples, preprocessing },
    modelUri: normal(floatUri),
    seconds,
    state: state === 'running' ? 'failed' : state,
    source: data?.source ?? source,
    samples: data?.samples ?? samples,
    ...(output ? { output } : {}),
    outputUri: normal(quantizedUri),
    summary: output
      ? `${view.quantizedName}: ${outputSentence(output)}`
      : (problems[0] ?? editorWords.noFigures),
  };
}

/** One address per file, however the client writes it. */
function normal(uri: string): string {
  const file = pathOf(uri);
  return file === '' ? uri : uriOf(file);
}
