/**
 * Noise-gain model of the output effect (after methods-ptq §4.2 D), on one sample: the error that a layer makes at the
 * end of its segment, times what the rest of the network makes of such errors. The gain is probed with the segment's
 * own errors under random signs, one run a segment: white noise averages out where the errors do not, and promised 8
 * to 12 dB too much on a ResNet-50. Errors are mixed inside the sessions; only the mixture leaves them.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { fail, type Outcome, ok } from '../base/outcome';
import { addInput, addNode, replaceUses } from '../graph/edit';
import { defaultOpset, type Graph, type Model, type Value } from '../graph/ir';
import { cloneModel } from '../graph/walk';
import { createRandom, type Random } from '../numerics/random';
import type { InputTensors, RuntimeTensor, Session } from '../runtime/ort';
import { dataTypeOf, floats } from '../runtime/runtime-tensor';
import { scalar } from './comparisons';
import { GraphBuilder } from './reductions';
import type { Segment } from './segments';
import type { LayerPair } from './shadow';
import { variantsOf } from './variants';

/** Tensors of one run by name: the model's inputs, the cuts and the target. */
export type Tensors = Readonly<Record<string, RuntimeTensor>>;

/** A segment with its layers in both networks. */
export interface PairedSegment extends Segment {
  readonly pairs: readonly LayerPair[];
}

export interface EstimateInput {
  /** Float network, its cut values typed. */
  readonly float: Model;
  readonly target: Value;
  readonly segments: readonly PairedSegment[];
  /** Of one sample. */
  readonly cuts: Tensors;
  /** The caller releases what it opens. */
  readonly open: (model: Model, level: 'all' | 'disabled') => Promise<Outcome<Session>>;
  readonly close: (session: Session) => Promise<void>;
  readonly seed: number;
}

/** Types of which a difference is an error. */
const realTypes: ReadonlySet<number> = new Set([
  DataTypeCode.float,
  DataTypeCode.float16,
  DataTypeCode.double,
]);

/** True where values can be compared; a type that is not stated is float32. */
export function isReal(value: Value): boolean {
  return value.elementType === 0 || realTypes.has(value.elementType);
}

/** Σe² at the target per layer of one segment after another; layers whose errors no cut shows are missing. */
export class NoiseGains {
  private readonly random: Random;

  private constructor(
    private readonly input: EstimateInput,
    private readonly session: Session,
    /** Noise inputs of the session by cut tensor. */
    private readonly probes: ReadonlyMap<string, string>,
  ) {
    this.random = createRandom(input.seed);
  }

  /** Opens a session of the whole network that takes noise at every cut. */
  static async open(input: EstimateInput): Promise<Outcome<NoiseGains>> {
    const model = cloneModel(input.float);
    const { graph } = model;
    const target = defined(graph.values.get(input.target.name), 'target');
    const ends = input.segments.flatMap((segment) => segment.outputs);
    const probes = new Map<string, string>();
    for (const { name } of ends) {
      const value = defined(graph.values.get(name), 'cut value');
      if (value === target || probes.has(name) || !isReal(value)) continue;
      probes.set(name, probe(graph, value).name);
    }
    graph.outputs.splice(0, graph.outputs.length, target);
    const opened = await input.open(model, 'all');
    return opened.value ? ok(new NoiseGains(input, opened.value, probes)) : fail(...opened.issues);
  }

  async of(segment: PairedSegment): Promise<Outcome<ReadonlyMap<string, number>>> {
    const errors = errorModel(this.input, segment, this.random);
    if (errors.powers.size === 0) return ok(new Map());
    const opened = await this.input.open(errors.model, 'disabled');
    if (!opened.value) return fail(...opened.issues);
    const ran = await opened.value.run(inputsOf(opened.value, withExact(segment, this.input.cuts)));
    await this.input.close(opened.value);
    if (!ran.value) return fail(...ran.issues);
    const outputs = ran.value;
    const gain = segment.outputs.includes(this.input.target) ? ok(1) : await this.gain(errors, outputs);
    if (gain.value === undefined) return fail(...gain.issues);
    const factor = gain.value;
    return ok(new Map([...errors.powers].map(([layer, name]) => [layer, factor * scalar(outputs[name])])));
  }

  close(): Promise<void> {
    return this.input.close(this.session);
  }

  /** Noise power at the target per noise power at the segment's end, for noise like these errors. */
  private async gain(errors: ErrorModel, outputs: Tensors): Promise<Outcome<number>> {
    const power = errors.mixed.reduce((sum, one) => sum + scalar(outputs[one.power]), 0);
    if (power === 0) return ok(0);
    const feeds: Record<string, RuntimeTensor> = { ...this.input.cuts };
    for (const name of this.probes.values()) feeds[name] = floats([1], Float32Array.of(0));
    for (const { cut, output } of errors.mixed) {
      const probed = this.probes.get(cut);
      if (probed !== undefined) feeds[probed] = defined(outputs[output], 'mixed error');
    }
    const ran = await this.session.run(inputsOf(this.session, feeds));
    if (!ran.value) return fail(...ran.issues);
    const { name } = this.input.target;
    const exact = defined(this.input.cuts[name], 'target of the base run');
    return ok(difference(exact, defined(ran.value[name], 'target')) / power);
  }
}

/** Notes the types of cut tensors, which are often not stated in the file; a run tells them. */
export function typeEnds(segments: readonly Segment[], cuts: Tensors): void {
  for (const value of segments.flatMap((segment) => segment.outputs)) {
    const tensor = cuts[value.name];
    if (tensor) value.elementType = dataTypeOf(tensor.type);
  }
}

/** The tensors that a session asks for. */
export function inputsOf(session: Session, tensors: Tensors): InputTensors {
  return Object.fromEntries(
    session.inputs.map(({ name }) => [name, defined(tensors[name], `tensor for input ${name}`)]),
  );
}

/** Σ(x − y)². */
function difference(one: RuntimeTensor, other: RuntimeTensor): number {
  let sum = 0;
  for (let at = 0; at < one.data.length; at++) {
    sum += (Number(one.data[at]) - Number(other.data[at])) ** 2;
  }
  return sum;
}

const EXACT = 'output_effect/exact/';

/** The float values at a segment's end under the names of the inputs that take them. */
function withExact(segment: Segment, cuts: Tensors): Tensors {
  const exact = segment.outputs.map(({ name }) => [EXACT + name, defined(cuts[name], 'cut tensor')]);
  return { ...cuts, ...Object.fromEntries(exact) };
}

interface ErrorModel {
  readonly model: Model;
  /** Output Σe² by layer. */
  readonly powers: ReadonlyMap<string, string>;
  /** Per cut tensor: errors of all layers with equal power and random signs, together as strong as one on average. */
  readonly mixed: readonly { readonly cut: string; readonly output: string; readonly power: string }[];
}

/** Below any error's power; keeps a layer without error from dividing by zero. */
const TINY = 1e-20;

function errorModel({ float, target }: EstimateInput, segment: PairedSegment, random: Random): ErrorModel {
  const { model, outputs } = variantsOf(float, segment.inputs, segment.outputs, segment.pairs);
  const { graph } = model;
  graph.outputs.length = 0;
  const builder = new GraphBuilder(graph, defaultOpset(model));
  const real = (value: Value) =>
    value.elementType === DataTypeCode.float ? value : builder.float(`${value.name}/real`, value);
  const ends = segment.outputs.map((value) =>
    isReal(value)
      ? real(addInput(graph, EXACT + value.name, value.elementType || DataTypeCode.float))
      : undefined,
  );
  const layers = [...outputs].flatMap(([layer, names]) => {
    const errors = ends.flatMap((end, index) => {
      const cut = segment.outputs[index];
      const name = names[index];
      if (!end || !cut || name === undefined || name === cut.name) return [];
      const value = defined(graph.values.get(name), 'end of a variant');
      const close = cut.elementType === DataTypeCode.float ? value : builder.float(`${name}/real`, value);
      return [{ cut: cut.name, value: builder.node('Sub', `${name}/error`, [close, end]) }];
    });
    if (errors.length === 0) return [];
    const powers = errors.map(({ value }) => builder.reduce('ReduceSumSquare', `${value.name}/power`, value));
    const power = builder.node('Sum', `output_effect/power/${layer}`, powers);
    builder.output(power);
    return [{ layer, errors, power }];
  });
  const powers = new Map(layers.map(({ layer, power }) => [layer, power.name]));
  if (segment.outputs.includes(target) || layers.length === 0) return { model, powers, mixed: [] };
  const sum = builder.node(
    'Sum',
    'output_effect/power',
    layers.map(({ power }) => power),
  );
  const parts = layers.flatMap(({ layer, errors, power }) => {
    const name = `output_effect/factor/${layer}`;
    const floor = builder.node('Max', `${name}/floor`, [power, builder.scalar(TINY)]);
    const ratio = builder.node('Sqrt', `${name}/root`, [builder.node('Div', `${name}/ratio`, [sum, floor])]);
    const sign = builder.scalar((random.uniform() < 0.5 ? -1 : 1) / layers.length);
    const factor = builder.node('Mul', name, [ratio, sign]);
    return errors.map(({ cut, value }) => ({
      cut,
      value: builder.node('Mul', `${value.name}/part`, [value, factor]),
    }));
  });
  const mixed = [...new Set(parts.map(({ cut }) => cut))].map((cut) => {
    const values = parts.filter((part) => part.cut === cut).map(({ value }) => value);
    const mixture = builder.node('Sum', `output_effect/mixed/${cut}`, values);
    const power = builder.reduce('ReduceSumSquare', `${mixture.name}/power`, mixture);
    return { cut, output: builder.output(mixture), power: builder.output(power) };
  });
  return { model, powers, mixed };
}

/** Adds a fed float32 noise to a value for all its readers. Returns the new input. */
function probe(graph: Graph, value: Value): Value {
  const input = addInput(graph, `output_effect/${value.name}`, DataTypeCode.float);
  const after = value.producer && graph.nodes[graph.nodes.indexOf(value.producer) + 1];
  let noise = input;
  if (value.elementType !== 0 && value.elementType !== DataTypeCode.float) {
    const to = { type: 'int', value: BigInt(value.elementType) } as const;
    const cast = addNode(
      graph,
      { opType: 'Cast', inputs: [input], outputs: [`${input.name}/cast`], attributes: [['to', to]] },
      after,
    );
    noise = defined(cast.output(), 'cast noise');
  }
  const sum = addNode(
    graph,
    { opType: 'Add', inputs: [value, noise], outputs: [`${value.name}/probed`] },
    after,
  );
  replaceUses(value, defined(sum.output(), 'sum'), (node) => node === sum);
  return input;
}
