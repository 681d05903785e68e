/**
 * Float against quantized in one session: the quantized model is the very graph that export writes, so what is
 * simulated is what is shipped; only kernels differ.
 */
import type { OutputReport, RangesFile } from '../../protocol/reports';
import { batchSizeFor } from '../analysis/batch-size';
import { runShadow, ShadowFigures, type ShadowResult } from '../analysis/run-shadow';
import {
  type ComparisonKind,
  comparisonKinds,
  type LayerEnds,
  type LayerPair,
  type ShadowOptions,
  shadowModel,
} from '../analysis/shadow';
import { defined } from '../base/invariant';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressStage } from '../base/progress';
import { type ExportPart, exportQdq } from '../export/qdq';
import { removeDead } from '../graph/edit';
import type { Model, Node, Value } from '../graph/ir';
import { cloneModel } from '../graph/walk';
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
  /** Layers compared in one session. */
  readonly part?: number;
}

/**
 * Opening a session takes time that grows faster than the graph (1,700 layers at once: minutes),
 * and nothing is seen before it ends; parts of a deep network show their first layers after a moment.
 */
const LAYERS_AT_ONCE = 128;

/** Compares float and quantized layers on all samples: at once, or part by part where there are many. */
export async function simulate(input: SimulateInput): Promise<Outcome<ShadowResult>> {
  const { pairs, stage, context, what, part = LAYERS_AT_ONCE } = input;
  // The outputs alone need no session for layers.
  if (pairs.length <= part || !(what.local || what.cumulative)) return simulateAtOnce(input);
  let known: ShadowResult | undefined;
  for (let start = 0; start < pairs.length; start += part) {
    const chosen = pairs.slice(start, start + part);
    const isLast = start + part >= pairs.length;
    const tell = (share: number) =>
      context.progress({
        stage,
        done: start + Math.floor(share * chosen.length),
        total: pairs.length,
        unit: 'layers',
      });
    const before = known;
    const ran = await simulateAtOnce({
      ...input,
      ...partOf(input, chosen, isLast),
      what: { ...what, output: what.output && isLast },
      context: { ...context, progress: ({ done, total }) => tell(total > 0 ? done / total : 0) },
      partial: (partial) => input.partial?.(merged(before, partial)),
    });
    if (!ran.value) return ran;
    known = merged(known, ran.value);
  }
  return known === undefined ? simulateAtOnce(input) : ok(known);
}

/** Copies of both networks, cut behind the chosen layers; whole with `isWhole`. */
function partOf(
  { float, quantized }: SimulateInput,
  pairs: readonly LayerPair[],
  isWhole: boolean,
): Pick<SimulateInput, 'float' | 'quantized' | 'pairs'> {
  const [exact, twin] = [copyOf(float), copyOf(quantized)];
  const chosen = pairs.map((pair) => ({
    ...pair,
    float: exact.ends(pair.float),
    quantized: twin.ends(pair.quantized),
  }));
  if (!isWhole) {
    cut(
      exact.model,
      chosen.map((pair) => pair.float.output),
    );
    cut(
      twin.model,
      chosen.map((pair) => pair.quantized.output),
    );
  }
  return { float: exact.model, quantized: twin.model, pairs: chosen };
}

/** A copy of a model, and where the ends of its layers are in it. */
function copyOf(original: Model): { readonly model: Model; ends(ends: LayerEnds): LayerEnds } {
  const model = cloneModel(original);
  const positions = new Map(original.graph.nodes.map((node, index) => [node, index]));
  const nodeOf = (node: Node) =>
    defined(model.graph.nodes[positions.get(node) ?? -1], 'a copy keeps the order of nodes');
  return {
    model,
    ends: ({ chain, activationInput, output }) => ({
      chain: chain.map(nodeOf),
      activationInput,
      output: defined(model.graph.values.get(output.name), 'a copy keeps the names of values'),
    }),
  };
}

function cut({ graph }: Model, outputs: readonly Value[]): void {
  graph.outputs.splice(0, graph.outputs.length, ...new Set(outputs));
  removeDead(graph);
}

/** What earlier layers showed and what the present ones do. */
function merged(before: ShadowResult | undefined, now: ShadowResult): ShadowResult {
  if (!before) return now;
  const both = <T>(
    one: Readonly<Record<ComparisonKind, Readonly<Record<string, T>>>>,
    other: Readonly<Record<ComparisonKind, Readonly<Record<string, T>>>>,
  ) => {
    const kinds = comparisonKinds.map((kind) => [kind, { ...one[kind], ...other[kind] }] as const);
    return Object.fromEntries(kinds) as Record<ComparisonKind, Record<string, T>>;
  };
  return {
    ...now,
    // Earlier layers have seen all samples already, unless there was nothing to compare.
    samples: Math.max(before.samples, now.samples),
    sqnr: both(before.sqnr, now.sqnr),
    metrics: both(before.metrics, now.metrics),
  };
}

/**
 * Builds the shadow graph, opens it without kernel-changing optimisations and runs all samples through it; a graph
 * without comparisons has no outputs and is not run.
 */
async function simulateAtOnce(input: SimulateInput): Promise<Outcome<ShadowResult>> {
  const { stage, feeds } = input;
  input.context.progress({ stage, done: 0, total: feeds.count, unit: 'samples' });
  const batchSize = batchSizeFor(input.float, input.options.dimensions);
  const shadow = shadowModel(input.float, input.quantized, input.pairs, input.what);
  if (shadow.comparisons.length === 0 && !shadow.topOne)
    return ok({ samples: 0, ...new ShadowFigures([]).result() });
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

/** The quantized twin of a folded model under a plan, or one with only a part of it quantized. */
export function quantizedTwin(
  prepared: PreparedModel,
  plan: QuantPlan,
  ranges: RangesFile | undefined,
  part?: ExportPart,
): Outcome<Model> {
  return exportQdq({ model: prepared.folded(), plan, ranges: ranges?.ranges, part });
}

/** The first model output's figures. */
export function outputReport(result: ShadowResult, execution: OutputReport['execution']): OutputReport {
  const [sqnr] = Object.values(result.sqnr.output);
  const [metrics] = Object.values(result.metrics.output);
  const { topOneAgreement, divergence, varying } = result;
  return {
    sqnr: sqnr ?? null,
    topOneAgreement,
    ...(varying === undefined ? {} : { varying }),
    execution,
    // An output of another type than float32 is not compared.
    ...(sqnr === undefined ? {} : { basis: 'measured' as const }),
    ...(metrics ? { metrics: { ...metrics, ...(divergence === null ? {} : { kl: divergence }) } } : {}),
  };
}
