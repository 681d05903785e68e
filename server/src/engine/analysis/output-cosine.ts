/**
 * Output-cosine search (Wu et al. 2020, EasyQuant, algorithm 1): scales of weights and activations that keep the direction
 * of every layer's output. With the activation at its whole range the weight's scale is searched, then with that weight
 * the activation's: linear ratios from 0.5 to 2 in steps of 0.015, first every tenth, then all around the best. The mean
 * cosine over samples is what counts. All layers are searched at once in one session that computes the
 * float network and beside it every layer with its quantized copies, whose scales are inputs; only sums leave it. So
 * inputs of a layer are the float network's, where the paper quantizes the layers before; a tensor that several layers
 * read gets the ratio with the largest sum of cosines, one for both ends of its range. 58 forwards of some three times the work do for any depth.
 */
import type { ActivationRange } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { DataTypeCode } from '../base/dtype';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import { cloneNode } from '../graph/clone';
import { addInitializer, addInput, removeDead } from '../graph/edit';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { type Layer, listLayers } from '../graph/layers';
import type { OpenModel } from '../graph/open';
import { floatTensor, int64Tensor } from '../graph/tensor';
import { cloneModel } from '../graph/walk';
import { parametersFor } from '../numerics/affine';
import type { QuantScheme } from '../numerics/scheme';
import type { Feeds } from '../runtime/feeds';
import type { InputTensors, Session } from '../runtime/ort';
import { runtimeTensor } from '../runtime/runtime-tensor';
import { openSession } from '../runtime/session-model';
import { observedFor } from './activation-taps';
import { GraphBuilder } from './reductions';

export interface OutputCosineInput {
  readonly open: OpenModel;
  /** Not changed. */
  readonly model: Model;
  readonly feeds: Feeds;
  /** Whole range of every observed tensor. */
  readonly ranges: ReadonlyMap<string, ActivationRange>;
  readonly threads: number;
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
}

export interface OutputCosine {
  /** By observed tensor that a layer reads. */
  readonly ranges: ReadonlyMap<string, ActivationRange>;
  /** By layer: scale of its weight, as a share of max|w| of every output channel. */
  readonly weights: Readonly<Record<string, number>>;
}

/** Samples that are looked at, as in the paper. */
const SAMPLES = 50;

const LOWEST = 0.5;
const STEP = 0.015;
const COARSE = Array.from({ length: 11 }, (_, index) => LOWEST + 10 * STEP * index);
const FINE = Array.from({ length: 18 }, (_, index) => STEP * (index < 9 ? index - 9 : index - 8));

/** Rounding arrived with 11, QuantizeLinear with 10. */
const OLDEST_OPSET = 11;

/** Codes of activations: unsigned, asymmetric; of weights: −127 … 127. */
const ACTIVATION: Pick<QuantScheme, 'bits' | 'signed' | 'symmetric'> = {
  bits: 8,
  signed: false,
  symmetric: false,
};
const LARGEST_CODE = 127;

interface Branch {
  readonly layer: string;
  /** Observed tensor that the layer reads. */
  readonly tensor: string;
  /** The weight is quantized too. */
  readonly weight: boolean;
}

/**
 * What a session takes and gives, packed: a run with hundreds of scalars at its border spends more on these than on
 * computing, and leaves their remains to the garbage collector.
 */
const SCALES = 'cosine/scales';
const ZEROS = 'cosine/zeros';
const RATIOS = 'cosine/ratios';

interface Branches {
  readonly list: readonly Branch[];
  /** Observed tensors in the order of the scales. */
  readonly tensors: readonly string[];
  /** Output with Σyŷ, Σy², Σŷ² of every branch in order. */
  readonly sums: string;
}

/** Searches all layers that read a float32 activation with a known range. Issues of `openSession` and `Feeds`. */
export async function outputCosine(input: OutputCosineInput): Promise<Outcome<OutputCosine>> {
  const model = cloneModel(input.model);
  const opset = defaultOpset(model);
  if (opset < OLDEST_OPSET) {
    const what = `estimator cosine on a model of opset ${opset}`;
    return fail(issue('unsupported-feature', { what, next: 'use the estimator mse' }));
  }
  const branches = addBranches(model, input.ranges);
  if (!branches) return ok({ ranges: new Map(), weights: {} });
  const session = await openSession(model, input.open, {
    threads: input.threads,
    optimization: 'disabled',
    // Weights are read from their file: nothing of them is copied.
    prepack: false,
  });
  if (session.value === undefined) return fail(...session.issues);
  try {
    return await new Search(input, branches, session.value).run();
  } finally {
    await session.value.release();
  }
}

/** Ratios under test: of the weight by layer, of the activation by tensor. */
interface Ratios {
  readonly weights: ReadonlyMap<string, number>;
  readonly tensors: ReadonlyMap<string, number>;
}

class Search {
  private done = 0;

  constructor(
    private readonly input: OutputCosineInput,
    private readonly branches: Branches,
    private readonly session: Session,
  ) {}

  async run(): Promise<Outcome<OutputCosine>> {
    const layers = this.branches.list.flatMap(({ layer, weight }) => (weight ? [layer] : []));
    const names = this.branches.tensors;
    const whole = new Map(names.map((name) => [name, 1]));
    const weights = await this.best(
      layers,
      (ratios) => ({ weights: ratios, tensors: whole }),
      ({ layer }) => layer,
    );
    if (weights.value === undefined) return fail(...weights.issues);
    const fixed = weights.value;
    const tensors = await this.best(
      names,
      (ratios) => ({ weights: fixed, tensors: ratios }),
      ({ tensor }) => tensor,
    );
    if (tensors.value === undefined) return fail(...tensors.issues);
    const found = tensors.value;
    const ranges = new Map(names.map((name) => [name, this.scaled(name, found.get(name) ?? 1)]));
    return ok({ ranges, weights: Object.fromEntries(fixed) });
  }

  /** The ratio with the largest sum of cosines per key: a coarse pass over the samples, then a fine one. */
  private async best(
    keys: readonly string[],
    ratios: (one: ReadonlyMap<string, number>) => Ratios,
    keyOf: (branch: Branch) => string,
  ): Promise<Outcome<ReadonlyMap<string, number>>> {
    const best = new Map(keys.map((key) => [key, { ratio: 1, score: Number.NEGATIVE_INFINITY }]));
    for (const fine of [false, true]) {
      const centres = new Map([...best].map(([key, { ratio }]) => [key, ratio]));
      // The whole range is always among the candidates, first, so that it wins where nothing is better.
      const candidates: ((key: string) => number)[] = fine
        ? FINE.map((offset) => (key) => Math.max(LOWEST, (centres.get(key) ?? 1) + offset))
        : [1, ...COARSE].map((ratio) => () => ratio);
      const scores = await this.scores(candidates, keys, ratios, keyOf);
      if (scores.value === undefined) return fail(...scores.issues);
      scores.value.forEach((byKey, index) => {
        for (const [key, score] of byKey) {
          const ratio = candidates[index]?.(key) ?? 1;
          if (score > (best.get(key)?.score ?? 0)) best.set(key, { ratio, score });
        }
      });
    }
    return ok(new Map([...best].map(([key, { ratio }]) => [key, ratio])));
  }

  /** Sum of cosines per candidate and key, over the samples. */
  private async scores(
    candidates: readonly ((key: string) => number)[],
    keys: readonly string[],
    ratios: (one: ReadonlyMap<string, number>) => Ratios,
    keyOf: (branch: Branch) => string,
  ): Promise<Outcome<readonly ReadonlyMap<string, number>[]>> {
    const { feeds, signal, progress } = this.input;
    const sums = candidates.map(() => new Map<string, number>());
    const inputs = candidates.map((of) => this.scales(ratios(new Map(keys.map((key) => [key, of(key)])))));
    for await (const batch of feeds.batches(1, signal)) {
      if (batch.value === undefined) return fail(...batch.issues);
      for (const [index, scales] of inputs.entries()) {
        await checkpoint(signal);
        const ran = await this.session.run({ ...batch.value.feeds, ...scales });
        if (ran.value === undefined) return fail(...ran.issues);
        const found = ran.value[this.branches.sums]?.data ?? [];
        const sum = sums[index];
        for (const [at, branch] of this.branches.list.entries()) {
          const [both, real, coded] = [3 * at, 3 * at + 1, 3 * at + 2].map((one) => Number(found[one]));
          const cosine = (both ?? 0) / Math.sqrt((real ?? 0) * (coded ?? 0));
          const key = keyOf(branch);
          if (Number.isFinite(cosine)) sum?.set(key, (sum.get(key) ?? 0) + batch.value.count * cosine);
        }
      }
      this.done += candidates.length;
      const detail = 'output cosine';
      progress({ stage: 'calibrate', done: this.done, total: 0, unit: 'steps', detail });
      if (batch.value.first + batch.value.count >= SAMPLES) break;
    }
    return ok(sums);
  }

  private scales({ weights, tensors }: Ratios): InputTensors {
    const { list, tensors: names } = this.branches;
    const parameters = names.map((name) =>
      parametersFor(this.scaled(name, tensors.get(name) ?? 1), ACTIVATION),
    );
    const scales = Float32Array.from(parameters, ({ scale }) => scale);
    const zeros = Uint8Array.from(parameters, ({ zeroPoint }) => zeroPoint);
    const ratios = Float32Array.from(list, ({ layer }) => weights.get(layer) ?? 1);
    return {
      [SCALES]: runtimeTensor('float32', [scales.length], scales),
      [ZEROS]: runtimeTensor('uint8', [zeros.length], zeros),
      [RATIOS]: runtimeTensor('float32', [ratios.length], ratios),
    };
  }

  private scaled(name: string, ratio: number): ActivationRange {
    const { min, max } = this.input.ranges.get(name) ?? { min: 0, max: 0 };
    // Adding 0 turns −0 into 0.
    return { min: min * ratio + 0, max: max * ratio };
  }
}

/**
 * Adds the quantized copies to the model, which keeps only what they need, and makes their sums its output; undefined
 * when no layer can be judged.
 */
function addBranches(model: Model, ranges: ReadonlyMap<string, ActivationRange>): Branches | undefined {
  const writer = new BranchWriter(model);
  for (const layer of listLayers(model)) {
    const value = layer.node.input(layer.activationInput);
    if (!value) continue;
    const tensor = observedFor(value).name;
    const float = !layer.quantized && layer.tensor.dataType === DataTypeCode.float;
    if (!ranges.has(tensor) || !float || layer.lookup) continue;
    if (layer.node.graph === model.graph) writer.add(layer, value, tensor);
  }
  return writer.finished();
}

class BranchWriter {
  private readonly builder: GraphBuilder;
  private readonly list: Branch[] = [];
  private readonly sums: Value[] = [];
  private readonly tensors: string[] = [];
  private readonly quantized = new Map<Value, Value>();
  private readonly scales: Value;
  private readonly zeros: Value;
  private readonly ratios: Value;

  constructor(private readonly model: Model) {
    const { graph } = model;
    this.builder = new GraphBuilder(graph, defaultOpset(model));
    this.scales = addInput(graph, SCALES, DataTypeCode.float, ['scales']);
    this.zeros = addInput(graph, ZEROS, DataTypeCode.uint8, ['zeros']);
    this.ratios = addInput(graph, RATIOS, DataTypeCode.float, ['ratios']);
    graph.outputs.length = 0;
  }

  add(layer: Layer, value: Value, tensor: string): void {
    const { node } = layer;
    const output = node.output();
    if (!output) return;
    const prefix = `cosine/${this.list.length}/`;
    const copies = new Map<Value, Value>();
    for (const one of node.inputs) if (one) copies.set(one, one);
    copies.set(value, this.activation(value, tensor));
    const read = node.input(layer.weightInput);
    const weight = read && this.weight(layer, read, prefix);
    if (read && weight) copies.set(read, weight);
    const copy = cloneNode(this.model.graph, node, prefix, copies).output();
    if (!copy) return;
    const { builder } = this;
    const sums = [
      builder.dot(`${prefix}both`, output, copy),
      builder.reduce('ReduceSumSquare', `${prefix}real`, output),
      builder.reduce('ReduceSumSquare', `${prefix}coded`, copy),
    ];
    this.sums.push(...sums.map((sum, at) => builder.reshape(`${prefix}sum${at}`, sum, [1])));
    this.list.push({ layer: layer.name, tensor, weight: weight !== undefined });
  }

  finished(): Branches | undefined {
    const { builder, list, tensors } = this;
    if (list.length === 0) return undefined;
    const sums = builder.output(builder.node('Concat', 'cosine/sums', this.sums, { axis: 0 }));
    removeDead(builder.graph);
    return { list, tensors, sums };
  }

  private activation(value: Value, tensor: string): Value {
    const known = this.quantized.get(value);
    if (known) return known;
    let at = this.tensors.indexOf(tensor);
    if (at < 0) at = this.tensors.push(tensor) - 1;
    const { builder } = this;
    const name = `cosine/${value.name}`;
    const scale = this.element(`${name}/scale`, this.scales, at);
    const zero = this.element(`${name}/zero`, this.zeros, at);
    const codes = builder.node('QuantizeLinear', `${name}/codes`, [value, scale, zero]);
    const levels = builder.node('DequantizeLinear', `${name}/levels`, [codes, scale, zero]);
    this.quantized.set(value, levels);
    return levels;
  }

  /** Codes of ±127 with the scale max|w| / 127 · ratio per output channel; undefined where it is not read as stored. */
  private weight(layer: Layer, read: Value, prefix: string): Value | undefined {
    const { shape, channelAxis } = layer;
    const stored = layer.through.length === 0 && !layer.computed && shape.length === layer.statedShape.length;
    const data = stored ? layer.tensor.toFloat32().value : undefined;
    if (!data) return undefined;
    const { builder } = this;
    const broadcast = shape.map((size, axis) => (axis === channelAxis ? size : 1));
    const whole = floatTensor(broadcast, wholeScales(data, shape, channelAxis));
    const base = addInitializer(builder.graph, `${prefix}base`, whole);
    const ratio = this.element(`${prefix}ratio`, this.ratios, this.list.length);
    const scale = builder.node('Mul', `${prefix}scale`, [base, ratio]);
    const steps = builder.node('Div', `${prefix}steps`, [read, scale]);
    const rounded = builder.node('Round', `${prefix}rounded`, [steps]);
    const bounds = [builder.scalar(-LARGEST_CODE), builder.scalar(LARGEST_CODE)];
    const clipped = builder.node('Clip', `${prefix}clipped`, [rounded, ...bounds]);
    return builder.node('Mul', `${prefix}weight`, [clipped, scale]);
  }

  /** One element of a packed input, as a scalar. */
  private element(name: string, packed: Value, at: number): Value {
    const index = addInitializer(this.builder.graph, `${name}/index`, int64Tensor([], [at]));
    return this.builder.node('Gather', name, [packed, index], { axis: 0 });
  }
}

/** max|w| / 127 per channel; 1 where all weights are zero. */
function wholeScales(data: Float32Array, shape: readonly number[], axis: number): Float32Array {
  const channels = shape[axis] ?? 1;
  const inner = shape.slice(axis + 1).reduce((product, size) => product * size, 1);
  const scales = new Float32Array(channels);
  for (let at = 0; at < data.length; at++) {
    const channel = Math.floor(at / inner) % channels;
    scales[channel] = Math.max(scales[channel] ?? 0, Math.abs(data[at] ?? 0) / LARGEST_CODE);
  }
  return scales.map((scale) => (scale > 0 ? scale : 1));
}
