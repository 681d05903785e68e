/** Job `compare`: local and cumulative error per layer of a quantized file against its float original. */
import type { AnalysisReport, Decibel, LayerReport, QuantizedLayerFacts } from '../../protocol/reports';
import { matchedPairs } from '../analysis/layer-pairs';
import { openLikelyFeeds } from '../analysis/likely-noise';
import { openModelFacts } from '../analysis/model-facts';
import { layerFacts } from '../analysis/quantized-facts';
import type { ShadowResult } from '../analysis/run-shadow';
import type { LayerPair } from '../analysis/shadow';
import { checkpoint } from '../base/cancel';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { defaultOpset, type Model } from '../graph/ir';
import { listLayers } from '../graph/layers';
import type { CompareJob } from '../jobs';
import { raiseObstacle, raiseOpset } from '../methods/opset';
import type { ServedContext } from '../runtime/child';
import { dataReport } from './data-report';
import { type PreparedModel, withModel } from './open';
import { outputReport, simulate } from './simulate';

/** Key of the figures, in place of a scheme (contract: report). */
const KEY = 'file';

export function compareHandler(job: CompareJob, context: ServedContext): Promise<Outcome<AnalysisReport>> {
  return withModel(job.float, (float) =>
    withModel(job.quantized, (quantized) => compare(job, context, float, quantized)),
  );
}

async function compare(
  job: CompareJob,
  context: ServedContext,
  floatFile: PreparedModel,
  quantizedFile: PreparedModel,
): Promise<Outcome<AnalysisReport>> {
  const float = floatFile.folded();
  const quantized = quantizedFile.plain();
  const different = differentInputs(float, quantized) ?? differentOpsets(float, quantized);
  if (different !== undefined) return fail(issue('models-differ', { reason: different }));
  const { pairs, unmatched } = matchedPairs(float, quantized);
  const base = openModelFacts(floatFile.open, { dimensions: job.dimensions });
  const issues = unmatched.map((layer) => issue('layer-unmatched', { layer }, { layer }, 'warning'));
  const feeds = await openLikelyFeeds(job.data, floatFile.folded(), floatFile.open.model);
  if (!feeds.value) return fail(...feeds.issues);
  const report = (result: ShadowResult, facts?: QuantizedFacts): AnalysisReport => ({
    model: base.model,
    data: dataReport(job.data.source, result.samples),
    layers: base.layers.map((layer) => withFigures(layer, result, facts?.get(layer.name))),
    output: { [KEY]: outputReport(result, 'simulated') },
    issues: [...feeds.issues, ...issues],
  });
  try {
    const result = await simulate({
      float,
      quantized,
      pairs,
      prepared: floatFile,
      feeds: feeds.value,
      what: { local: true, cumulative: true, output: true },
      options: job,
      stage: 'compare',
      context,
      partial: (partial) => context.partial(report(partial)),
    });
    if (!result.value) return fail(...result.issues);
    // Last, because figures are what somebody waits for.
    const facts = await quantizedFacts(quantized, pairs, context.signal);
    return ok(report(result.value, facts), [...feeds.issues, ...issues]);
  } finally {
    feeds.value.close();
  }
}

/** Of the quantized file's layers, by the names of their float counterparts. */
type QuantizedFacts = ReadonlyMap<string, QuantizedLayerFacts>;

/** How the quantized file stores each layer that was found in both. */
async function quantizedFacts(
  quantized: Model,
  pairs: readonly LayerPair[],
  signal: AbortSignal,
): Promise<QuantizedFacts> {
  const layers = new Map(listLayers(quantized).map((layer) => [layer.node, layer]));
  const found = new Map<string, QuantizedLayerFacts>();
  for (const pair of pairs) {
    await checkpoint(signal);
    const [node] = pair.quantized.chain;
    const layer = node && layers.get(node);
    const facts = layer?.quantized ? layerFacts(layer) : undefined;
    if (facts) found.set(pair.name, facts);
  }
  return found;
}

function withFigures(
  layer: LayerReport,
  result: ShadowResult,
  quantized: QuantizedLayerFacts | undefined,
): LayerReport {
  const figure = (kind: 'local' | 'localWeights' | 'localActivations' | 'cumulative') => {
    const db: Decibel | undefined = result.sqnr[kind][layer.name];
    return db === undefined ? {} : { [kind]: { [KEY]: db } };
  };
  const metrics = (kind: 'local' | 'cumulative', field: 'metrics' | 'cumulativeMetrics') => {
    const found = result.metrics[kind][layer.name];
    return found === undefined ? {} : { [field]: { [KEY]: found } };
  };
  return {
    ...layer,
    ...(quantized ? { quantized } : {}),
    ...metrics('local', 'metrics'),
    ...metrics('cumulative', 'cumulativeMetrics'),
    ...figure('local'),
    ...figure('localWeights'),
    ...figure('localActivations'),
    ...figure('cumulative'),
  };
}

/** What keeps two models from running on the same inputs, in words; `undefined` = nothing. */
export function differentInputs(float: Model, quantized: Model): string | undefined {
  const ours = float.graph.dataInputs;
  const theirs = quantized.graph.dataInputs;
  if (ours.length !== theirs.length) return `${ours.length} inputs against ${theirs.length}`;
  if (float.graph.outputs.length !== quantized.graph.outputs.length) {
    return `${float.graph.outputs.length} outputs against ${quantized.graph.outputs.length}`;
  }
  const wrong = ours.find((input, index) => input.elementType !== theirs[index]?.elementType);
  return wrong && `input ${wrong.name} has another type`;
}

/**
 * Raises the older model to the newer one's operator set, because both run in one session.
 * @returns what keeps it from being raised, in words; `undefined` = nothing. Versions that nobody has checked are left
 *   to the session to refuse.
 */
function differentOpsets(float: Model, quantized: Model): string | undefined {
  const version = Math.max(defaultOpset(float), defaultOpset(quantized));
  for (const model of [float, quantized]) {
    const obstacle = raiseObstacle(model, version);
    if (obstacle === 'version') continue;
    if (obstacle) {
      return `opset ${defaultOpset(model)} against ${version}, and ${obstacle.op} ${obstacle.node} means something else there`;
    }
    raiseOpset(model, version);
  }
  return undefined;
}
