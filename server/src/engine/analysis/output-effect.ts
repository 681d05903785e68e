/**
 * Output effect: each layer alone quantized, everything else float, measured at the model's first output. Exact by
 * segments (`segments.ts`): activations at the cuts are kept for one batch of samples, a layer's segment runs with the
 * layer quantized, and only the rest behind it runs again. Before that a noise-gain model (after methods-ptq §4.2 D)
 * tells all layers at once from one sample: the error a layer makes at the end of its segment, times what the rest of
 * the network makes of such errors. The gain is probed with the segment's own errors under random signs, one run a
 * segment: white noise averages out where the errors do not, and promised 8 to 12 dB too much on a ResNet-50.
 * Segments are measured most sensitive first; memory holds one batch.
 */
import type { Basis, Decibel } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { addInput, addNode, replaceUses } from '../graph/edit';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { cloneModel, extract } from '../graph/walk';
import { sqnr } from '../numerics/metrics';
import { createRandom, type Random } from '../numerics/random';
import type { Feeds } from '../runtime/feeds';
import type { InputTensors, RuntimeTensor, Session } from '../runtime/ort';
import { dataTypeOf, floats } from '../runtime/runtime-tensor';
import { scalar } from './comparisons';
import { GraphBuilder } from './reductions';
import { type CutLayer, type Segment, segmentsOf } from './segments';
import type { LayerPair } from './shadow';
import { type Variants, variantsOf } from './variants';

/** Opens a session on a model; the handler knows files and threads. */
export type OpenSession = (model: Model, optimization: 'all' | 'disabled') => Promise<Outcome<Session>>;

export interface OutputEffectInput {
  /** Float network in the operator set of the twin; not changed. */
  readonly float: Model;
  /** Layers to quantize, of `float` and its quantized twin. */
  readonly pairs: readonly LayerPair[];
  /** Layers with their costs, of `float`. */
  readonly layers: readonly CutLayer[];
  readonly open: OpenSession;
  readonly feeds: Feeds;
  readonly batchSize: number;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Runs of layers done and to do, with the layer's name; called after every run. */
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

/** Cut tensors of one batch, by name, with the model's own inputs. */
type Tensors = Readonly<Record<string, RuntimeTensor>>;

interface MeasuredSegment extends Segment {
  readonly pairs: readonly LayerPair[];
  /** Largest estimated effect of its layers. */
  urgency: number;
  variants?: Variants;
  session?: Session;
}

/** Measures all layers. Issues: whatever opening or running a session finds. */
export async function outputEffects(
  input: OutputEffectInput,
): Promise<Outcome<ReadonlyMap<string, OutputEffect>>> {
  const sweep = new EffectSweep(input);
  try {
    const failed = await sweep.run();
    return failed ?? ok(sweep.effects);
  } finally {
    await sweep.release();
  }
}

class EffectSweep {
  readonly effects = new Map<string, OutputEffect>();
  private readonly sums = new Map<string, { noise: number; signal: number }>();
  private readonly sessions = new Set<Session>();
  private readonly float: Model;
  private readonly target: Value;
  private readonly segments: MeasuredSegment[];

  constructor(private readonly input: OutputEffectInput) {
    this.float = cloneModel(input.float);
    const { graph } = this.float;
    this.target = defined(graph.outputs[0], 'a model has an output');
    const byName = new Map(input.pairs.map((pair) => [pair.name, pair]));
    const layers = input.layers.flatMap((layer) => {
      const output = layer.node.output();
      const node = output && graph.values.get(output.name)?.producer;
      return node && byName.has(layer.name) ? [{ ...layer, node }] : [];
    });
    this.segments = segmentsOf(graph, this.target, layers).map((segment) => ({
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
    for (const segment of this.segments) this.typeEnds(segment, cuts);
    const signal = power(defined(cuts[this.target.name], 'target of the base run'));
    const gains = await this.openGains(cuts);
    if (!gains.value) return fail(...gains.issues);
    for (const segment of this.segments) {
      await checkpoint(this.input.signal);
      const closely = await this.runVariants(segment, cuts);
      if (!closely.value) return fail(...closely.issues);
      const errors = errorsAt(segment, cuts, closely.value);
      const gain = segment.outputs.includes(this.target)
        ? ok(1)
        : await gains.value.of(segment, [...errors.values()]);
      if (gain.value === undefined) return fail(...gain.issues);
      for (const [layer, error] of errors) {
        const noise = gain.value * error.power;
        this.effects.set(layer, { sqnr: sqnr({ signal, noise }), noise: noise / signal, basis: 'estimated' });
        segment.urgency = Math.max(segment.urgency, noise / signal);
      }
    }
    await this.close(gains.value.session);
    return undefined;
  }

  /** A session of the whole network that takes noise at every cut. */
  private async openGains(cuts: Tensors) {
    const model = cloneModel(this.float);
    const { graph } = model;
    const target = defined(graph.values.get(this.target.name), 'target');
    const ends = this.segments.flatMap((segment) => segment.outputs);
    const names = new Set(ends.filter((value) => value !== this.target).map((value) => value.name));
    const noise = [...names]
      .filter((name) => cuts[name]?.type === 'float32')
      .map((name) => [name, probe(model, defined(graph.values.get(name), 'cut value')).name] as const);
    graph.outputs.splice(0, graph.outputs.length, target);
    const opened = await this.open(model, 'all');
    if (!opened.value) return fail(...opened.issues);
    const session = opened.value;
    const random = createRandom(this.input.seed);
    const exact = defined(cuts[this.target.name], 'target of the base run');
    return ok({
      session,
      /** Noise power at the target per noise power at the segment's end, for noise like these errors. */
      of: async (segment: Segment, errors: readonly CutError[]): Promise<Outcome<number>> => {
        const mixed = mixedError(segment, errors, random);
        if (mixed.power === 0) return ok(0);
        const feeds: Record<string, RuntimeTensor> = { ...cuts };
        for (const [name, input] of noise) {
          const data = mixed.tensors.get(name);
          const dims = cuts[name]?.dims;
          feeds[input] = data && dims ? floats(dims, data) : floats([1], Float32Array.of(0));
        }
        const ran = await session.run(this.inputsOf(session, feeds));
        if (!ran.value) return fail(...ran.issues);
        return ok(difference(exact, defined(ran.value[this.target.name], 'target')) / mixed.power);
      },
    });
  }

  private async measure(base: Session): Promise<Outcome<never> | undefined> {
    const { feeds, batchSize, signal } = this.input;
    const layers = this.segments.reduce((sum, segment) => sum + segment.pairs.length, 0);
    const total = layers * Math.ceil(feeds.count / batchSize);
    let done = 0;
    for await (const batch of feeds.batches(batchSize, signal)) {
      if (!batch.value) return fail(...batch.issues);
      const cuts = await this.cutsOf(base, batch.value.feeds);
      if (!cuts.value) return fail(...cuts.issues);
      for (const segment of this.segments) {
        const failed = await this.measureSegment(segment, cuts.value, (layer) => {
          done++;
          this.input.progress?.(done, total, layer);
        });
        if (failed) return failed;
      }
    }
    return undefined;
  }

  private async measureSegment(
    segment: MeasuredSegment,
    cuts: Tensors,
    measured: (layer: string) => void,
  ): Promise<Outcome<never> | undefined> {
    await checkpoint(this.input.signal);
    const ran = await this.runVariants(segment, cuts);
    if (!ran.value) return fail(...ran.issues);
    const reference = defined(cuts[this.target.name], 'target of the base run');
    const signal = power(reference);
    const closely = ran.value;
    const opened = segment.outputs.includes(this.target)
      ? undefined
      : await this.open(restOf(this.float, segment, this.target), 'all');
    if (opened && !opened.value) return fail(...opened.issues);
    const rest = opened?.value;
    for (const pair of segment.pairs) {
      const outputs = segment.variants?.outputs.get(pair.name);
      if (!outputs) continue;
      await checkpoint(this.input.signal);
      const tensor = (index: number) => {
        const exact = defined(cuts[segment.outputs[index]?.name ?? ''], 'cut tensor');
        return closely[outputs[index] ?? ''] ?? exact;
      };
      let noise: number;
      if (!rest) noise = difference(reference, tensor(0));
      else {
        const feeds: Record<string, RuntimeTensor> = {
          ...cuts,
          [REFERENCE]: reference,
        };
        segment.outputs.forEach((value, index) => {
          feeds[value.name] = tensor(index);
        });
        const end = await rest.run(this.inputsOf(rest, feeds));
        if (!end.value) return fail(...end.issues);
        noise = scalar(end.value[NOISE]);
      }
      this.add(pair.name, noise, signal);
      measured(pair.name);
      this.input.effects?.(this.effects);
    }
    if (rest) await this.close(rest);
    return undefined;
  }

  private add(layer: string, noise: number, signal: number): void {
    const sums = this.sums.get(layer) ?? { noise: 0, signal: 0 };
    this.sums.set(layer, sums);
    sums.noise += noise;
    sums.signal += signal;
    this.effects.set(layer, {
      sqnr: sqnr(sums),
      noise: sums.noise / sums.signal,
      basis: 'measured',
    });
  }

  /** Outputs of all variants of a segment; its session is small and stays open. */
  private async runVariants(segment: MeasuredSegment, cuts: Tensors): Promise<Outcome<Tensors>> {
    segment.variants ??= variantsOf(this.float, segment.inputs, segment.outputs, segment.pairs);
    if (segment.variants.outputs.size === 0) return ok({});
    if (!segment.session) {
      const opened = await this.open(segment.variants.model, 'disabled');
      if (!opened.value) return fail(...opened.issues);
      segment.session = opened.value;
    }
    return segment.session.run(this.inputsOf(segment.session, cuts));
  }

  private async cutsOf(base: Session, feeds: InputTensors): Promise<Outcome<Tensors>> {
    await checkpoint(this.input.signal);
    const ran = await base.run(feeds);
    return ran.value ? ok({ ...feeds, ...ran.value }) : fail(...ran.issues);
  }

  private inputsOf(session: Session, tensors: Tensors): InputTensors {
    return Object.fromEntries(
      session.inputs.map(({ name }) => [name, defined(tensors[name], `tensor for input ${name}`)]),
    );
  }

  /** Types of cut tensors are often not stated in the file; the run tells them. */
  private typeEnds(segment: Segment, tensors: Tensors): void {
    for (const value of segment.outputs) {
      const tensor = tensors[value.name];
      if (tensor) value.elementType = dataTypeOf(tensor.type);
    }
  }

  private async firstBatch(size: number): Promise<Outcome<InputTensors>> {
    for await (const batch of this.input.feeds.batches(size, this.input.signal)) {
      return batch.value ? ok(batch.value.feeds) : fail(...batch.issues);
    }
    return fail(issue('data-empty', { source: this.input.feeds.description }));
  }

  private async open(model: Model, level: 'all' | 'disabled'): Promise<Outcome<Session>> {
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
const NOISE = 'output_effect/noise';

/** What lies behind a segment, ending in the noise against a fed reference. */
function restOf(float: Model, segment: Segment, target: Value): Model {
  const model = extract(float, segment.outputs, [target]);
  const { graph } = model;
  const end = defined(graph.outputs[0], 'target');
  const reference = addInput(graph, REFERENCE, DataTypeCode.float, end.shape);
  graph.outputs.length = 0;
  const builder = new GraphBuilder(graph, defaultOpset(float));
  const error = builder.node('Sub', 'output_effect/error', [end, reference]);
  builder.output(builder.reduce('ReduceSumSquare', NOISE, error));
  return model;
}

/** Adds a fed noise to a value for all its readers. Returns the new input. */
function probe(model: Model, value: Value): Value {
  const { graph } = model;
  const input = addInput(graph, `output_effect/${value.name}`, DataTypeCode.float);
  const after = value.producer && graph.nodes[graph.nodes.indexOf(value.producer) + 1];
  const sum = addNode(
    graph,
    { opType: 'Add', inputs: [value, input], outputs: [`${value.name}/probed`] },
    after,
  );
  replaceUses(value, defined(sum.output(), 'sum'), (node) => node === sum);
  return input;
}

/** Errors of one layer at the end of its segment, by name of the cut tensor, and their power. */
interface CutError {
  readonly tensors: ReadonlyMap<string, Float32Array>;
  readonly power: number;
}

function errorsAt(segment: MeasuredSegment, cuts: Tensors, closely: Tensors): Map<string, CutError> {
  const errors = new Map<string, CutError>();
  for (const [layer, outputs] of segment.variants?.outputs ?? []) {
    const tensors = new Map<string, Float32Array>();
    let power = 0;
    segment.outputs.forEach((value, index) => {
      const exact = cuts[value.name]?.data;
      const close = closely[outputs[index] ?? '']?.data;
      if (!(exact instanceof Float32Array) || !(close instanceof Float32Array)) return;
      const error = new Float32Array(close.length);
      for (let at = 0; at < error.length; at++) {
        const one = (close[at] ?? 0) - (exact[at] ?? 0);
        error[at] = one;
        power += one * one;
      }
      tensors.set(value.name, error);
    });
    // Cuts of other types than float32 give no estimate; their layers wait until they are measured.
    if (tensors.size > 0) errors.set(layer, { tensors, power });
  }
  return errors;
}

/** Errors of all layers with equal power and random signs, together as strong as one of them on average. */
function mixedError(segment: Segment, errors: readonly CutError[], random: Random): CutError {
  const mean = errors.reduce((sum, one) => sum + one.power, 0) / Math.max(errors.length, 1);
  const tensors = new Map<string, Float32Array>();
  const signs = errors.map(() => (random.uniform() < 0.5 ? -1 : 1));
  for (const { name } of segment.outputs) {
    errors.forEach((error, index) => {
      const part = error.tensors.get(name);
      if (!part || error.power === 0) return;
      const factor = (signs[index] ?? 1) * Math.sqrt(mean / error.power / errors.length);
      const sum = tensors.get(name) ?? new Float32Array(part.length);
      tensors.set(name, sum);
      for (let at = 0; at < part.length; at++) sum[at] = (sum[at] ?? 0) + factor * (part[at] ?? 0);
    });
  }
  let power = 0;
  for (const values of tensors.values()) {
    for (let at = 0; at < values.length; at++) power += (values[at] ?? 0) ** 2;
  }
  return { tensors, power };
}

/** Σx². */
function power(tensor: RuntimeTensor): number {
  let sum = 0;
  for (let at = 0; at < tensor.data.length; at++) sum += Number(tensor.data[at]) ** 2;
  return sum;
}

/** Σ(x − y)². */
function difference(one: RuntimeTensor, other: RuntimeTensor): number {
  let sum = 0;
  for (let at = 0; at < one.data.length; at++) {
    sum += (Number(one.data[at]) - Number(other.data[at])) ** 2;
  }
  return sum;
}
