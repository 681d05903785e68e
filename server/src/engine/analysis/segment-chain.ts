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

  constructor(private readonly input: ChainInput) {}

  get length(): number {
    return this.input.segments.length;
  }

  /** Names of the tensors that a segment's float session asks for, without the reference. */
  async inputsOf(index: number): Promise<Outcome<readonly string[]>> {
    const session = await this.floatSession(index);
    if (!session.value) return fail(...session.issues);
    return ok(session.value.inputs.map(({ name }) => name).filter((name) => name !== REFERENCE));
  }

  /** The float network's tensors at a segment's end; the last one's is the target. */
  async exact(index: number, tensors: Tensors): Promise<Outcome<Tensors>> {
    const session = await this.floatSession(index);
    if (!session.value) return fail(...session.issues);
    const outputs = session.value.outputs.map(({ name }) => name).filter((name) => name !== NOISE);
    const unused = { ...tensors, [REFERENCE]: floats([], Float32Array.of(0)) };
    const ran = await session.value.run(fed(session.value, unused), outputs);
    if (!ran.value) return fail(...ran.issues);
    for (const value of this.input.segments[index]?.outputs ?? []) {
      // Types at cuts are often not stated in the file; a run tells them.
      const tensor = ran.value[value.name];
      if (tensor) value.elementType = dataTypeOf(tensor.type);
    }
    return ran;
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
    const ran = await session.run(fed(session, { ...tensors, [REFERENCE]: reference }));
    if (!ran.value) return fail(...ran.issues);
    const outputs = ran.value;
    if (index === this.length - 1) {
      return ok(
        [...ends].map(([layer, [name]]) => ({ layer, changed: {}, noise: scalar(outputs[name ?? '']) })),
      );
    }
    const made = this.madeBy(index);
    return ok(
      [...ends].map(([layer, names]) => {
        const changed: Record<string, RuntimeTensor> = {};
        names.forEach((name, at) => {
          const cut = made[at]?.name;
          const tensor = outputs[name];
          if (cut !== undefined && name !== cut && tensor) changed[cut] = tensor;
        });
        return { layer, changed };
      }),
    );
  }

  /** Called when all runs of a segment's variants are done. */
  async leave(index: number): Promise<void> {
    if (this.input.roomy) return;
    await this.variants.get(index)?.session.release();
    this.variants.delete(index);
  }

  async release(): Promise<void> {
    for (const session of this.floats.values()) await session.release();
    for (const { session } of this.variants.values()) await session.release();
    this.floats.clear();
    this.variants.clear();
  }

  /** Tensors at a segment's end that it computes; others pass by it. */
  private madeBy(index: number): readonly Value[] {
    const segment = this.input.segments[index];
    return segment?.outputs.filter((value) => !segment.inputs.includes(value)) ?? [];
  }

  private async floatSession(index: number): Promise<Outcome<Session>> {
    const known = this.floats.get(index);
    if (known) return ok(known);
    const { float, target, segments, open, roomy } = this.input;
    const segment = defined(segments[index], 'segment');
    const model = extract(float, segment.inputs, this.madeBy(index));
    if (index === segments.length - 1) {
      const close = defined(model.graph.values.get(target.name), 'target');
      addNoise(model, [{ name: NOISE, close }], target);
    }
    const opened = await open(model, roomy ? 'all' : 'mapped');
    if (opened.value) this.floats.set(index, opened.value);
    return opened;
  }

  private async variantSession(index: number): Promise<Outcome<OpenVariants>> {
    const known = this.variants.get(index);
    if (known) return ok(known);
    const { float, target, segments, open } = this.input;
    const segment = defined(segments[index], 'segment');
    const { model, outputs } = variantsOf(float, segment.inputs, this.madeBy(index), segment.pairs);
    let ends = outputs;
    if (index === segments.length - 1) {
      const noises = [...outputs].map(([layer, [name]]) => ({
        layer,
        name: `${NOISE}/${layer}`,
        close: defined(model.graph.values.get(name ?? ''), 'target of a variant'),
      }));
      model.graph.outputs.length = 0;
      addNoise(model, noises, target);
      ends = new Map(noises.map(({ layer, name }) => [layer, [name]]));
    } else {
      // What no layer changes need not leave the session.
      const exact = new Set(this.madeBy(index).map(({ name }) => name));
      const changed = model.graph.outputs.filter((value) => !exact.has(value.name));
      model.graph.outputs.splice(0, model.graph.outputs.length, ...changed);
    }
    if (model.graph.outputs.length === 0) ends = new Map();
    const opened = ends.size === 0 ? undefined : await open(model, 'mapped');
    if (opened && !opened.value) return fail(...opened.issues);
    const made = { session: opened?.value ?? nothing, ends };
    this.variants.set(index, made);
    return ok(made);
  }
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

function fed(session: Session, tensors: Tensors): Tensors {
  return Object.fromEntries(
    session.inputs.map(({ name }) => [name, defined(tensors[name], `tensor for input ${name}`)]),
  );
}
