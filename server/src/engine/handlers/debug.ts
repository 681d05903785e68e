/**
 * Job `debug`: what an already quantized model tells of itself without its float original: codes and scales, which
 * layers onnxruntime runs in integers, and on data what its activations make of their codes.
 */
import type {
  AnalysisReport,
  LayerReport,
  OutputPart,
  QuantizedLayerFacts,
  QuantizedModelFacts,
  UnfusedNode,
} from '../../protocol/reports';
import { type CountedCodes, countCodes } from '../analysis/activation-codes';
import { batchSizeFor } from '../analysis/batch-size';
import { type Fusion, fusionOf } from '../analysis/fusion';
import { openLikelyFeeds } from '../analysis/likely-noise';
import { type ModelFacts, openModelFacts } from '../analysis/model-facts';
import { quantizedFacts } from '../analysis/quantized-facts';
import { runBatch } from '../analysis/run-batch';
import type { Issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { DebugJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import { optimizedGraph } from '../runtime/optimized';
import { dataReport } from './data-report';
import { deployedOutput, differsFromItself, notLoadable, withoutFailure } from './deployed';
import { type PreparedModel, withModel } from './open';

export function debugHandler(job: DebugJob, context: ServedContext): Promise<Outcome<AnalysisReport>> {
  return withModel(job.model, (prepared) => new Debugger(prepared, job, context).run());
}

/** Gathers facts layer by layer; `report` is complete in itself at any time. */
class Debugger {
  private readonly base: ModelFacts;
  private readonly facts = new Map<string, QuantizedLayerFacts>();
  private readonly issues: Issue[] = [];
  private fusion: Fusion | undefined;
  private codes: ReadonlyMap<string, CountedCodes> = new Map();
  private samples = 0;
  private deployed: OutputPart | undefined;

  constructor(
    private readonly prepared: PreparedModel,
    private readonly job: DebugJob,
    private readonly context: ServedContext,
  ) {
    this.base = openModelFacts(prepared.open, { dimensions: job.dimensions });
  }

  async run(): Promise<Outcome<AnalysisReport>> {
    const { prepared, job, context } = this;
    const { open } = prepared;
    for (const { name, quantized } of await quantizedFacts(open.model, context)) {
      this.facts.set(name, quantized);
    }
    if (this.facts.size === 0) return ok(this.report());
    const optimized = await optimizedGraph(open.model, open, { threads: job.threads, bytes: open.bytes });
    if (optimized.value) {
      this.fusion = fusionOf(open.model, optimized.value);
      context.partial(this.report());
    } else if (this.holdsFloatCodes()) {
      // What its codes tell stays true where no runtime takes them.
      const [{ code, facts } = {}] = optimized.issues;
      if (code !== 'inference-failed') return fail(...optimized.issues);
      this.issues.push(notLoadable(facts.reason));
      return ok(this.report(), this.issues);
    } else if (optimized.issues.some((one) => one.code !== 'unsupported-feature')) {
      return fail(...optimized.issues);
    } else this.issues.push(...optimized.issues);
    const failed = job.data && (await this.count(job.data));
    return failed ? fail(...failed) : ok(this.report(), this.issues);
  }

  private holdsFloatCodes(): boolean {
    return [...this.facts.values()].some(({ weightFloat }) => weightFloat !== undefined);
  }

  private async count(data: NonNullable<DebugJob['data']>): Promise<readonly Issue[] | undefined> {
    const { prepared, job, context } = this;
    const model = prepared.plain();
    const batch = runBatch([model], data.dimensions);
    const feeds = await openLikelyFeeds(data, model, prepared.open.model, batch.value?.size);
    if (!feeds.value) return feeds.issues;
    this.issues.push(...batch.issues, ...feeds.issues);
    try {
      const counted = await countCodes({
        model,
        source: prepared.open,
        quantizers: [...this.facts.values()].flatMap((facts) => facts.inputQuantizer ?? []),
        feeds: feeds.value,
        batchSize: batchSizeFor(model, job.dimensions),
        threads: job.threads,
        signal: context.signal,
        progress: context.progress,
        partial: (codes, samples) => {
          this.take(codes, samples);
          context.partial(this.report());
        },
      });
      if (!counted.value) return counted.issues;
      this.take(counted.value.facts, counted.value.samples);
      context.partial(this.report());
      await this.deploy(feeds.value);
      return undefined;
    } finally {
      feeds.value.close();
    }
  }

  /** The file as onnxruntime runs it here against the file operator by operator. */
  private async deploy(feeds: Feeds): Promise<void> {
    const { prepared: file, job, context } = this;
    const ran = await deployedOutput({
      reference: { file, optimization: 'disabled' },
      deployed: { file, optimization: 'all' },
      feeds,
      batchSize: batchSizeFor(file.open.model, job.dimensions),
      threads: job.threads,
      context,
    });
    this.issues.push(...ran.issues.map(withoutFailure));
    this.deployed = ran.value;
    if (ran.value) this.issues.push(...differsFromItself(ran.value));
  }

  private take(codes: ReadonlyMap<string, CountedCodes>, samples: number): void {
    this.codes = codes;
    this.samples = samples;
  }

  private report(): AnalysisReport {
    const { base, fusion, job, deployed } = this;
    const { quantization } = base;
    return {
      model: base.model,
      data: job.data && this.samples > 0 ? dataReport(job.data.source, this.samples) : null,
      layers: base.layers.map((layer) => this.layerReport(layer)),
      ...(quantization
        ? {
            quantization: {
              ...quantization,
              ...(fusion
                ? { unfused: allUnfused(fusion, quantization), conversions: fusion.conversions }
                : {}),
              ...(deployed ? { deployed } : {}),
            },
          }
        : {}),
      issues: [...this.issues],
    };
  }

  private layerReport(layer: LayerReport): LayerReport {
    const facts = this.facts.get(layer.name);
    if (!facts) return layer;
    const fused = this.fusion?.fused.get(layer.name);
    const counted = facts.inputQuantizer && this.codes.get(facts.inputQuantizer.tensor);
    return {
      ...layer,
      quantized: {
        ...facts,
        ...(fused === undefined ? {} : { fused }),
        ...(counted ? { input: counted.input } : {}),
      },
      ...(counted?.activation ? { activation: counted.activation } : {}),
    };
  }
}

/** What the optimised graph shows, and operators without any kernel, which it is not asked for. */
function allUnfused(fusion: Fusion, { unfused = [] }: QuantizedModelFacts): readonly UnfusedNode[] {
  const named = new Set(fusion.unfused.map(({ node }) => node));
  return [...fusion.unfused, ...unfused.filter(({ node }) => !named.has(node))];
}
