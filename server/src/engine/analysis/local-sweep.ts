/**
 * Local error of all layers for several schemes in one float forward. A layer f is bilinear in activation and weight,
 * so its error is computed as such, beside the float path, and nothing but sums leaves the session:
 *
 *   weights      e_W = f(x, ΔW) + Δb         ΔW = Q(W) − W, Δb = Q(b) − b
 *   activations  e_A = f(Δx, W)              Δx = Q(x) − x
 *   both         e   = e_W + e_A + f(Δx, ΔW)
 *
 * Operators that are not bilinear, or that are stored as another operator, run once more and are subtracted. ΔW is
 * computed from the stored codes when the session is made and never written anywhere. Measured on a ResNet-50 with batches of 8: 2.5 forwards for a weight
 * format, 5 with activations. One convolution for several formats, with ΔW concatenated on the output channels, saves
 * nothing: the parts must be copied apart to be summed.
 */
import { defined } from '../base/invariant';
import { removeDead } from '../graph/edit';
import { defaultOpset, type Model, type Node, type Value } from '../graph/ir';
import { opFacts } from '../graph/ops';
import { ComparisonWriter } from './comparisons';
import { type ChannelEnds, ChannelEndsWriter } from './input-channels';
import { GraphBuilder } from './reductions';
import type { Comparison, LayerPair } from './shadow';
import { activationOf, ConstantCopies, quantizeActivation, rerunNode, rerunQuantized } from './twin-parts';

/** Layers of one scheme, paired with their form in the quantized twin. */
export interface SweepScheme {
  readonly scheme: string;
  readonly pairs: readonly LayerPair[];
}

export interface LocalSweep {
  readonly model: Model;
  /** Per scheme, in the order given. */
  readonly comparisons: readonly (readonly Comparison[])[];
  /** Of every activation that a scheme quantizes. */
  readonly channels: readonly ChannelEnds[];
}

/** Operators that are linear in each of their first two inputs. */
const bilinear: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/**
 * Adds the errors to `float`'s graph, which is changed: it computes nothing else any more. Its operator set must be
 * that of the twins.
 */
export function localSweep(float: Model, schemes: readonly SweepScheme[]): LocalSweep {
  const { graph } = float;
  graph.outputs.length = 0;
  const builder = new GraphBuilder(graph, defaultOpset(float));
  const writer = new ComparisonWriter(builder);
  const ends = new ChannelEndsWriter(builder);
  const comparisons = schemes.map(({ scheme, pairs }) => {
    const sweep = new SchemeSweep(builder, writer, ends, scheme);
    return pairs.flatMap((pair) => sweep.layer(pair));
  });
  removeDead(graph);
  return { model: float, comparisons, channels: ends.all };
}

interface Errors {
  readonly weights?: Value;
  readonly activations?: Value;
  readonly both?: Value;
}

class SchemeSweep {
  private readonly constants: ConstantCopies;
  private readonly activations = new Map<string, { readonly real: Value; readonly difference: Value }>();

  constructor(
    private readonly builder: GraphBuilder,
    private readonly writer: ComparisonWriter,
    private readonly ends: ChannelEndsWriter,
    private readonly scheme: string,
  ) {
    this.constants = new ConstantCopies(builder.graph, `${scheme}/`);
  }

  layer(pair: LayerPair): readonly Comparison[] {
    const errors = this.errorsOf(pair);
    const { both, weights, activations } = errors;
    if (activations) this.addChannels(pair);
    const kinds =
      both === undefined
        ? // With one of the two quantized, its error is the layer's.
          ([['local', weights ?? activations]] as const)
        : ([
            ['local', both],
            ['localWeights', weights],
            ['localActivations', activations],
          ] as const);
    return kinds.flatMap(([kind, error]) => {
      if (!error) return [];
      const name = `${this.scheme}/${kind}/${pair.name}`;
      const exact = this.float(pair, pair.float.output, 'exact');
      const real = this.float(pair, error, `${kind}_real`);
      return [
        {
          kind,
          name: pair.name,
          ...this.writer.add(name, exact, real, pair.channels),
        },
      ];
    });
  }

  private addChannels(pair: LayerPair): void {
    const activation = activationOf(pair.float);
    // Rows of such a product are no samples.
    const transposed = pair.float.chain[0]?.int('transA', 0) === 1;
    if (!activation || !pair.inputs || transposed) return;
    const real = () => this.float(pair, activation, 'channels');
    this.ends.add(pair.name, activation, real, pair.inputs);
  }

  private errorsOf(pair: LayerPair): Errors {
    const [node] = pair.float.chain;
    const [quantized] = pair.quantized.chain;
    const exact = activationOf(pair.float);
    if (!node || !quantized || !exact) return {};
    const plain =
      pair.float.chain.length === 1 &&
      pair.quantized.chain.length === 1 &&
      node.op === quantized.op &&
      bilinear.has(node.op);
    return plain ? this.bilinearErrors(pair, node, quantized, exact) : this.rerunErrors(pair, node, exact);
  }

  private bilinearErrors(pair: LayerPair, node: Node, quantized: Node, exact: Value): Errors {
    const at = pair.float.activationInput;
    const delta = this.weightDifference(node.input(1 - at), quantized.input(1 - at), pair.name);
    const moved = this.activationDifference(pair, exact);
    const biasAt = opFacts(node).weight?.bias ?? 2;
    const bias = this.weightDifference(node.input(biasAt), quantized.input(biasAt), `${pair.name}/bias`);
    const run = (activation: Value, weight: Value | undefined, tag: string, offset?: Value) =>
      rerunNode(
        this.builder.graph,
        node,
        { [at]: activation, [1 - at]: weight ?? node.input(1 - at), [biasAt]: offset },
        `${this.scheme}/${tag}/`,
      );
    const weights = delta && run(exact, delta, 'weights', bias);
    const activations = moved && run(moved.difference, undefined, 'activations');
    if (!weights || !activations) return { weights, activations };
    const second = run(moved.difference, delta, 'second');
    const name = `${this.scheme}/${pair.name}`;
    const first = this.builder.node('Add', `${name}/first_order`, [weights, activations]);
    return { weights, activations, both: this.builder.node('Add', `${name}/both`, [first, second]) };
  }

  /** ŷ − y for operators that are no plain product. */
  private rerunErrors(pair: LayerPair, node: Node, exact: Value): Errors {
    const { graph } = this.builder;
    const { scheme, constants } = this;
    const input = quantizeActivation(graph, pair, exact, constants, `${scheme}/input/${pair.name}/`);
    const difference = (value: Value | undefined, tag: string) =>
      value && this.builder.node('Sub', `${scheme}/${tag}/${pair.name}`, [value, pair.float.output]);
    const quantized = (value: Value, tag: string) =>
      difference(rerunQuantized(graph, pair, value, constants, `${scheme}/${tag}/${pair.name}/`), tag);
    if (!input) return { weights: quantized(exact, 'weights') };
    const both = quantized(input.forLayer, 'both');
    // Integer operators cannot run on a float input, so their weights' share is not separated.
    const weights = input.forLayer === input.real ? quantized(exact, 'weights') : undefined;
    const single = pair.float.chain.length === 1;
    const activations = single
      ? difference(
          rerunNode(
            graph,
            node,
            { [pair.float.activationInput]: input.real },
            `${scheme}/activations/${pair.name}/`,
            pair.float.output,
          ),
          'activations_error',
        )
      : undefined;
    return { both, weights, activations };
  }

  /** Q(W) − W as the layer reads it; `undefined` when the weight stays. */
  private weightDifference(
    weight: Value | undefined,
    twin: Value | undefined,
    layer: string,
  ): Value | undefined {
    if (!weight || !twin || (weight.tensor !== undefined && weight.tensor === twin.tensor)) return undefined;
    if (!isQuantized(twin)) return undefined;
    const copy = this.constants.of(twin);
    return copy && this.builder.node('Sub', `${this.scheme}/${layer}/weight_difference`, [copy, weight]);
  }

  /** Layers that read one activation through one quantizer share its error. */
  private activationDifference(pair: LayerPair, exact: Value) {
    const twin = activationOf(pair.quantized);
    const key = `${exact.name} ${twin?.name}`;
    const known = this.activations.get(key);
    if (known) return known;
    const prefix = `${this.scheme}/input/${pair.name}/`;
    const { graph } = this.builder;
    const input = quantizeActivation(graph, pair, exact, this.constants, prefix);
    if (!input) return undefined;
    const made = {
      real: input.real,
      difference: this.builder.node('Sub', `${prefix}difference`, [input.real, exact]),
    };
    this.activations.set(key, made);
    return made;
  }

  private float(pair: LayerPair, value: Value, tag: string): Value {
    if (pair.single !== false) return value;
    return this.builder.float(`${this.scheme}/${pair.name}/${tag}`, defined(value, 'value to cast'));
  }
}

/** True when codes stand behind a weight. */
function isQuantized(weight: Value): boolean {
  for (let node = weight.producer; node; node = node.input(0)?.producer) {
    if (node.opType === 'DequantizeLinear') return true;
  }
  return false;
}
