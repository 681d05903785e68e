/**
 * Multiply-accumulates of a model per sample, from static shapes: one per product summed in convolutions, matrix
 * products and recurrent cells. Elementwise work is not counted, as usual in the field.
 */
import type { Known } from '../graph/evaluate';
import type { Graph, Model, Node } from '../graph/ir';
import { isKnownOp, type OpType, opFacts } from '../graph/ops';
import { allGraphs } from '../graph/walk';
import {
  dynamicLstm,
  groupQueryAttention,
  mergedAttention,
  mixtureOfExperts,
  multiHeadAttention,
  standardAttention,
} from './attention-macs';
import { einsumSizes } from './shape-rules';
import { batchOfOne, type Shape, type StaticShapes, staticShapes, wholeShape } from './static-shapes';

export interface MacCount {
  /** Per sample; `null` when something stays unknown. */
  readonly total: number | null;
  /** Why `total` is null. */
  readonly reason?: string;
  /** Per sample and node; nodes without an entry multiply nothing, `null` = unknown. Covers subgraphs. */
  readonly perNode: ReadonlyMap<Node, number | null>;
}

/** Counts with the batch bound to 1 and the given dimensions bound; a batch fixed in the file is divided out. */
export function countMacs(model: Model, dimensions: Readonly<Record<string, number>>): MacCount {
  const shapes = staticShapes(model, batchOfOne(model, dimensions));
  const batch = fixedBatch(model, shapes);
  const perNode = new Map<Node, number | null>();
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      const count = countOf(node, shapes);
      if (count !== undefined) perNode.set(node, count === null ? null : count / batch);
    }
  }
  const total = totalOf(model.graph, perNode, { model, shapes });
  return typeof total === 'number' ? { total, perNode } : { total: null, reason: total, perNode };
}

type Counter = (node: Node, known: Known, shapes: StaticShapes) => number | undefined;

/** Counters of operators that multiply and are no layers by `ops.ts`, or count differently. */
const counterTable = {
  ConvTranspose: (_node, known) =>
    times(elements(known.shape(1)), elements(known.shape(0)?.slice(2)), size(known.shape(0)?.[0])),
  DeformConv: (node, known, shapes) => convolution(node, known, shapes, 1),
  Einsum: (node, known) => {
    const found = einsumSizes(node, known);
    return found && node.inputs.length > 1 ? elements([...found.sizes.values()]) : found && 0;
  },
  LSTM: recurrent(4),
  GRU: recurrent(3),
  RNN: recurrent(1),
  'com.microsoft.DynamicQuantizeLSTM': dynamicLstm,
  Attention: standardAttention,
  'com.microsoft.Attention': mergedAttention(4),
  'com.microsoft.QAttention': mergedAttention(8),
  'com.microsoft.MultiHeadAttention': multiHeadAttention,
  'com.microsoft.GroupQueryAttention': groupQueryAttention,
  'com.microsoft.MoE': mixtureOfExperts(2, 2, () => 1),
  'com.microsoft.QMoE': mixtureOfExperts(2, 3, (node) => 8 / node.int('expert_weight_bits', 4)),
} as const satisfies Partial<Record<OpType, Counter>>;

const counters = new Map<string, Counter>(Object.entries(counterTable));

/** Operators whose products this program does not count. */
const UNCOUNTED: ReadonlySet<string> = new Set([
  'com.microsoft.PackedAttention',
  'com.microsoft.DecoderMaskedSelfAttention',
  'com.microsoft.LongformerAttention',
  'com.microsoft.DecoderAttention',
  'com.microsoft.NhwcConv',
  'com.microsoft.NhwcFusedConv',
  'com.microsoft.nchwc.Conv',
  'DFT',
  'STFT',
]);

/** Count of one node: `undefined` = multiplies nothing, `null` = unknown. */
function countOf(node: Node, shapes: StaticShapes): number | null | undefined {
  if (UNCOUNTED.has(node.op) || !isKnownOp(node.op)) return null;
  const known: Known = {
    shape: (index) => shapes.shape(node.input(index)),
    content: (index) => shapes.content(node.input(index)),
  };
  const counter = counters.get(node.op);
  if (counter) return counter(node, known, shapes) ?? null;
  const weight = opFacts(node).weight;
  if (!weight) return undefined;
  if (weight.grouped) return convolution(node, known, shapes, weight.input) ?? null;
  return product(node, known, shapes) ?? null;
}

/** Output elements × products per output = weight elements × output positions. */
function convolution(
  node: Node,
  known: Known,
  shapes: StaticShapes,
  weightInput: number,
): number | undefined {
  const output = shapes.shape(node.output());
  return times(elements(known.shape(weightInput)), elements(output?.slice(2)), size(output?.[0]));
}

/** Output elements × length of the summed axis. */
function product(node: Node, known: Known, shapes: StaticShapes): number | undefined {
  const left = known.shape(0);
  const summed = node.int('transA', 0) !== 0 ? left?.at(-2) : left?.at(-1);
  return times(elements(shapes.shape(node.output())), size(summed));
}

function recurrent(gates: number): Counter {
  return (_node, known) => {
    // W [directions, gates·hidden, input], R [directions, gates·hidden, hidden]: used once per step and sample.
    const [input, weight, recurrence] = [known.shape(0), known.shape(1), known.shape(2)];
    const perStep = [elements(weight), elements(recurrence)];
    const steps = times(size(input?.[0]), size(input?.[1]));
    if (steps === undefined || perStep[0] === undefined || perStep[1] === undefined) return undefined;
    // A node whose R is not gates times as tall as wide is malformed.
    if (recurrence?.[1] !== gates * Number(recurrence?.[2])) return undefined;
    return steps * (perStep[0] + perStep[1]);
  };
}

function size(dimension: Shape[number]): number | undefined {
  return typeof dimension === 'number' ? dimension : undefined;
}

function elements(shape: Shape | undefined): number | undefined {
  return wholeShape(shape)?.reduce((all, one) => all * one, 1);
}

function times(...factors: readonly (number | undefined)[]): number | undefined {
  return factors.reduce((all, one) => (all === undefined || one === undefined ? undefined : all * one), 1);
}

interface Context {
  readonly model: Model;
  readonly shapes: StaticShapes;
}

/** Sum over a graph, or the reason why there is none. */
function totalOf(graph: Graph, perNode: ReadonlyMap<Node, number | null>, context: Context): number | string {
  let total = 0;
  for (const node of graph.nodes) {
    const count = perNode.get(node);
    if (count === null) return reasonOf(node, context);
    total += count ?? 0;
    if (node.subgraphs.length === 0) continue;
    const inner = node.subgraphs.map((one) => totalOf(one, perNode, context));
    const equal = inner.every((one) => one === inner[0]);
    // Branches that cost the same, or bodies that multiply nothing, need no knowledge of the data.
    if (!equal || (node.op !== 'If' && inner[0] !== 0))
      return `how ${node.label} (${node.op}) runs depends on the data`;
    if (typeof inner[0] === 'string') return inner[0];
    total += inner[0] ?? 0;
  }
  return total;
}

function reasonOf(node: Node, { model, shapes }: Context): string {
  for (const input of model.graph.dataInputs) {
    const open = shapes.shape(input)?.find((dimension) => typeof dimension !== 'number');
    if (typeof open === 'string') return `dimension ${open} of input ${input.name} is not bound`;
    if (!input.shape && !input.otherType) return `the shape of input ${input.name} is unknown`;
    if (shapes.shape(input)?.includes(undefined)) return `a dimension of input ${input.name} is unknown`;
  }
  if (UNCOUNTED.has(node.op) || !isKnownOp(node.op))
    return `the cost of ${node.op} (${node.label}) is unknown`;
  return `a shape at ${node.label} (${node.op}) is unknown`;
}

/**
 * A batch the file fixes to more than 1: first dimension of the first input and of the first output alike, in a file
 * without symbolic dimensions. Recurrent networks have the sequence in that place.
 */
function fixedBatch(model: Model, shapes: StaticShapes): number {
  const inputs = model.graph.dataInputs;
  const batch = inputs[0]?.shape?.[0];
  if (typeof batch !== 'number' || batch < 2 || (inputs[0]?.shape?.length ?? 0) < 2) return 1;
  if (inputs.some((input) => wholeShape(input.shape) === undefined)) return 1;
  if (model.graph.nodes.some((node) => RECURRENT.has(node.op))) return 1;
  return shapes.shape(model.graph.outputs[0])?.[0] === batch ? batch : 1;
}

const RECURRENT: ReadonlySet<string> = new Set([
  'LSTM',
  'GRU',
  'RNN',
  'com.microsoft.DynamicQuantizeLSTM',
  'Scan',
  'Loop',
]);
