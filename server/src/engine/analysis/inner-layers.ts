/**
 * Layers inside If, Loop and Scan bodies. A layer's own error is taken where it stands, beside the float layer on the
 * float activation, and only sums leave the body; for what reaches it from quantized layers before, the outputs of both
 * networks leave their bodies and are compared outside.
 */
import { removeDead } from '../graph/edit';
import { defaultOpset, type Graph, type Model, type Value } from '../graph/ir';
import { lift } from '../graph/lift';
import { topologicalOrder } from '../graph/walk';
import { type ComparisonOutputs, ComparisonWriter } from './comparisons';
import { GraphBuilder } from './reductions';
import type { Comparison, LayerPair } from './shadow';
import { activationOf, ConstantCopies, quantizeActivation, rerunQuantized } from './twin-parts';

export interface InnerSweep {
  readonly model: Model;
  /** Own errors of every layer that can be taken out of its body. */
  readonly comparisons: readonly Comparison[];
}

/** Adds the own errors to `float`'s graph, which is changed: it computes nothing else any more. */
export function innerSweep(float: Model, pairs: readonly LayerPair[]): InnerSweep {
  const { graph } = float;
  graph.outputs.length = 0;
  const constants = new ConstantCopies(graph, 'inner/');
  const writers = new Map<Graph, BodyWriter>();
  const comparisons = pairs.flatMap((pair): Comparison[] => {
    const body = pair.float.output.producer?.graph;
    const found = body ? quantizedForms(body, pair, constants) : [];
    if (!body || found.length === 0) return [];
    const builder = new GraphBuilder(body, defaultOpset(float));
    const { writer, names } = writers.get(body) ?? {
      writer: new ComparisonWriter(builder),
      names: new Map(),
    };
    writers.set(body, { writer, names });
    const real = (what: string, value: Value) =>
      pair.single === false ? builder.float(`inner/${pair.name}/${what}`, value) : value;
    const signal = real('exact', pair.float.output);
    const own = body.outputs.length;
    const inside = found.map(([kind, close]) => {
      const name = `inner/${kind}/${pair.name}`;
      const error = builder.node('Sub', `${name}/error`, [real(kind, close), signal]);
      return [kind, writer.add(name, signal, error, undefined)] as const;
    });
    if (!liftAll(graph, body.outputs.splice(own), names)) return [];
    return inside.map(([kind, sums]) => ({ kind, name: pair.name, ...renamed(sums, names) }));
  });
  removeDead(graph);
  const sorted = topologicalOrder(graph);
  if ('order' in sorted) graph.nodes.splice(0, graph.nodes.length, ...sorted.order);
  return { model: float, comparisons };
}

type Form = readonly [kind: 'local' | 'localWeights', output: Value];

/** The layer's quantized forms on the float activation: with the quantizer in front of it, and its weight alone. */
function quantizedForms(body: Graph, pair: LayerPair, constants: ConstantCopies): readonly Form[] {
  const exact = activationOf(pair.float);
  // Its activation would need another type.
  if (!exact || pair.types) return [];
  const prefix = `inner/${pair.name}/`;
  const input = quantizeActivation(body, pair, exact, constants, `${prefix}input/`);
  const form = (kind: Form[0], activation: Value): readonly Form[] => {
    const output = rerunQuantized(body, pair, activation, constants, `${prefix}${kind}/`);
    return output ? [[kind, output]] : [];
  };
  const whole = input ? form('local', input.forLayer) : [];
  // Integer operators cannot run on a float input, so their weights' share is not separated.
  return input && input.forLayer !== input.real ? whole : [...whole, ...form('localWeights', exact)];
}

/** Comparisons inside a body, and what its sums are called outside: layers of one operator share some. */
interface BodyWriter {
  readonly writer: ComparisonWriter;
  readonly names: Map<string, string>;
}

/** Makes values of a body outputs of the main graph; false where they cannot leave it. */
function liftAll(graph: Graph, values: readonly Value[], names: Map<string, string>): boolean {
  for (const value of values) {
    const lifted = lift(value, 'sum');
    if (!lifted) return false;
    graph.outputs.push(lifted);
    names.set(value.name, lifted.name);
  }
  return true;
}

function renamed(inside: ComparisonOutputs, names: ReadonlyMap<string, string>): ComparisonOutputs {
  const outside = (name: string) => names.get(name) ?? name;
  const { signal, noise, cross, size } = inside;
  return {
    signal: outside(signal),
    noise: outside(noise),
    ...(cross === undefined ? {} : { cross: outside(cross) }),
    ...(size === undefined ? {} : { size: outside(size) }),
  };
}

/**
 * Pairs of layers as pairs of values of the main graphs, whose outputs can be compared there; both models are
 * changed. Layers that cannot be taken out of their bodies are left out.
 */
export function liftedPairs(pairs: readonly LayerPair[]): readonly LayerPair[] {
  return pairs.flatMap((pair) => {
    const [float, quantized] = [lift(pair.float.output, 'stack'), lift(pair.quantized.output, 'stack')];
    if (!float || !quantized) return [];
    const ends = (output: Value) => ({ chain: [], activationInput: 0, output });
    return [{ name: pair.name, single: pair.single, float: ends(float), quantized: ends(quantized) }];
  });
}
