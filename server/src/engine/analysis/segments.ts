/**
 * Where a network can be cut: behind which nodes few tensors carry everything that the compared output still needs.
 * Between two cuts lies a segment; to see what its layers do to the output, the network runs from the cut before them
 * on, once per layer (suffix reuse, methods-ptq §4.2 C). One session holds all these runs of a segment, so fewer
 * segments open fewer sessions at the same work; more of them answer sooner.
 */
import type { Graph, Node, Value } from '../graph/ir';
import { needs, nodesReachedFrom, nodesReaching } from '../graph/walk';

export interface Segment {
  /** Tensors at its borders; the first segment's inputs are empty (the model's own), the last ends at the target. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Names of the layers inside. */
  readonly layers: readonly string[];
}

/** A layer as far as cutting is concerned. */
export interface CutLayer {
  readonly name: string;
  readonly node: Node;
  /** Share of the network's time; any unit. */
  readonly cost: number;
}

/** On a ResNet-50 one session then runs for about three forwards; opening all of them takes less than two. */
const SEGMENTS = 9;

/** Nodes in one session, copies counted: opening takes longer than in proportion to them. */
const MOST_NODES = 4000;

/** Tensors at one cut; more would mean to keep most of the network. */
const LARGEST_CUT = 4;

/** With fewer segments than this, cuts through more tensors are tried. */
const FEWEST = 6;

/**
 * Segments in execution order that together hold every layer on the way to `target`. Layers elsewhere are left out:
 * they do not change it. A network without usable cuts is one segment.
 */
export function segmentsOf(graph: Graph, target: Value, layers: readonly CutLayer[]): readonly Segment[] {
  const order = nodesReaching(graph, [target]);
  const dependent = new Set(nodesReachedFrom(graph, graph.dataInputs));
  const live = liveBehind(order, dependent, target);
  let best: readonly Segment[] = [];
  for (let size = 1; size <= LARGEST_CUT; size++) {
    const found = divide(order, live, target, layers, size);
    if (found.length > best.length) best = found;
    if (best.length >= Math.min(FEWEST, layers.length)) break;
  }
  return best;
}

/** Per position in `order`: the computed tensors that later nodes, or the caller, still need behind it. */
function liveBehind(
  order: readonly Node[],
  dependent: ReadonlySet<Node>,
  target: Value,
): readonly (readonly Value[])[] {
  const last = new Map<Value, number>([[target, Number.POSITIVE_INFINITY]]);
  order.forEach((node, position) => {
    for (const value of needs(node)) if (value !== target) last.set(value, position);
  });
  const open = new Set<Value>();
  return order.map((node, position) => {
    // What depends on no input is computed again where it is needed: it is constant.
    if (dependent.has(node)) for (const output of node.outputs) if (last.has(output)) open.add(output);
    for (const value of open) if ((last.get(value) ?? 0) <= position) open.delete(value);
    return [...open];
  });
}

function divide(
  order: readonly Node[],
  live: readonly (readonly Value[])[],
  target: Value,
  layers: readonly CutLayer[],
  size: number,
): readonly Segment[] {
  const byNode = new Map<Node, CutLayer[]>();
  for (const layer of layers) byNode.set(layer.node, [...(byNode.get(layer.node) ?? []), layer]);
  const behind = costsBehind(order, byNode);
  const enough = layers.reduce((sum, layer) => sum + (behind.get(layer.node) ?? 0), 0) / SEGMENTS;
  const segments: Segment[] = [];
  let inputs: readonly Value[] = [];
  let names: string[] = [];
  let cost = 0;
  let nodes = 0;
  order.forEach((node, position) => {
    for (const layer of byNode.get(node) ?? []) {
      names.push(layer.name);
      cost += behind.get(node) ?? 0;
      nodes += order.length - position;
    }
    const outputs = live[position] ?? [];
    const usable = outputs.length > 0 && outputs.length <= size && !outputs.includes(target);
    if (names.length === 0 || (cost < enough && nodes < MOST_NODES) || !usable) return;
    segments.push({ inputs, outputs, layers: names });
    inputs = outputs;
    names = [];
    cost = 0;
    nodes = 0;
  });
  if (names.length > 0) segments.push({ inputs, outputs: [target], layers: names });
  return segments;
}

/** Per node with layers: what runs again when one of them changes. */
function costsBehind(
  order: readonly Node[],
  layers: ReadonlyMap<Node, readonly CutLayer[]>,
): ReadonlyMap<Node, number> {
  const behind = new Map<Node, number>();
  let sum = 0;
  for (const node of [...order].reverse()) {
    const here = layers.get(node);
    if (!here) continue;
    for (const layer of here) sum += layer.cost;
    behind.set(node, sum);
  }
  return behind;
}
