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
import { activationOf, ConstantCopies, rerunQuantized } from './twin-parts';

export interface InnerSweep {
  readonly model: Model;
  /** The weights' error of every layer that can be taken out of its body. */
  readonly comparisons: readonly Comparison[];
}

/** Adds the weights' errors to `float`'s graph, which is changed: it computes nothing else any more. */
export function innerSweep(float: Model, pairs: readonly LayerPair[]): InnerSweep {
  const { graph } = float;
  graph.outputs.length = 0;
  const constants = new ConstantCopies(graph, 'inner/');
  const writers = new Map<Graph, ComparisonWriter>();
  const comparisons = pairs.flatMap((pair): Comparison[] => {
    const body = pair.float.output.producer?.graph;
    const exact = activationOf(pair.float);
    const close = body && exact && rerunQuantized(body, pair, exact, constants, `inner/${pair.name}/`);
    if (!close) return [];
    const builder = new GraphBuilder(body, defaultOpset(float));
    const writer = writers.get(body) ?? new ComparisonWriter(builder);
    writers.set(body, writer);
    const real = (what: string, value: Value) =>
      pair.single === false ? builder.float(`inner/${pair.name}/${what}`, value) : value;
    const signal = real('exact', pair.float.output);
    const error = builder.node('Sub', `inner/${pair.name}/error`, [real('close', close), signal]);
    const own = body.outputs.length;
    const inside = writer.add(`inner/${pair.name}`, signal, error, undefined);
    const outside = liftedSums(graph, inside, body.outputs.splice(own));
    return outside ? [{ kind: 'localWeights', name: pair.name, ...outside }] : [];
  });
  removeDead(graph);
  const sorted = topologicalOrder(graph);
  if ('order' in sorted) graph.nodes.splice(0, graph.nodes.length, ...sorted.order);
  return { model: float, comparisons };
}

/** Sums of a body as outputs of the main graph; `undefined` where they cannot leave it. */
function liftedSums(
  graph: Graph,
  inside: ComparisonOutputs,
  values: readonly Value[],
): ComparisonOutputs | undefined {
  const names = new Map<string, string>();
  for (const value of values) {
    const lifted = lift(value, 'sum');
    if (!lifted) return undefined;
    graph.outputs.push(lifted);
    names.set(value.name, lifted.name);
  }
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
