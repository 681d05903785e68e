/**
 * Which activation tensors are quantized, with which scale and zero point. Only what integer kernels need: inputs of
 * quantized layers, outputs that a kernel can only return as codes, and the arithmetic in between when both of its
 * sides are codes anyway. Everything else stays float and keeps its precision.
 */

import type { ActivationRange } from '../../protocol/reports';
import { outputBounds } from '../analysis/activation-taps';
import { dataTypeByCode } from '../base/dtype';
import { type Issue, issue } from '../base/issue';
import type { Graph, Model, Node, Use, Value } from '../graph/ir';
import { isPassThrough, type OpType, opFacts, passThroughInputs } from '../graph/ops';
import { parametersFor, type QuantParameters, realizedRange } from '../numerics/affine';
import { formatName, type QuantScheme } from '../numerics/scheme';

/** Ranges by tensor name, after BatchNormalization folding. */
export type Ranges = Readonly<Record<string, ActivationRange>>;

/** A quantized layer as far as activations are concerned. */
export interface ActivationLayer {
  readonly name: string;
  readonly node: Node;
  readonly input: Value;
  readonly scheme: QuantScheme;
  /** The target computes it on integers: `output` codes are required, possible, or there is no such kernel. */
  readonly kernel: 'needs-output' | 'takes-output' | 'none';
}

export interface TensorFormat {
  readonly scheme: QuantScheme;
  readonly parameters: QuantParameters;
}

export interface TensorQuantizer {
  readonly value: Value;
  /** The first is what a fused producer writes and operators between layers read; layers read the one they want. */
  readonly formats: readonly TensorFormat[];
  /** Tensor whose scale and zero point this one uses, when the operator between only moves values. */
  readonly sharedWith: Value | undefined;
  /** The producer becomes an integer kernel: nobody may read its float output. */
  readonly exclusive: boolean;
  /** Relu or Clip before this tensor that the quantized range already implies; it is removed. */
  readonly absorbed: Node | undefined;
}

export interface ActivationSelection {
  /** In the order in which the tensors are computed. */
  readonly tensors: readonly TensorQuantizer[];
  /** Operators between layers that run on codes. */
  readonly integerNodes: ReadonlySet<Node>;
  readonly issues: readonly Issue[];
}

/**
 * Selects the tensors. Issues: `range-missing` (error) for a layer input without a range, (warning) for an output whose
 * layer therefore runs in float.
 */
export function selectActivations(
  model: Model,
  layers: readonly ActivationLayer[],
  ranges: Ranges,
): ActivationSelection {
  return new Selector(model.graph, layers, ranges).select();
}

/** Of a selection what layers read; what operators between layers and integer outputs need is left out. */
export function layerInputsAlone(
  selection: ActivationSelection,
  layers: readonly ActivationLayer[],
): ActivationSelection {
  const tensors = selection.tensors.flatMap((tensor): TensorQuantizer[] => {
    const readers = layers.filter((layer) => layer.input === tensor.value);
    const formats = tensor.formats.filter((format) =>
      readers.some((layer) => sameFormat(layer.scheme, format.scheme)),
    );
    const alone = { sharedWith: undefined, exclusive: false, absorbed: undefined };
    return formats.length > 0 ? [{ value: tensor.value, formats, ...alone }] : [];
  });
  return { ...selection, tensors, integerNodes: new Set() };
}

/** Float operators that average rounding errors away: codes in front of them cost next to nothing. */
const averages: ReadonlySet<string> = new Set<OpType>(['ReduceMean', 'GlobalAveragePool', 'AveragePool']);

class Selector {
  private readonly issues: Issue[] = [];
  /** Formats by tensor, in order of demand. */
  private readonly demands = new Map<Value, QuantScheme[]>();
  /** Nodes that become integer kernels, with the format in which they return codes. */
  private readonly fused = new Map<Node, QuantScheme>();
  private readonly absorbed = new Map<Value, Node>();
  private readonly layerByNode: ReadonlyMap<Node, ActivationLayer>;

  constructor(
    private readonly graph: Graph,
    private readonly layers: readonly ActivationLayer[],
    private readonly ranges: Ranges,
  ) {
    this.layerByNode = new Map(layers.map((layer) => [layer.node, layer]));
  }

  select(): ActivationSelection {
    for (const layer of this.layers) this.demandInput(layer);
    for (const layer of this.layers) if (layer.kernel === 'needs-output') this.demandOutput(layer);
    this.dropUnread();
    const integer = this.integerNodes();
    for (const [node, scheme] of integer) {
      const { output, absorbed } = this.effectiveOutput(node, scheme);
      if (!this.demands.has(output)) this.demand(output, scheme);
      this.fused.set(node, scheme);
      if (absorbed) this.absorbed.set(output, absorbed);
    }
    for (const layer of this.layers) if (layer.kernel === 'takes-output') this.fuseOutput(layer);
    return { tensors: this.tensors(), integerNodes: new Set(integer.keys()), issues: this.issues };
  }

  private demandInput(layer: ActivationLayer): void {
    const tensor = layer.input.name;
    if (this.rangeOf(layer.input) !== undefined) this.demand(layer.input, layer.scheme);
    else this.issues.push(issue('range-missing', { tensor }, { tensor, layer: layer.name }));
  }

  /** A kernel like QLinearConv is only chosen when its output is quantized; wide readers are not given 8-bit codes. */
  private demandOutput(layer: ActivationLayer): void {
    const scheme = kernelFormat(layer.scheme);
    const { output, absorbed } = this.effectiveOutput(layer.node, scheme);
    if (this.demands.get(output)?.some((wanted) => !sameFormat(kernelFormat(wanted), scheme))) return;
    if (this.rangeOf(output) === undefined) {
      const anchor = { tensor: output.name, layer: layer.name };
      this.issues.push(issue('range-missing', { tensor: output.name }, anchor, 'warning'));
      return;
    }
    if (!this.demands.has(output)) this.demand(output, scheme);
    this.fused.set(layer.node, scheme);
    if (absorbed) this.absorbed.set(output, absorbed);
  }

  /**
   * Outputs whose readers all compute in float are not quantized just to use an integer kernel: one layer's speed is
   * not worth the precision of, say, a residual stream or of the model's output.
   */
  private dropUnread(): void {
    const removed = new Set(this.absorbed.values());
    const schemes = this.schemesOf(
      new Set(this.graph.nodes.filter((node) => !removed.has(node) && this.mayBeInteger(node))),
    );
    const inputs = new Set(this.layers.map((layer) => layer.input));
    const known = new Map<Value, boolean>();
    const read = (value: Value): boolean => {
      const averaged = value.uses.length > 0 && value.uses.every(({ node }) => averages.has(node.op));
      const found =
        known.get(value) ?? (averaged || inputs.has(value) || value.uses.some(({ node }) => reads(node)));
      known.set(value, found);
      return found;
    };
    const reads = (node: Node): boolean => {
      const scheme = schemes.get(node);
      if (scheme === undefined) return false;
      const moves = sharesScale(node) || opFacts(node).fusedActivation === true;
      return !moves || read(this.effectiveOutput(node, scheme).output);
    };
    for (const layer of this.layers) {
      const scheme = this.fused.get(layer.node);
      if (scheme === undefined) continue;
      const { output } = this.effectiveOutput(layer.node, scheme);
      if (read(output)) continue;
      this.fused.delete(layer.node);
      this.demands.delete(output);
      this.absorbed.delete(output);
    }
  }

  /** MatMul and Gemm return codes when their only readers want codes; float otherwise, which is as fast. */
  private fuseOutput(layer: ActivationLayer): void {
    const scheme = kernelFormat(layer.scheme);
    const { output, absorbed } = this.effectiveOutput(layer.node, scheme);
    const wanted = this.demands.get(output);
    if (!wanted?.every((one) => sameFormat(kernelFormat(one), scheme)) || this.graph.isOutput(output)) return;
    const integer = (node: Node) => this.fused.has(node) && !this.layerByNode.has(node);
    if (!output.uses.every((use) => this.isLayerInput(use) || integer(use.node))) return;
    this.fused.set(layer.node, scheme);
    if (absorbed) this.absorbed.set(output, absorbed);
  }

  private isLayerInput({ node, index }: Use): boolean {
    const layer = this.layerByNode.get(node);
    return layer !== undefined && node.input(index) === layer.input;
  }

  private demand(value: Value, scheme: QuantScheme): void {
    const known = this.demands.get(value) ?? [];
    if (!known.some((one) => sameFormat(one, scheme))) known.push(scheme);
    this.demands.set(value, known);
  }

  /**
   * Operators that run on codes: all data inputs are codes of one format, and somebody wants the output as codes.
   * Largest such set: start from every operator with a kernel and drop those that do not qualify until none does.
   */
  private integerNodes(): ReadonlyMap<Node, QuantScheme> {
    const removed = new Set(this.absorbed.values());
    const candidates = new Set(
      this.graph.nodes.filter((node) => !removed.has(node) && this.mayBeInteger(node)),
    );
    for (;;) {
      const schemes = this.schemesOf(candidates);
      const wanted = this.wantedOf(candidates, schemes);
      const kept = [...candidates].filter((node) => {
        const scheme = schemes.get(node);
        return scheme !== undefined && wanted.has(node) && this.outputHasRange(node, scheme);
      });
      if (kept.length === candidates.size)
        return new Map(kept.map((node) => [node, schemes.get(node) ?? missing()]));
      candidates.clear();
      for (const node of kept) candidates.add(node);
    }
  }

  private mayBeInteger(node: Node): boolean {
    const facts = opFacts(node);
    if (node.domain !== '' || facts.weight || facts.quantized) return false;
    if (facts.ortCpu === undefined && !facts.fusedActivation) return false;
    if (node.outputs.slice(1).some((output) => output.uses.length > 0 || this.graph.isOutput(output)))
      return false;
    return dataInputs(node).some((input) => input.tensor === undefined);
  }

  /** Format in which each candidate gets its data; absent when an input is no code or formats differ. */
  private schemesOf(candidates: ReadonlySet<Node>): ReadonlyMap<Node, QuantScheme> {
    const schemes = new Map<Node, QuantScheme>();
    const produced = new Map<Value, QuantScheme>();
    for (const node of this.graph.nodes) {
      if (!candidates.has(node)) continue;
      const inputs = dataInputs(node).map((input): QuantScheme | 'any' | undefined => {
        if (input.tensor) return input.tensor.size === 1 && isFloat(input) ? 'any' : undefined;
        const demanded = this.demands.get(input)?.[0];
        return demanded === undefined ? produced.get(input) : kernelFormat(demanded);
      });
      const scheme = inputs.find((one) => one !== undefined && one !== 'any');
      if (scheme === undefined || scheme.bits > 8) continue;
      const agrees = (one: QuantScheme | 'any' | undefined) =>
        one === 'any' || (one !== undefined && sameFormat(one, scheme));
      if (!inputs.every(agrees)) continue;
      schemes.set(node, scheme);
      produced.set(this.effectiveOutput(node, scheme).output, scheme);
    }
    return schemes;
  }

  /** Candidates whose output is wanted as codes, directly or through other candidates. */
  private wantedOf(
    candidates: ReadonlySet<Node>,
    schemes: ReadonlyMap<Node, QuantScheme>,
  ): ReadonlySet<Node> {
    const wanted = new Set<Node>();
    for (let index = this.graph.nodes.length - 1; index >= 0; index--) {
      const node = this.graph.nodes[index];
      const scheme = node && schemes.get(node);
      if (!node || !scheme || !candidates.has(node)) continue;
      const { output } = this.effectiveOutput(node, scheme);
      const demanded = this.demands.get(output);
      const matches = demanded?.every((one) => sameFormat(kernelFormat(one), scheme)) ?? true;
      if (matches && (demanded || output.uses.some((use) => wanted.has(use.node)))) wanted.add(node);
    }
    return wanted;
  }

  private outputHasRange(node: Node, scheme: QuantScheme): boolean {
    return sharesScale(node) || this.rangeOf(this.effectiveOutput(node, scheme).output) !== undefined;
  }

  /** The tensor behind a Relu or Clip that the codes' range makes superfluous, else the node's own output. */
  private effectiveOutput(node: Node, scheme: QuantScheme): { output: Value; absorbed?: Node } {
    const output = node.outputs[0] ?? missing();
    const use = output.uses[0];
    if (use === undefined || output.uses.length !== 1 || this.graph.isOutput(output) || sharesScale(node))
      return { output };
    const activation = use.node;
    const after = activation.outputs[0];
    if (!opFacts(activation).fusedActivation || activation.graph !== this.graph || !after || use.index !== 0)
      return { output };
    const range = this.rangeOf(after);
    const bounds = outputBounds(activation);
    if (range === undefined || bounds === undefined) return { output };
    const parameters = parametersFor(range, scheme);
    const reached = realizedRange(parameters);
    // Half a step is what rounding costs anyway.
    const slack = parameters.scale / 2;
    const implied = reached.min >= bounds.min - slack && reached.max <= bounds.max + slack;
    return implied ? { output: after, absorbed: activation } : { output };
  }

  /** Range of a tensor, clipped to what the Relu or Clip that makes it can return. */
  private rangeOf(value: Value): ActivationRange | undefined {
    const range = Object.hasOwn(this.ranges, value.name) ? this.ranges[value.name] : undefined;
    if (range === undefined || !Number.isFinite(range.min) || !Number.isFinite(range.max)) return undefined;
    const bounds = outputBounds(value.producer);
    if (bounds === undefined) return range;
    const clip = (x: number) => Math.min(Math.max(x, bounds.min), bounds.max);
    return { min: clip(range.min), max: clip(range.max) };
  }

  private tensors(): TensorQuantizer[] {
    const tensors = new Map<Value, TensorQuantizer>();
    const order = [...this.graph.dataInputs, ...this.graph.nodes.flatMap((node) => node.outputs)];
    for (const value of order) {
      const wanted = this.demands.get(value);
      if (wanted === undefined) continue;
      const absorbed = this.absorbed.get(value);
      const maker = absorbed ? absorbed.inputs[0]?.producer : value.producer;
      const written = maker && this.fused.get(maker);
      const source = maker && written && sharesScale(maker) ? dataInputs(maker)[0] : undefined;
      const from = source && tensors.get(source);
      const first = from?.formats[0] ?? this.format(value, this.firstFormat(value, wanted, written));
      const others = wanted.filter((scheme) => !sameFormat(scheme, first.scheme));
      tensors.set(value, {
        value,
        formats: [first, ...others.map((scheme) => this.format(value, scheme))],
        sharedWith: from && (from.sharedWith ?? from.value),
        exclusive: written !== undefined,
        absorbed,
      });
    }
    return [...tensors.values()];
  }

  /**
   * Layers read exactly the format they asked for. Operators between layers, and everybody who has no other choice, get
   * the 8 bits that a kernel writes anyway: narrow codes would cost them precision for nothing.
   */
  private firstFormat(
    value: Value,
    wanted: readonly QuantScheme[],
    written: QuantScheme | undefined,
  ): QuantScheme {
    const [only, second] = wanted;
    const others = value.uses.filter((use) => !this.isLayerInput(use));
    const integer = others.some(({ node }) => this.fused.has(node));
    const read =
      written !== undefined && (others.length > 0 || second !== undefined || this.graph.isOutput(value));
    const first = only ?? missing();
    return integer || read ? kernelFormat(first) : first;
  }

  private format(value: Value, scheme: QuantScheme): TensorFormat {
    return { scheme, parameters: parametersFor(this.rangeOf(value) ?? { min: 0, max: 0 }, scheme) };
  }
}

/** A single input whose values are moved: one scale serves both sides. Concat has a kernel that rescales instead. */
export function sharesScale(node: Node): boolean {
  return opFacts(node).ortCpu === 'moves' && isPassThrough(node);
}

/** Inputs that carry the data of an operator with a kernel: those that are moved, or all. */
export function dataInputs(node: Node): readonly Value[] {
  const { passThrough } = opFacts(node);
  const all = node.inputs.filter((input) => input !== undefined);
  if (opFacts(node).fusedActivation) return all.slice(0, 1);
  if (passThrough === undefined) return all;
  return passThroughInputs(node).flatMap((index) => node.input(index) ?? []);
}

function isFloat(value: Value): boolean {
  // Types of intermediate tensors are often not declared; only those known to be something else are left out.
  return value.elementType === 0 ? !value.otherType : dataTypeByCode(value.elementType)?.name === 'float';
}

/** Integer kernels work on 8-bit codes; narrower formats are 8-bit codes of which some are not used. */
function kernelFormat(scheme: QuantScheme): QuantScheme {
  return scheme.bits < 8 ? { ...scheme, bits: 8 } : scheme;
}

function sameFormat(left: QuantScheme, right: QuantScheme): boolean {
  return formatName(left) === formatName(right);
}

function missing(): never {
  throw new Error('invariant violated: a candidate has an output and a scheme');
}
