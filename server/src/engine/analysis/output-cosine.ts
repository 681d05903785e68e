/**
 * Output-cosine search (Wu et al. 2020, EasyQuant, algorithm 1): scales of weights and activations that keep the direction
 * of every layer's output. With the activation at its whole range the weight's scale is searched, then with that weight
 * the activation's: the linear ratios from 0.5 to 2 in steps of 0.015. First every tenth is judged on a few samples, then
 * the best is closed in on from both sides, on more of them. The mean cosine over samples is what counts. All layers
 * are searched at once in one session that computes the float network and beside it every layer with its quantized
 * copies, whose scales are inputs; only sums leave it. So inputs of a layer are the float network's, where the paper
 * quantizes the layers before; a tensor that several layers read gets the ratio with the largest sum of cosines, one
 * for both ends of its range. At most 672 runs of one sample and some three times the work do for any depth.
 */
import type { ActivationRange } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { DataTypeCode } from '../base/dtype';
import { type Issue, issue } from '../base/issue';
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

/** Samples, the first ones, that judge coarse and near ratios; the paper takes 50 for all of them. */
const COARSE_SAMPLES = 8;
const NEAR_SAMPLES = 24;

const LOWEST = 0.5;
const HIGHEST = 2;
const STEP = 0.015;
/** The whole range is among the candidates, first, so that it wins where nothing is better. */
const COARSE = [1, ...Array.from({ length: 11 }, (_, index) => LOWEST + 10 * STEP * index)];

/** Distances in steps from the best ratio so far, both ways: together they reach every ratio between two coarse ones. */
const BRACKETS = [5, 2, 1, 1];

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

/** Runs that the search takes on so many samples: of one sample each, or of the batch that the model fixes. */
export function cosineSteps(model: Model, count: number): number {
  const [batch] = model.graph.dataInputs[0]?.shape ?? [];
  const perRun = typeof batch === 'number' ? Math.max(1, batch) : 1;
  const runs = (samples: number) => Math.ceil(Math.min(samples, count) / perRun);
  const near = (2 * BRACKETS.length + 2) * runs(NEAR_SAMPLES);
  return 2 * (COARSE.length * runs(COARSE_SAMPLES) + near);
}

/** The ratios that a candidate stands for now, whatever becomes the best later. */
function fixedAt(keys: readonly string[], of: Candidate): Candidate {
  const ratios = new Map(keys.map((key) => [key, of(key)]));
  return (key) => ratios.get(key) ?? 1;
}

function moved(ratio: number, steps: number): number {
  return Math.min(Math.max(ratio + steps * STEP, LOWEST), HIGHEST);
}

/** Ratios under test: of the weight by layer, of the activation by tensor. */
interface Ratios {
  readonly weights: ReadonlyMap<string, number>;
  readonly tensors: ReadonlyMap<string, number>;
}

/** How candidates become ratios, and whose candidates they are. */
interface Phase {
  readonly keys: readonly string[];
  readonly ratios: (one: ReadonlyMap<string, number>) => Ratios;
  readonly keyOf: (branch: Branch) => string;
}

type Candidate = (key: string) => number;

class Search {
  private done = 0;
  private readonly total: number;

  constructor(
    private readonly input: OutputCosineInput,
    private readonly branches: Branches,
    private readonly session: Session,
  ) {
    this.total = cosineSteps(input.model, input.feeds.count);
  }

  async run(): Promise<Outcome<OutputCosine>> {
    const layers = this.branches.list.flatMap(({ layer, weight }) => (weight ? [layer] : []));
    const names = this.branches.tensors;
    const whole = new Map(names.map((name) => [name, 1]));
    const weights = await this.best({
      keys: layers,
      ratios: (ratios) => ({ weights: ratios, tensors: whole }),
      keyOf: ({ layer }) => layer,
    });
    if (weights.value === undefined) return fail(...weights.issues);
    const fixed = weights.value;
    const tensors = await this.best({
      keys: names,
      ratios: (ratios) => ({ weights: fixed, tensors: ratios }),
      keyOf: ({ tensor }) => tensor,
    });
    if (tensors.value === undefined) return fail(...tensors.issues);
    const found = tensors.value;
    const ranges = new Map(names.map((name) => [name, this.scaled(name, found.get(name) ?? 1)]));
    return ok({ ranges, weights: Object.fromEntries(fixed) });
  }

  /** The ratio with the largest sum of cosines per key. */
  private async best(phase: Phase): Promise<Outcome<ReadonlyMap<string, number>>> {
    const best = new Map(phase.keys.map((key) => [key, { ratio: 1, score: 0 }]));
    const judge = async (candidates: readonly Candidate[], samples: number): Promise<readonly Issue[]> => {
      const scores = await this.scores(candidates, phase, samples);
      scores.value?.forEach((byKey, index) => {
        for (const [key, score] of byKey) {
          const ratio = candidates[index]?.(key) ?? 1;
          if (score > (best.get(key)?.score ?? 0)) best.set(key, { ratio, score });
        }
      });
      return scores.value === undefined ? scores.issues : [];
    };
    const failed = await judge(
      COARSE.map((ratio) => () => ratio),
      COARSE_SAMPLES,
    );
    if (failed.length > 0) return fail(...failed);
    // Sums over more samples are no longer those of the coarse search: the whole range and the best are judged again.
    const centre: Candidate = (key) => best.get(key)?.ratio ?? 1;
    let known: readonly Candidate[] = [() => 1, fixedAt(phase.keys, centre)];
    for (const one of best.values()) one.score = 0;
    for (const distance of BRACKETS) {
      const sides = [-distance, distance].map((steps) =>
        fixedAt(phase.keys, (key) => moved(centre(key), steps)),
      );
      const issues = await judge([...known, ...sides], NEAR_SAMPLES);
      if (issues.length > 0) return fail(...issues);
      known = [];
    }
    return ok(new Map([...best].map(([key, { ratio }]) => [key, ratio])));
  }

  /** Sum of cosines per candidate and key, over the first samples. */
  private async scores(
    candidates: readonly Candidate[],
    { keys, ratios, keyOf }: Phase,
    samples: number,
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
        this.done++;
        progress({ stage: 'calibrate', ...this.steps(), unit: 'steps', detail: 'output cosine' });
      }
      if (batch.value.first + batch.value.count >= samples) break;
    }
    return ok(sums);
  }

  private steps(): { readonly done: number; readonly total: number } {
    return { done: this.done, total: Math.max(this.total, this.done) };
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
