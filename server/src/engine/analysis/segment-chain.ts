/**
 * Sessions of a network cut into segments. Of each segment there are two: the float one, which carries tensors from
 * its first cut to its last, and that of its variants, which starts at the same cut and computes the last one once per
 * layer, with that layer quantized. Weights are prepared once however many layers stand before them, and every tensor
 * crosses a cut as a fed tensor. The last segment ends in Σe² of the target against a fed reference.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { fail, type Outcome, ok } from '../base/outcome';
import { addInput } from '../graph/edit';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { extract } from '../graph/walk';
import type { RuntimeTensor, Session } from '../runtime/ort';
import { dataTypeOf, floats } from '../runtime/runtime-tensor';
import { blockInputs } from './blocked-inputs';
import { scalar } from './comparisons';
import { GraphBuilder } from './reductions';
import type { Segment } from './segments';
import type { LayerPair } from './shadow';
import { variantsOf } from './variants';

/** Tensors by name: the model's inputs, those at cuts, the target. */
export type Tensors = Readonly<Record<string, RuntimeTensor>>;

/** A segment with its layers in both networks. */
export interface PairedSegment extends Segment {
  readonly pairs: readonly LayerPair[];
}

/**
 * Opens a session on a model; the handler knows files and threads. `mapped`: optimised, but weights of products stay
 * as they lie in the file, where `all` would copy them into packed form.
 */
export type OpenSession = (
  model: Model,
  optimization: 'all' | 'mapped' | 'disabled',
) => Promise<Outcome<Session>>;

export interface ChainInput {
  /** Float network; element types of cut values are noted in it as runs tell them. */
  readonly float: Model;
  readonly target: Value;
  readonly segments: readonly PairedSegment[];
  readonly open: OpenSession;
  /** Keep sessions of variants open, and pack weights: for networks that are small enough to be held several times. */
  readonly roomy: boolean;
}

/** What one layer, quantized, makes of a segment: the tensors at its end that changed, or Σe² behind the last one. */
export interface VariantEnd {
  readonly layer: string;
  readonly changed: Tensors;
  readonly noise?: number;
}

const REFERENCE = 'output_effect/reference';
const NOISE = 'output_effect/noise';

interface OpenVariants {
  readonly session: Session;
  /** Output names by layer, in the order of the tensors at the segment's end; of the last segment Σe². */
  readonly ends: ReadonlyMap<string, readonly string[]>;
}

export class SegmentChain {
  private readonly floats = new Map<number, Session>();
  private readonly variants = new Map<number, OpenVariants>();
  private readonly tails = new Map<number, Session>();
  private readonly tailStarts: ReadonlySet<number>;

  constructor(private readonly input: ChainInput) {
    this.tailStarts = input.roomy ? tailStarts(input.segments) : new Set();
  }

  get roomy(): boolean {
    return this.input.roomy;
  }

  get length(): number {
    return this.input.segments.length;
  }

  /** Names of the tensors that a segment's float session asks for, without the reference. */
  async inputsOf(index: number): Promise<Outcome<readonly string[]>> {
    return namesOf(await this.floatSession(index));
  }

  /** The same of a segment's variants. */
  async inputsOfVariants(index: number): Promise<Outcome<readonly string[]>> {
    const opened = await this.variantSession(index);
    return opened.value ? namesOf(ok(opened.value.session)) : fail(...opened.issues);
  }

  /** The same of the session from a segment to the target, where there is one. */
  async inputsToTarget(index: number): Promise<Outcome<readonly string[]>> {
    return namesOf(await this.tailSession(index));
  }

  /** The float network's tensors at a segment's end; the last one's is the target. */
  async exact(index: number, tensors: Tensors): Promise<Outcome<Tensors>> {
    const session = await this.floatSession(index);
    if (!session.value) return fail(...session.issues);
    const outputs = session.value.outputs.map(({ name }) => name).filter((name) => name !== NOISE);
    const unused = { ...tensors, [REFERENCE]: floats([], Float32Array.of(0)) };
    const ran = await session.value.run(fed(session.value, unused), outputs);
    if (ran.value) this.noteTypes(index, ran.value);
    return ran;
  }

  /** Both in one run, of a segment that is not the last of a roomy network: {@link exact} and {@link run}. */
  async both(
    index: number,
    tensors: Tensors,
  ): Promise<Outcome<{ readonly exact: Tensors; readonly ends: readonly VariantEnd[] }>> {
    const opened = await this.variantSession(index);
    if (!opened.value) return fail(...opened.issues);
    const { session } = opened.value;
    if (session === nothing) {
      const made = await this.exact(index, tensors);
      return made.value ? ok({ exact: made.value, ends: [] }) : fail(...made.issues);
    }
    const ran = await session.run(fed(session, tensors));
    if (!ran.value) return fail(...ran.issues);
    const exact: Record<string, RuntimeTensor> = {};
    for (const { name } of this.madeBy(index)) exact[name] = defined(ran.value[name], `float ${name}`);
    this.noteTypes(index, exact);
    return ok({ exact, ends: this.endsOf(index, opened.value, ran.value) });
  }

  /** Types at cuts are often not stated in the file; a run tells them. */
  private noteTypes(index: number, made: Tensors): void {
    for (const value of this.input.segments[index]?.outputs ?? []) {
      const tensor = made[value.name];
      if (tensor) value.elementType = dataTypeOf(tensor.type);
    }
  }

  /** Carries changed tensors through a segment; behind the last one stands Σe² against `reference`. */
  async carry(
    index: number,
    tensors: Tensors,
    reference: RuntimeTensor,
  ): Promise<Outcome<Omit<VariantEnd, 'layer'>>> {
    const session = await this.floatSession(index);
    if (!session.value) return fail(...session.issues);
    const isLast = index === this.length - 1;
    const names = session.value.outputs.map(({ name }) => name);
    const ran = await session.value.run(
      fed(session.value, { ...tensors, [REFERENCE]: reference }),
      isLast ? [NOISE] : names,
    );
    if (!ran.value) return fail(...ran.issues);
    return ok(isLast ? { changed: {}, noise: scalar(ran.value[NOISE]) } : { changed: ran.value });
  }

  /** Whether one session holds everything from a segment to the target. */
  hasTail(index: number): boolean {
    return index === this.length - 1 || this.tailStarts.has(index);
  }

  /** Σe² against `reference` of changed tensors at the cut before a segment that {@link hasTail}. */
  async finish(index: number, tensors: Tensors, reference: RuntimeTensor): Promise<Outcome<number>> {
    const session = await this.tailSession(index);
    if (!session.value) return fail(...session.issues);
    const ran = await session.value.run(fed(session.value, { ...tensors, [REFERENCE]: reference }), [NOISE]);
    return ran.value ? ok(scalar(ran.value[NOISE])) : fail(...ran.issues);
  }

  /** All layers of a segment from its first cut on. */
  async run(
    index: number,
    tensors: Tensors,
    reference: RuntimeTensor,
  ): Promise<Outcome<readonly VariantEnd[]>> {
    const opened = await this.variantSession(index);
    if (!opened.value) return fail(...opened.issues);
    const { session, ends } = opened.value;
    if (ends.size === 0) return ok([]);
    const exact = new Set(this.madeBy(index).map(({ name }) => name));
    const wanted = session.outputs.map(({ name }) => name).filter((name) => !exact.has(name));
    const ran = await session.run(fed(session, { ...tensors, [REFERENCE]: reference }), wanted);
    return ran.value ? ok(this.endsOf(index, opened.value, ran.value)) : fail(...ran.issues);
  }

  private endsOf(index: number, { ends }: OpenVariants, outputs: Tensors): readonly VariantEnd[] {
    if (index === this.length - 1) {
      return [...ends].map(([layer, [name]]) => ({
        layer,
        changed: {},
        noise: scalar(outputs[name ?? '']),
      }));
    }
    const made = this.madeBy(index);
    return [...ends].map(([layer, names]) => {
      const changed: Record<string, RuntimeTensor> = {};
      names.forEach((name, at) => {
        const cut = made[at]?.name;
        const tensor = outputs[name];
        if (cut !== undefined && name !== cut && tensor) changed[cut] = tensor;
      });
      return { layer, changed };
    });
  }

  /** Called when all runs of a segment's variants are done. */
  async leave(index: number): Promise<void> {
    if (this.input.roomy) return;
    await this.variants.get(index)?.session.release();
    this.variants.delete(index);
  }

  async release(): Promise<void> {
    for (const session of this.floats.values()) await session.release();
    for (const session of this.tails.values()) await session.release();
    for (const { session } of this.variants.values()) await session.release();
    this.floats.clear();
    this.tails.clear();
    this.variants.clear();
  }

  /** Tensors at a segment's end that it computes; others pass by it. */
  private madeBy(index: number): readonly Value[] {
    const segment = this.input.segments[index];
    return segment?.outputs.filter((value) => !segment.inputs.includes(value)) ?? [];
  }

  private between(inputs: readonly Value[], outputs: readonly Value[]): Model {
    const model = extract(this.input.float, inputs, outputs);
    blockInputs(model, namesOfValues(inputs));
    return model;
  }

  private async floatSession(index: number): Promise<Outcome<Session>> {
    const known = this.floats.get(index);
    if (known) return ok(known);
    const { target, segments, open, roomy } = this.input;
    const segment = defined(segments[index], 'segment');
    const model = this.between(segment.inputs, this.madeBy(index));
    if (index === segments.length - 1) {
      const close = defined(model.graph.values.get(target.name), 'target');
      addNoise(model, [{ name: NOISE, close }], target);
    }
    const opened = await open(model, roomy ? 'all' : 'mapped');
    if (opened.value) this.floats.set(index, opened.value);
    return opened;
  }

  private async tailSession(index: number): Promise<Outcome<Session>> {
    if (index === this.length - 1) return this.floatSession(index);
    const known = this.tails.get(index);
    if (known) return ok(known);
    const { target, segments, open } = this.input;
    const model = this.between(defined(segments[index], 'segment').inputs, [target]);
    addNoise(model, [{ name: NOISE, close: defined(model.graph.values.get(target.name), 'target') }], target);
    model.graph.outputs.splice(0, model.graph.outputs.length, ...model.graph.outputs.slice(-1));
    const opened = await open(model, 'all');
    if (opened.value) this.tails.set(index, opened.value);
    return opened;
  }

  private async variantSession(index: number): Promise<Outcome<OpenVariants>> {
    const known = this.variants.get(index);
    if (known) return ok(known);
    const { float, target, segments, open, roomy } = this.input;
    const segment = defined(segments[index], 'segment');
    const isLast = index === segments.length - 1;
    const made = this.madeBy(index);
    const { model, outputs } = variantsOf(float, segment.inputs, made, segment.pairs, roomy && !isLast);
    blockInputs(model, namesOfValues(segment.inputs));
    let ends = outputs;
    if (isLast) {
      const noises = [...outputs].map(([layer, [name]]) => ({
        layer,
        name: `${NOISE}/${layer}`,
        close: defined(model.graph.values.get(name ?? ''), 'target of a variant'),
      }));
      model.graph.outputs.length = 0;
      addNoise(model, noises, target);
      ends = new Map(noises.map(({ layer, name }) => [layer, [name]]));
    } else if (!roomy) {
      // What no layer changes need not leave the session.
      const exact = new Set(made.map(({ name }) => name));
      const changed = model.graph.outputs.filter((value) => !exact.has(value.name));
      model.graph.outputs.splice(0, model.graph.outputs.length, ...changed);
    }
    if (model.graph.outputs.length === 0) ends = new Map();
    const opened = ends.size === 0 ? undefined : await open(model, 'mapped');
    if (opened && !opened.value) return fail(...opened.issues);
    const variants = { session: opened?.value ?? nothing, ends };
    this.variants.set(index, variants);
    return ok(variants);
  }
}

/** Weights that all tails may hold together (512 MB in float32). */
const TAIL_WEIGHTS = 128e6;

/**
 * Segments from which on the rest of the network is held in one session, too: tensors of earlier layers cross one cut
 * instead of all. Every one as far as memory allows, else at equal distances.
 */
function tailStarts(segments: readonly PairedSegment[]): ReadonlySet<number> {
  const behind = segments.map((_, index) =>
    segments.slice(index).reduce((sum, { params }) => sum + params, 0),
  );
  for (let step = 1; step < segments.length; step++) {
    const starts = behind.flatMap((_, index) => (index > 0 && (index - 1) % step === 0 ? [index] : []));
    if (starts.reduce((sum, index) => sum + (behind[index] ?? 0), 0) <= TAIL_WEIGHTS) return new Set(starts);
  }
  return new Set();
}

/** Stands for a session of a segment none of whose layers can be quantized. */
const nothing: Session = {
  inputs: [],
  outputs: [],
  run: async () => ok({}),
  release: async () => {},
};

/** Adds an input for the float target and Σe² against it as outputs. */
function addNoise(
  model: Model,
  ends: readonly { readonly name: string; readonly close: Value }[],
  target: Value,
): void {
  const { graph } = model;
  // Without a shape: where only the float target is wanted, a scalar is fed.
  const reference = addInput(graph, REFERENCE, target.elementType || DataTypeCode.float);
  const builder = new GraphBuilder(graph, defaultOpset(model));
  for (const { name, close } of ends) {
    const error = builder.node('Sub', `${name}/error`, [close, reference]);
    builder.output(builder.reduce('ReduceSumSquare', name, error));
  }
}

function namesOf(session: Outcome<Session>): Outcome<readonly string[]> {
  if (!session.value) return fail(...session.issues);
  return ok(session.value.inputs.map(({ name }) => name).filter((name) => name !== REFERENCE));
}

function namesOfValues(values: readonly Value[]): readonly string[] {
  return values.map(({ name }) => name);
}

function fed(session: Session, tensors: Tensors): Tensors {
  return Object.fromEntries(
    session.inputs.map(({ name }) => [name, defined(tensors[name], `tensor for input ${name}`)]),
  );
}
