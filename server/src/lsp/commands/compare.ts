/**
 * Float against quantized: the comparison of the compare view, which streams what it has measured, and the detail of
 * one of its layers. Both answer from the store when nothing changed since.
 */
import * as path from 'node:path';
import type { JobEnd } from '../../engine/index';
import type { CompareJob, Job, LayerDetailJob } from '../../engine/jobs';
import type { Issue } from '../../protocol/issues';
import type { CompareParams, LayerDetailParams } from '../../protocol/lsp-ext';
import type { Progress } from '../../protocol/progress';
import type { AnalysisReport, DataSpec } from '../../protocol/reports';
import type { CompareView, LayerDetailView } from '../../protocol/views';
import { compareView } from '../../rules/compare-view';
import { examinedComparison } from '../../rules/examination';
import { line } from '../../rules/words';
import { pathOf } from '../convert';
import { dataOf } from './data';
import type { JobHost } from './jobs';

/** Samples when nobody says how many: enough for a figure that stays, few enough to wait for. */
const DEFAULT_SAMPLES = 16;

/** A view of many layers is announced at most this often, milliseconds. */
const ANNOUNCE_INTERVAL = 250;

export interface CompareContext {
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
  /** The view so far. */
  readonly changed: (view: CompareView) => void;
}

/** Compares two files; after a cancel the answer holds what was measured until then. */
export async function compareFiles(
  host: JobHost,
  params: CompareParams,
  context: CompareContext,
): Promise<CompareView> {
  const job = compareJob(host, params);
  const [float, quantized] = [host.workspace.header(job.float), host.workspace.header(job.quantized)];
  const view = (
    state: CompareView['state'],
    report: AnalysisReport | undefined,
    issues: readonly Issue[],
  ): CompareView =>
    compareView({
      state,
      trusted: host.workspace.trusted,
      floatName: path.basename(job.float),
      quantizedName: path.basename(job.quantized),
      floatBytes: float.value?.model.bytes,
      quantizedBytes: quantized.value?.model.bytes,
      report,
      float: host.engine.report(job.float),
      severities: host.workspace.severities,
      thresholds: host.workspace.thresholds,
      issues,
    });
  if (!job.data.value) return view('failed', undefined, job.data.issues);
  // Names and sizes are known before anything ran.
  context.changed(view('running', undefined, []));
  let announced = 0;
  const end = await host.engine.compare(
    { ...job, data: job.data.value },
    {
      signal: context.signal,
      progress: context.progress,
      partial: (report) => {
        if (performance.now() - announced < ANNOUNCE_INTERVAL) return;
        announced = performance.now();
        context.changed(view('running', report, []));
      },
    },
    params.fresh,
  );
  host.ended(end.issues);
  if (!end.value) return view(stateOf(end), end.partial, end.issues);
  // What was compared is shown while remedies are tried.
  context.changed(view('running', end.value, []));
  const report = await examinedComparison(host.engine, end.value, {
    model: job.float,
    data: job.data.value,
    common: host.workspace.common(),
    signal: context.signal,
    progress: context.progress,
    gains: true,
    ...(params.fresh ? { fresh: true } : {}),
  });
  return view(stateOf(end), report, end.issues);
}

/** Distributions and channels of one layer. */
export async function detailOfLayer(
  host: JobHost,
  params: LayerDetailParams,
  context: Pick<CompareContext, 'signal' | 'progress'>,
): Promise<LayerDetailView> {
  const { data, ...rest } = compareJob(host, params);
  if (!params.weightOnly && !data.value) return { problems: data.issues.map(line) };
  const job: LayerDetailJob = {
    ...rest,
    kind: 'layer-detail',
    layer: params.layer,
    ...(params.weightOnly ? {} : { data: data.value }),
  };
  const end = await host.engine.layerDetail(job, context);
  host.ended(end.issues);
  const detail = end.value ?? end.partial;
  const problems = end.issues.filter(({ code }) => code !== 'cancelled').map(line);
  return { ...(detail ? { detail } : {}), problems: [...new Set(problems)] };
}

function compareJob(
  host: JobHost,
  params: CompareParams,
): Omit<CompareJob, 'data'> & {
  readonly data: { readonly value?: DataSpec; readonly issues: readonly Issue[] };
} {
  const common = host.workspace.common();
  return {
    kind: 'compare',
    float: pathOf(params.floatUri),
    quantized: pathOf(params.quantizedUri),
    ...common,
    data: dataOf({
      ...params.preprocessing,
      source: params.source ?? 'none',
      samples: params.samples ?? DEFAULT_SAMPLES,
      seed: common.seed,
    }),
  };
}

function stateOf(end: JobEnd<Job['kind']>): CompareView['state'] {
  if (end.issues.some(({ code }) => code === 'cancelled')) return 'cancelled';
  return end.value === undefined ? 'failed' : 'done';
}
