/**
 * Output effect: each layer alone quantized, everything else float, measured at the model's first real output. Exact by
 * segments (`segments.ts`): activations at the cuts are kept for one batch of samples; one session per segment starts
 * at its cut and holds the rest of the network once per layer, with that layer quantized, so that weights are prepared
 * once and only sums leave native code. Before that a noise-gain model tells all layers at once from one sample
 * (`output-effect-estimate.ts`). Segments are measured most sensitive first; memory holds one batch.
 */
import type { Basis, Decibel } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { addInput, addNode } from '../graph/edit';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { cloneModel } from '../graph/walk';
import { sqnr } from '../numerics/metrics';
import type { Feeds } from '../runtime/feeds';
import type { InputTensors, RuntimeTensor, Session } from '../runtime/ort';
import { scalar } from './comparisons';
import {
  inputsOf,
  isReal,
  NoiseGains,
  type PairedSegment,
  type Tensors,
  typeEnds,
} from './output-effect-estimate';
import { GraphBuilder } from './reductions';
import { type CutLayer, segmentsOf } from './segments';
import type { LayerPair } from './shadow';
import { variantsOf } from './variants';

/**
 * Opens a session on a model; the handler knows files and threads. `mapped`: optimised, but nodes that read one weight
 * share it as it lies in the file, where `all` would pack it for each of them.
 */
export type OpenSession = (
  model: Model,
  optimization: 'all' | 'mapped' | 'disabled',
) => Promise<Outcome<Session>>;

export interface OutputEffectInput {
  /** Float network in the operator set of the twin; not changed. */
  readonly float: Model;
  /** Layers to quantize, of `float` and its quantized twin. */
  readonly pairs: readonly LayerPair[];
  /** Layers with their costs, of `float`. */
  readonly layers: readonly CutLayer[];
  readonly open: OpenSession;
  readonly feeds: Feeds;
  /** Samples whose activations at the cuts are kept at once. */
  readonly batchSize: number;
  /** Samples per run, at most `batchSize`; as many as that when not given. */
  readonly runSize?: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Layers of a batch done and to do, with the layer's name; called for every layer. */
  readonly progress?: (done: number, total: number, layer: string) => void;
  /** Called with the estimates of all layers, then after every measured layer. */
  readonly effects?: (effects: ReadonlyMap<string, OutputEffect>) => void;
}

export interface OutputEffect {
  readonly sqnr: Decibel;
  /** Σe² at the output relative to Σx². */
  readonly noise: number;
  readonly basis: Basis;
}

interface MeasuredSegment extends PairedSegment {
  /** Largest estimated effect of its layers. */
  urgency: number;
}

/** Measures all layers; none when no output is real. Issues: whatever opening or running a session finds. */
export async function outputEffects(
  input: OutputEffectInput,
): Promise<Outcome<ReadonlyMap<string, OutputEffect>>> {
  const float = cloneModel(input.float);
  const target = realTarget(float);
  if (!target) return ok(new Map());
  const sweep = new EffectSweep(input, float, target);
  try {
    const failed = await sweep.run();
    return failed ?? ok(sweep.effects);
  } finally {
    await sweep.release();
  }
}

/** The first output that holds real numbers, as float32. */
function realTarget(model: Model): Value | undefined {
  const { graph } = model;
  const output = graph.outputs.find(isReal);
  if (!output || output.elementType === 0 || output.elementType === DataTypeCode.float) return output;
  const to = { type: 'int', value: BigInt(DataTypeCode.float) } as const;
  const cast = addNode(graph, {
    opType: 'Cast',
    inputs: [output],
    outputs: [`${output.name}/float`],
    attributes: [['to', to]],
  });
  const value = defined(cast.output(), 'cast output');
  value.elementType = DataTypeCode.float;
  value.shape = output.shape;
  return value;
}

class EffectSweep {
  readonly effects = new Map<string, OutputEffect>();
  private readonly sums = new Map<string, { noise: number; signal: number }>();
  private readonly sessions = new Set<Session>();
  private readonly segments: MeasuredSegment[];

  constructor(
    private readonly input: OutputEffectInput,
    private readonly float: Model,
    private readonly target: Value,
  ) {
    const { graph } = float;
    const byName = new Map(input.pairs.map((pair) => [pair.name, pair]));
    const layers = input.layers.flatMap((layer) => {
      const output = layer.node.output();
      const node = output && graph.values.get(output.name)?.producer;
      return node && byName.has(layer.name) ? [{ ...layer, node }] : [];
    });
    this.segments = segmentsOf(graph, target, layers).map((segment) => ({
      ...segment,
      pairs: segment.layers.flatMap((name) => byName.get(name) ?? []),
      urgency: 0,
    }));
  }

  async run(): Promise<Outcome<never> | undefined> {
    const base = await this.open(this.baseModel(), 'all');
    if (!base.value) return fail(...base.issues);
    const failed = await this.estimate(base.value);
    if (failed) return failed;
    this.input.effects?.(this.effects);
    this.segments.sort((one, other) => other.urgency - one.urgency);
    return this.measure(base.value);
  }

  async release(): Promise<void> {
    for (const session of this.sessions) await session.release();
    this.sessions.clear();
  }

  /** Shows every cut and the target. */
  private baseModel(): Model {
    const model = cloneModel(this.float);
    const names = new Set(
      [...this.segments.flatMap((segment) => segment.outputs), this.target].map((v) => v.name),
    );
    const shown = [...names].map((name) => defined(model.graph.values.get(name), 'cut value'));
    model.graph.outputs.splice(0, model.graph.outputs.length, ...shown);
    return model;
  }

  private async estimate(base: Session): Promise<Outcome<never> | undefined> {
    const first = await this.firstBatch(1);
    if (!first.value) return fail(...first.issues);
    const ran = await this.cutsOf(base, first.value);
    if (!ran.value) return fail(...ran.issues);
    const cuts = ran.value;
    typeEnds(this.segments, cuts);
    const signal = power(defined(cuts[this.target.name], 'target of the base run'));
    const { float, target, segments } = this;
    const gains = await NoiseGains.open({
      float,
      target,
      segments,
      cuts,
      open: (model, level) => this.open(model, level),
      close: (session) => this.close(session),
      seed: this.input.seed,
    });
    if (!gains.value) return fail(...gains.issues);
    for (const segment of segments) {
      await checkpoint(this.input.signal);
      const noises = await gains.value.of(segment);
      if (!noises.value) return fail(...noises.issues);
      for (const [layer, noise] of noises.value) {
        this.effects.set(layer, { sqnr: sqnr({ signal, noise }), noise: noise / signal, basis: 'estimated' });
        segment.urgency = Math.max(segment.urgency, noise / signal);
      }
    }
    await gains.value.close();
    return undefined;
  }

  private async measure(base: Session): Promise<Outcome<never> | undefined> {
    const { feeds, batchSize, signal, progress } = this.input;
    const layers = this.segments.reduce((sum, segment) => sum + segment.pairs.length, 0);
    const total = layers * Math.ceil(feeds.count / batchSize);
    let done = 0;
    const measured = (layer: string) => {
      done++;
      progress?.(done, total, layer);
    };
    let kept: Tensors[] = [];
    let count = 0;
    const measureKept = async () => {
      for (const segment of kept.length > 0 ? this.segments : []) {
        const failed = await this.measureSegment(segment, kept, measured);
        if (failed) return failed;
      }
      kept = [];
      count = 0;
      return undefined;
    };
    const runSize = Math.min(this.input.runSize ?? batchSize, batchSize);
    for await (const batch of feeds.batches(runSize, signal)) {
      if (!batch.value) return fail(...batch.issues);
      const cuts = await this.cutsOf(base, batch.value.feeds);
      if (!cuts.value) return fail(...cuts.issues);
      kept.push(cuts.value);
      count += batch.value.count;
      const failed = count >= batchSize ? await measureKept() : undefined;
      if (failed) return failed;
    }
    return measureKept();
  }

  private async measureSegment(
    segment: MeasuredSegment,
    kept: readonly Tensors[],
    measured: (layer: string) => void,
  ): Promise<Outcome<never> | undefined> {
    await checkpoint(this.input.signal);
    const { model, noises } = noiseModel(this.float, segment, this.target);
    if (noises.size === 0) return undefined;
    const opened = await this.open(model, 'mapped');
    if (!opened.value) return fail(...opened.issues);
    const session = opened.value;
    for (const cuts of kept) {
      await checkpoint(this.input.signal);
      const reference = defined(cuts[this.target.name], 'target of the base run');
      const ran = await session.run(inputsOf(session, { ...cuts, [REFERENCE]: reference }));
      if (!ran.value) return fail(...ran.issues);
      const signal = power(reference);
      for (const [layer, name] of noises) this.add(layer, scalar(ran.value[name]), signal);
    }
    await this.close(session);
    for (const layer of noises.keys()) {
      await checkpoint(this.input.signal);
      const sums = defined(this.sums.get(layer), 'sums of a measured layer');
      this.effects.set(layer, { sqnr: sqnr(sums), noise: sums.noise / sums.signal, basis: 'measured' });
      measured(layer);
      this.input.effects?.(this.effects);
    }
    return undefined;
  }

  private add(layer: string, noise: number, signal: number): void {
    const sums = this.sums.get(layer) ?? { noise: 0, signal: 0 };
    this.sums.set(layer, sums);
    sums.noise += noise;
    sums.signal += signal;
  }

  private async cutsOf(base: Session, feeds: InputTensors): Promise<Outcome<Tensors>> {
    await checkpoint(this.input.signal);
    const ran = await base.run(feeds);
    return ran.value ? ok({ ...feeds, ...ran.value }) : fail(...ran.issues);
  }

  private async firstBatch(size: number): Promise<Outcome<InputTensors>> {
    for await (const batch of this.input.feeds.batches(size, this.input.signal)) {
      return batch.value ? ok(batch.value.feeds) : fail(...batch.issues);
    }
    return fail(issue('data-empty', { source: this.input.feeds.description }));
  }

  private async open(model: Model, level: Parameters<OpenSession>[1]): Promise<Outcome<Session>> {
    const opened = await this.input.open(model, level);
    if (opened.value) this.sessions.add(opened.value);
    return opened;
  }

  private async close(session: Session): Promise<void> {
    this.sessions.delete(session);
    await session.release();
  }
}

const REFERENCE = 'output_effect/reference';

interface NoiseModel {
  readonly model: Model;
  /** Output Σe² against the fed reference, by layer. */
  readonly noises: ReadonlyMap<string, string>;
}

/** The network from a segment's cut to the target, once per layer of the segment. */
function noiseModel(float: Model, segment: PairedSegment, target: Value): NoiseModel {
  const { model, outputs } = variantsOf(float, segment.inputs, [target], segment.pairs);
  const { graph } = model;
  graph.outputs.length = 0;
  const reference = addInput(graph, REFERENCE, DataTypeCode.float, target.shape);
  const builder = new GraphBuilder(graph, defaultOpset(model));
  const noises = new Map<string, string>();
  for (const [layer, [name]] of outputs) {
    const close = defined(graph.values.get(name ?? ''), 'target of a variant');
    const error = builder.node('Sub', `output_effect/error/${layer}`, [close, reference]);
    const noise = builder.reduce('ReduceSumSquare', `output_effect/noise/${layer}`, error);
    noises.set(layer, builder.output(noise));
  }
  return { model, noises };
}

/** Σx². */
function power(tensor: RuntimeTensor): number {
  let sum = 0;
  for (let at = 0; at < tensor.data.length; at++) sum += Number(tensor.data[at]) ** 2;
  return sum;
}
