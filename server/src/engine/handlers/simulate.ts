/**
 * Float against quantized in one session: the quantized model is the very graph that export writes, so what is
 * simulated is what is shipped; only kernels differ.
 */
import type { OutputReport, RangesFile } from '../../protocol/reports';
import { batchSizeFor } from '../analysis/batch-size';
import { runShadow, type ShadowResult } from '../analysis/run-shadow';
import { type LayerPair, type ShadowOptions, shadowModel } from '../analysis/shadow';
import { fail, type Outcome } from '../base/outcome';
import type { ProgressStage } from '../base/progress';
import { exportQdq } from '../export/qdq';
import type { Model } from '../graph/ir';
import type { CommonOptions } from '../jobs';
import type { QuantPlan } from '../methods/plan';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import { openSession } from '../runtime/session-model';
import type { PreparedModel } from './open';

export interface SimulateInput {
  /** Changed: becomes the session's graph. */
  readonly float: Model;
  readonly quantized: Model;
  readonly pairs: readonly LayerPair[];
  /** Whose folder the weights of both are mapped from. */
  readonly prepared: PreparedModel;
  readonly feeds: Feeds;
  readonly what: ShadowOptions;
  readonly options: CommonOptions;
  readonly stage: ProgressStage;
  readonly context: Pick<ServedContext, 'signal' | 'progress'>;
  readonly partial?: (result: ShadowResult) => void;
}

/** Builds the shadow graph, opens it without kernel-changing optimisations and runs all samples through it. */
export async function simulate(input: SimulateInput): Promise<Outcome<ShadowResult>> {
  const { stage, feeds } = input;
  input.context.progress({ stage, done: 0, total: feeds.count, unit: 'samples' });
  const batchSize = batchSizeFor(input.float, input.options.dimensions);
  const shadow = shadowModel(input.float, input.quantized, input.pairs, input.what);
  const session = await openSession(shadow.model, input.prepared.open, {
    threads: input.options.threads,
    // Exact, and quick to open: optimising a graph of hundreds of layers takes longer than running it, and even level
    // `basic` quantizes float weights that stand between DequantizeLinear and QuantizeLinear.
    optimization: 'disabled',
  });
  if (!session.value) return fail(...session.issues);
  try {
    return await runShadow({
      shadow,
      session: session.value,
      feeds: input.feeds,
      batchSize,
      stage: input.stage,
      signal: input.context.signal,
      progress: input.context.progress,
      partial: input.partial,
    });
  } finally {
    await session.value.release();
  }
}

/** The quantized twin of a folded model under a plan. */
export function quantizedTwin(
  prepared: PreparedModel,
  plan: QuantPlan,
  ranges: RangesFile | undefined,
): Outcome<Model> {
  return exportQdq({ model: prepared.folded(), plan, ranges: ranges?.ranges });
}

/** The first model output's figures. */
export function outputReport(result: ShadowResult, execution: OutputReport['execution']): OutputReport {
  const [sqnr] = Object.values(result.sqnr.output);
  const [metrics] = Object.values(result.metrics.output);
  const { topOneAgreement, divergence } = result;
  return {
    sqnr: sqnr ?? null,
    topOneAgreement,
    execution,
    basis: 'measured',
    ...(metrics ? { metrics: { ...metrics, ...(divergence === null ? {} : { kl: divergence }) } } : {}),
  };
}
