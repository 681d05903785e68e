/**
 * Where a network is cut: behind nodes where few tensors carry everything that the compared output still needs.
 * Between two cuts lies a segment. To see what its layers do to the output, their variants of the segment run in one
 * session, and what they make of its end runs through the sessions of the segments behind it, so nothing
 * in front of a layer is computed for it again. Cuts are chosen by what they cost in time: few segments copy many nodes
 * and repeat much of the network for the estimate, many carry every tensor at every cut out of a session and into the
 * next.
 */
import type { Graph, Node, Value } from '../graph/ir';
import { needs, nodesReachedFrom, nodesReaching } from '../graph/walk';

export interface Segment {
  /** Tensors at its borders; the first segment's inputs are empty (the model's own), the last ends at the target. */
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Names of the layers inside. */
  readonly layers: readonly string[];
  /** Multiply-accumulates of a sample per element of the weights. */
  readonly reuse: number;
  /** Elements of the weights of its layers. */
  readonly params: number;
}

/** A layer as far as cutting is concerned. */
export interface CutLayer {
  readonly name: string;
  readonly node: Node;
  /** Multiply-accumulates per sample. */
  readonly cost: number;
  /** Elements of the weight. */
  readonly params: number;
}

export interface CutOptions {
  /** Samples measured with one set of sessions. */
  readonly samples: number;
  /** Elements of a value for one sample, where they are known. */
  readonly elements: (value: Value) => number | undefined;
}

/** Tensors at one cut. */
const LARGEST_CUT = 16;

/** Positions that are tried as cuts; of more, some in equal distances. */
const MOST_CUTS = 400;

/**
 * Seconds on one core, taken from runs of a single network. Only their ratios matter, and only for where it is cut:
 * figures are the same wherever that is, and `bench/sensitivity.mjs` tells what other shapes cost.
 */
const PER_NODE = 1.2e-4;
const PER_SESSION = 2e-3;
const PER_MAC = 8e-12;
const PER_CARRIED_BYTE = 1e-9;
const PER_RUN = 5e-5;

/** What variants beside each other in one session lose against runs of their own. */
const CROWDED = 0.2;

/** Taken where the size of a tensor is not known. */
const UNKNOWN_ELEMENTS = 100_000;

/**
 * Segments in execution order that together hold every layer on the way to `target`. Layers elsewhere are left out:
 * they do not change it. A network without usable cuts is one segment.
 */
export function segmentsOf(
  graph: Graph,
  target: Value,
  layers: readonly CutLayer[],
  { samples, elements }: CutOptions,
): readonly Segment[] {
  const order = nodesReaching(graph, [target]);
  const work = workOf(order, layers);
  const cuts = usableCuts(order, graph, target, work).map(({ position, values }) => {
    const bytes = values.reduce((sum, value) => sum + 4 * (elements(value) ?? UNKNOWN_ELEMENTS), 0);
    return { position, values, carried: PER_RUN + samples * bytes * PER_CARRIED_BYTE };
  });
  const ends = [{ position: 0, values: [], carried: 0 }, ...cuts];
  ends.push({ position: order.length, values: [], carried: 0 });
  const chosen = cheapest(ends.length, (from, to) => {
    const [start, end] = [ends[from], ends[to]];
    return start && end
      ? costOf(work, start.position, end.position, samples) + work.layersTo(end.position) * end.carried
      : 0;
  });
  const segments: Segment[] = [];
  for (let at = 1; at < chosen.length; at++) {
    const [start, end] = [ends[chosen[at - 1] ?? 0], ends[chosen[at] ?? 0]];
    if (!start || !end) continue;
    const inside = work.between(start.position, end.position);
    if (inside.length === 0) continue;
    const isLast = end.position === order.length;
    const params = inside.reduce((sum, layer) => sum + layer.params, 0);
    segments.push({
      inputs: start.values,
      outputs: isLast ? [target] : end.values,
      layers: inside.map((layer) => layer.name),
      reuse: inside.reduce((sum, layer) => sum + layer.cost, 0) / Math.max(params, 1),
      params,
    });
  }
  return segments;
}

/** Layers and work of the nodes before a position, as sums over prefixes. */
interface Work {
  /** Layers before a position. */
  layersTo(position: number): number;
  between(from: number, to: number): readonly CutLayer[];
  /** Σ cost before a position, and the sums over layers of where they stand and of the cost before them. */
  readonly cost: readonly number[];
  readonly positions: readonly number[];
  readonly before: readonly number[];
}

function workOf(order: readonly Node[], layers: readonly CutLayer[]): Work {
  const byNode = new Map<Node, CutLayer[]>();
  for (const layer of layers) byNode.set(layer.node, [...(byNode.get(layer.node) ?? []), layer]);
  const [cost, positions, before, counts] = [[0], [0], [0], [0]];
  order.forEach((node, position) => {
    const here = byNode.get(node) ?? [];
    const soFar = cost[position] ?? 0;
    cost.push(soFar + here.reduce((sum, layer) => sum + layer.cost, 0));
    positions.push((positions[position] ?? 0) + here.length * position);
    before.push((before[position] ?? 0) + here.length * soFar);
    counts.push((counts[position] ?? 0) + here.length);
  });
  return {
    layersTo: (position) => counts[position] ?? 0,
    between: (from, to) => order.slice(from, to).flatMap((node) => byNode.get(node) ?? []),
    cost,
    positions,
    before,
  };
}

/** Seconds that a segment costs beside its share of the runs, which is the same wherever the cuts are. */
function costOf(work: Work, from: number, to: number, samples: number): number {
  const difference = (sums: readonly number[]) => (sums[to] ?? 0) - (sums[from] ?? 0);
  const layers = work.layersTo(to) - work.layersTo(from);
  const copies = layers * to - difference(work.positions);
  const repeated = layers * (work.cost[to] ?? 0) - difference(work.before);
  const behind = (work.cost.at(-1) ?? 0) - (work.cost[to] ?? 0);
  const runs = repeated * (1 + CROWDED * samples) + behind;
  return 2 * PER_SESSION + PER_NODE * (2 * (to - from) + copies) + PER_MAC * runs;
}

/** Positions behind which the network can be cut, with the tensors that are alive there. */
function usableCuts(
  order: readonly Node[],
  graph: Graph,
  target: Value,
  work: Work,
): readonly { readonly position: number; readonly values: readonly Value[] }[] {
  const dependent = new Set(nodesReachedFrom(graph, graph.dataInputs));
  const found = liveBehind(order, dependent, target).flatMap((values, index) => {
    const position = index + 1;
    const usable = values.length > 0 && values.length <= LARGEST_CUT && !values.includes(target);
    // Behind the last layer nothing is repeated, before the first one nothing is saved.
    const between = work.layersTo(position) > 0 && work.layersTo(position) < work.layersTo(order.length);
    return usable && between ? [{ position, values }] : [];
  });
  if (found.length <= MOST_CUTS) return found;
  return Array.from(
    { length: MOST_CUTS },
    (_, index) => found[Math.floor((index * found.length) / MOST_CUTS)],
  ).filter((cut) => cut !== undefined);
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

/** The stops from the first to the last end whose steps cost least together. */
function cheapest(ends: number, cost: (from: number, to: number) => number): readonly number[] {
  const best: number[] = [0];
  const previous: number[] = [0];
  for (let to = 1; to < ends; to++) {
    best[to] = Number.POSITIVE_INFINITY;
    for (let from = 0; from < to; from++) {
      const total = (best[from] ?? 0) + cost(from, to);
      if (total >= (best[to] ?? 0)) continue;
      best[to] = total;
      previous[to] = from;
    }
  }
  const path = [ends - 1];
  while ((path[0] ?? 0) > 0) path.unshift(previous[path[0] ?? 0] ?? 0);
  return path;
}
