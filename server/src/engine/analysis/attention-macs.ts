/**
 * Multiply-accumulates of attention operators, mixtures of experts and quantized recurrence (onnx/docs/Operators.md,
 * onnxruntime ContribOperators.md). Per query and key of one head: head size products for the scores, value size
 * products for the sum; masked pairs are counted as they are computed.
 */
import type { Known } from '../graph/evaluate';
import type { Node } from '../graph/ir';
import type { Shape } from './static-shapes';

type Size = Shape[number];

function number(size: Size): number | undefined {
  return typeof size === 'number' ? size : undefined;
}

function times(...factors: readonly (number | undefined)[]): number | undefined {
  return factors.reduce((all, one) => (all === undefined || one === undefined ? undefined : all * one), 1);
}

function sum(...terms: readonly (number | undefined)[]): number | undefined {
  return terms.reduce((all, one) => (all === undefined || one === undefined ? undefined : all + one), 0);
}

function elements(shape: Shape | undefined): number | undefined {
  return shape && times(...shape.map(number));
}

/** Widths of queries (and keys) and of values of a merged projection [input, q + k + v]. */
export function projectionWidths(
  node: Node,
  weight: Shape | undefined,
): readonly [query: number, value: number] | undefined {
  const [query, , value] = node.ints('qkv_hidden_sizes') ?? [];
  if (query !== undefined && value !== undefined) return [query, value];
  const all = number(weight?.[1]);
  return all === undefined ? undefined : [all / 3, all / 3];
}

/** com.microsoft Attention and QAttention: projection, scores, sum. `past` is [2, batch, heads, length, head size]. */
export function mergedAttention(past: number) {
  return (node: Node, known: Known): number | undefined => {
    const [input, weight] = [known.shape(0), known.shape(1)];
    const widths = projectionWidths(node, weight);
    const length = number(input?.[1]);
    const before = node.input(past) ? number(known.shape(past)?.[3]) : 0;
    const projection = times(number(input?.[0]), length, elements(weight));
    const pairs = times(number(input?.[0]), length, sum(length, before));
    return widths && sum(projection, times(pairs, widths[0] + widths[1]));
  };
}

/** com.microsoft MultiHeadAttention: [batch, length, width]; packed forms have no keys of their own. */
export function multiHeadAttention(node: Node, known: Known): number | undefined {
  const [query, key, value] = [known.shape(0), known.shape(1), known.shape(2)];
  const batch = number(query?.[0]);
  const length = number(query?.[1]);
  if (!node.input(1) && query?.length === 5) {
    // [batch, length, heads, 3, head size]
    return times(batch, length, length, 2, number(query[2]), number(query[4]));
  }
  if (query?.length !== 3) return undefined;
  const before = node.input(6) ? number(known.shape(6)?.[2]) : 0;
  // Keys of cross attention are [batch, heads, length, head size].
  const own = key?.length === 4 ? number(key[2]) : number(key?.[1]);
  const width = number(query[2]);
  const valueWidth = value?.length === 3 ? number(value[2]) : value?.length === 4 ? width : undefined;
  return times(batch, length, sum(own, before), sum(width, valueWidth));
}

/** com.microsoft GroupQueryAttention: queries [batch, length, heads · head size], past keys [batch, kv, length, size]. */
export function groupQueryAttention(node: Node, known: Known): number | undefined {
  const query = known.shape(0);
  const heads = node.int('num_heads', 0);
  const groups = node.int('kv_num_heads', heads);
  const width = number(query?.[2]);
  const own = node.input(1) || width === undefined ? width : (width * heads) / (heads + 2 * groups);
  const before = node.input(3) ? number(known.shape(3)?.[2]) : 0;
  const length = number(query?.[1]);
  return times(number(query?.[0]), length, sum(length, before), 2, own);
}

/** Attention of ai.onnx 23: [batch, heads, length, size], or [batch, length, heads · size] with the heads stated. */
export function standardAttention(node: Node, known: Known): number | undefined {
  const [query, key, value] = [known.shape(0), known.shape(1), known.shape(2)];
  const before = node.input(4) ? number(known.shape(4)?.[2]) : 0;
  if (query?.length === 4 && key?.length === 4 && value?.length === 4) {
    const pairs = times(number(query[0]), number(query[1]), number(query[2]), sum(number(key[2]), before));
    return times(pairs, sum(number(query[3]), number(value[3])));
  }
  const output = attentionShape(node, known);
  if (query?.length !== 3 || key?.length !== 3 || output?.length !== 3) return undefined;
  const pairs = times(number(query[0]), number(query[1]), sum(number(key[1]), before));
  return times(pairs, sum(number(query[2]), number(output[2])));
}

/** Shape of the first output of ai.onnx Attention. */
export function attentionShape(node: Node, known: Known): Shape | undefined {
  const [query, value] = [known.shape(0), known.shape(2)];
  if (query?.length === 4 && value?.length === 4) return [query[0], query[1], query[2], value[3]];
  if (query?.length !== 3 || value?.length !== 3) return undefined;
  const heads = node.int('q_num_heads', 0) / Math.max(1, node.int('kv_num_heads', 0));
  return [query[0], query[1], times(number(value[2]), heads)];
}

/** com.microsoft MoE and QMoE: `k` experts per token, each fc1, fc2 and perhaps fc3 [experts, out, in]. */
export function mixtureOfExperts(first: number, step: number, packed: (node: Node) => number) {
  return (node: Node, known: Known): number | undefined => {
    const input = known.shape(0);
    const tokens = elements(input?.slice(0, -1));
    const layers = [first, first + step, first + 2 * step].filter((at) => node.input(at));
    const perExpert = layers.map((at) => elements(known.shape(at)?.slice(1)));
    return times(tokens, node.int('k', 1), sum(...perExpert), packed(node));
  };
}

/** com.microsoft DynamicQuantizeLSTM: W [directions, inputs, gates · hidden], R likewise. */
export function dynamicLstm(_node: Node, known: Known): number | undefined {
  const input = known.shape(0);
  return times(
    number(input?.[0]),
    number(input?.[1]),
    sum(elements(known.shape(1)), elements(known.shape(2))),
  );
}
