/**
 * Job `compare`: local and cumulative error per layer of a quantized file against its float original; what the file's
 * codes and scales tell, what its activations do with them, and the gain of the repairs that findings offer.
 */
import type { RemedyGain } from '../../protocol/remedies';
import type {
  AnalysisReport,
  Decibel,
  LayerReport,
  OutputPart,
  OutputReport,
  QuantizedLayerFacts,
} from '../../protocol/reports';
import { type CountedCodes, countCodes } from '../analysis/activation-codes';
import { batchSizeFor } from '../analysis/batch-size';
import type { LayerTwins } from '../analysis/layer-pairs';
import { openLikelyFeeds } from '../analysis/likely-noise';
import { type LostActivation, lostActivation } from '../analysis/lost-activation';
import { type ModelFacts, openModelFacts } from '../analysis/model-facts';
import { layerFacts } from '../analysis/quantized-facts';
import { quantizedGraphFacts } from '../analysis/quantized-graph';
import { probeQuantizers } from '../analysis/quantizer-probe';
import { runBatch } from '../analysis/run-batch';
import type { ShadowResult } from '../analysis/run-shadow';
import { storedError } from '../analysis/stored-error';
import { type WeightReport, weightReports } from '../analysis/weight-reports';
import { checkpoint } from '../base/cancel';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { CompareJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import { errorsInside, inside } from './compare-inside';
import { dataReport } from './data-report';
import { deployedOutput, differsFromFloat, withoutFailure } from './deployed';
import { type PreparedModel, withModel } from './open';
import { measureRepairs } from './repairs';
import { outputReport, simulate } from './simulate';
import { openTwins, type Twins } from './twins';

export { differentInputs } from './twins';

/** Key of the figures, in place of a scheme (contract: report). */
export const KEY = 'file';

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
  const twins = openTwins(floatFile, quantizedFile);
  if (!twins.value) return fail(...twins.issues);
  const { float, quantized } = twins.value;
  const batch = runBatch([float, quantized], job.data.dimensions);
  if (!batch.value) return fail(...batch.issues);
  const feeds = await openLikelyFeeds(job.data, floatFile.folded(), floatFile.open.model, batch.value.size);
  if (!feeds.value) return fail(...feeds.issues);
  try {
    const comparison = new Comparison(job, context, floatFile, quantizedFile, feeds.value);
    return await comparison.run(twins.value, [...batch.issues, ...feeds.issues]);
  } finally {
    feeds.value.close();
  }
}

/** Gathers figures, then facts; `report` is complete in itself at any time. */
class Comparison {
  private readonly base: ModelFacts;
  private readonly issues: Issue[] = [];
  private readonly stored = new Map<string, QuantizedLayerFacts>();
  private weights: ReadonlyMap<string, WeightReport> = new Map();
  /** By layer. */
  private codes: ReadonlyMap<string, CountedCodes> = new Map();
  private remedies: readonly RemedyGain[] = [];
  private result: ShadowResult | undefined;
  /** Of layers inside bodies. */
  private insideResults: readonly ShadowResult[] = [];
  private deployed: OutputPart | undefined;

  constructor(
    private readonly job: CompareJob,
    private readonly context: ServedContext,
    private readonly floatFile: PreparedModel,
    private readonly quantizedFile: PreparedModel,
    private readonly feeds: Feeds,
  ) {
    this.base = openModelFacts(floatFile.open, { dimensions: job.dimensions });
  }

  async run(twins: Twins, issues: readonly Issue[]): Promise<Outcome<AnalysisReport>> {
    const { job, context, floatFile, quantizedFile, feeds } = this;
    this.issues.push(
      ...issues,
      ...twins.unmatched.map((layer) => issue('layer-unmatched', { layer }, { layer }, 'warning')),
      ...twins.differing.map((facts) => issue('weight-differs', facts, { layer: facts.layer }, 'error')),
    );
    const { only } = job;
    const bodies = inside(twins);
    const layers = [...twins.twins, ...bodies.twins];
    this.issues.push(...bodies.issues, ...missingActivations(layers));
    // Before the two graphs become one.
    if (only === undefined) await this.readWeights(layers);
    const result = await simulate({
      float: twins.float,
      quantized: twins.quantized,
      pairs: twins.pairs,
      prepared: floatFile,
      feeds,
      what: {
        local: only !== 'cumulative',
        cumulative: only !== 'local',
        output: true,
        ratiosOnly: only !== undefined,
      },
      options: job,
      stage: 'compare',
      context,
      partial: (partial) => {
        this.result = partial;
        context.partial(this.report());
      },
    });
    if (!result.value) return fail(...result.issues);
    this.result = result.value;
    const batchSize = batchSizeFor(floatFile.open.model, job.dimensions);
    const within = await errorsInside({ job, context, floatFile, quantizedFile, feeds, batchSize }, bodies);
    this.insideResults = within.results;
    this.issues.push(...within.issues);
    if (only !== undefined) return ok(this.report(), this.issues);
    context.partial(this.report());
    await this.deploy(result.value);
    context.partial(this.report());
    const counted = await this.count();
    if (counted) return fail(...counted);
    context.partial(this.report());
    const remedies = await measureRepairs({
      job,
      context,
      floatFile,
      quantizedFile,
      feeds,
      before: result.value,
      layers: this.report().layers,
    });
    if (!remedies.value) return fail(...remedies.issues);
    this.remedies = remedies.value;
    return ok(this.report(), this.issues);
  }

  /** The file as onnxruntime runs it here; where it cannot be run so, that is told and the simulated figures stay. */
  private async deploy(simulated: ShadowResult): Promise<void> {
    const { job, context, floatFile, quantizedFile, feeds } = this;
    const compared = outputReport(simulated, 'simulated');
    // An output that the simulation does not compare has no figure to stand beside.
    if (compared.basis === undefined) return;
    const ran = await deployedOutput({
      reference: { file: floatFile, optimization: 'all' },
      deployed: { file: quantizedFile, optimization: 'all' },
      feeds,
      batchSize: batchSizeFor(floatFile.open.model, job.dimensions),
      threads: job.threads,
      context,
    });
    this.issues.push(...ran.issues.map(withoutFailure));
    this.deployed = ran.value;
    if (ran.value) this.issues.push(...differsFromFloat(compared.sqnr, ran.value.sqnr));
  }

  /** What the file's quantizers make of the float activations: those of the file carry earlier layers' errors. */
  private async count(): Promise<readonly Issue[] | undefined> {
    const { job, context, floatFile, quantizedFile, feeds } = this;
    const twins = openTwins(floatFile, quantizedFile);
    if (!twins.value) return twins.issues;
    const { float } = twins.value;
    const probes = probeQuantizers(float, twins.value.twins);
    const counted = await countCodes({
      model: float,
      source: floatFile.open,
      quantizers: [...probes.values()].map(({ quantizer }) => quantizer),
      feeds,
      batchSize: batchSizeFor(float, job.dimensions),
      threads: job.threads,
      signal: context.signal,
      progress: context.progress,
    });
    if (!counted.value) return counted.issues;
    const { facts } = counted.value;
    this.codes = new Map(
      [...probes].flatMap(([name, { quantizer, activation }]) => {
        const found = facts.get(quantizer.tensor);
        const real = found?.activation && { activation: { ...found.activation, tensor: activation } };
        return found ? [[name, { ...found, ...real }] as const] : [];
      }),
    );
    return undefined;
  }

  /** Weights of both files: what findings judge, and the true error of the stored ones. */
  private async readWeights(twins: readonly LayerTwins[]): Promise<void> {
    const { context, floatFile } = this;
    const quiet = { signal: context.signal, progress: () => {} };
    const { model } = floatFile.open;
    const { reports } = await weightReports({ model, folded: floatFile.folded(), formats: [], ...quiet });
    this.weights = new Map(reports.map((one) => [one.name, one]));
    for (const { name, float, quantized } of twins) {
      await checkpoint(context.signal);
      const facts = layerFacts(quantized);
      if (facts) this.stored.set(name, { ...facts, ...storedError(float, quantized) });
    }
  }

  private report(): AnalysisReport {
    const { base, job, result, issues, remedies } = this;
    const quantization = quantizedGraphFacts(this.quantizedFile.open.model);
    return {
      model: base.model,
      data: result ? dataReport(job.data.source, result.samples) : null,
      layers: base.layers.map((layer) => this.layerReport(layer)),
      ...(result ? { output: { [KEY]: this.outputReport(result) } } : {}),
      ...(quantization ? { quantization } : {}),
      ...(remedies.length > 0 ? { remedies } : {}),
      issues: [...issues],
    };
  }

  private outputReport(result: ShadowResult): OutputReport {
    const { deployed } = this;
    return { ...outputReport(result, 'simulated'), ...(deployed ? { deployed } : {}) };
  }

  /** A layer stands in the main graph or in a body. */
  private figuresOf(name: string): Partial<LayerReport> {
    let figures: Partial<LayerReport> = {};
    for (const result of this.result ? [this.result, ...this.insideResults] : [])
      figures = { ...figures, ...figuresOf(name, result) };
    return figures;
  }

  private layerReport(layer: LayerReport): LayerReport {
    const { name } = layer;
    const facts = this.stored.get(name);
    const counted = this.codes.get(name);
    const quantized = facts && { ...facts, ...(counted ? { input: counted.input } : {}) };
    return {
      ...layer,
      ...this.weights.get(name),
      ...(quantized ? { quantized } : {}),
      ...(counted?.activation ? { activation: counted.activation } : {}),
      ...this.figuresOf(name),
    };
  }
}

/** Activation functions of the float network that the file neither has nor implies: one issue for each kind. */
function missingActivations(twins: readonly LayerTwins[]): readonly Issue[] {
  const found = new Map<string, LostActivation & { readonly layers: string[] }>();
  for (const { name, float, quantized } of twins) {
    const lost = lostActivation(float, quantized);
    if (!lost) continue;
    const key = `${lost.op} ${lost.format}`;
    const known = found.get(key) ?? { ...lost, layers: [] };
    known.layers.push(name);
    found.set(key, known);
  }
  return [...found.values()].map((facts) =>
    issue('activation-missing', facts, { layer: facts.layers[0] }, 'error'),
  );
}

function figuresOf(name: string, result: ShadowResult): Partial<LayerReport> {
  const figure = (kind: 'local' | 'localWeights' | 'localActivations' | 'cumulative') => {
    const db: Decibel | undefined = result.sqnr[kind][name];
    return db === undefined ? {} : { [kind]: { [KEY]: db } };
  };
  const metrics = (kind: 'local' | 'cumulative', field: 'metrics' | 'cumulativeMetrics') => {
    const found = result.metrics[kind][name];
    return found === undefined ? {} : { [field]: { [KEY]: found } };
  };
  return {
    ...metrics('local', 'metrics'),
    ...metrics('cumulative', 'cumulativeMetrics'),
    ...figure('local'),
    ...figure('localWeights'),
    ...figure('localActivations'),
    ...figure('cumulative'),
  };
}
