/**
 * Scales with which no code has a meaning: 0, not finite, below zero where real numbers are quantized, or as many as no
 * axis has. ONNX leaves the result undefined (QuantizeLinear divides by the scale). Only scales are read, no weight.
 */
import { type Issue, issue } from '../base/issue';
import type { Model, Node, Value } from '../graph/ir';
import { allNodes } from '../graph/walk';

/** Scales of larger tensors belong to blocks of weights and are read with their codes. */
const MOST_SCALES = 2 ** 16;

/** Input positions of the scales of operators that carry them themselves: activation, weight, output. */
const ownScales: Readonly<Record<string, readonly number[]>> = {
  QLinearConv: [1, 4, 6],
  QLinearMatMul: [1, 4, 6],
  'com.microsoft.QGemm': [1, 4, 7],
};

/**
 * One `tensor-invalid` per tensor of scales that is broken, at the first node that reads it. It is an error, but for
 * zeros among the scales of a stored weight: channels that hold nothing but zeros are written so.
 */
export function brokenScales(model: Model): readonly Issue[] {
  const seen = new Set<string>();
  const found: Issue[] = [];
  for (const node of allNodes(model.graph)) {
    for (const at of positions(node)) {
      const scale = node.input(at);
      const tensor = scale?.tensor;
      if (!scale || !tensor || tensor.size > MOST_SCALES || seen.has(scale.name)) continue;
      const values = wrongValues(node, tensor.toFloat32().value);
      const reason = values?.reason ?? wrongAxis(node, scale);
      if (reason === undefined) continue;
      seen.add(scale.name);
      const { name } = scale;
      const harmless = values?.onlySomeZeros === true && node.input(0)?.tensor !== undefined;
      const anchor = { node: node.label, tensor: name };
      found.push(issue('tensor-invalid', { tensor: name, reason }, anchor, harmless ? 'warning' : 'error'));
    }
  }
  return found;
}

function positions(node: Node): readonly number[] {
  return isQuantizer(node) ? [1] : (ownScales[node.op] ?? []);
}

function isQuantizer(node: Node): boolean {
  return node.opType === 'QuantizeLinear' || node.opType === 'DequantizeLinear';
}

function wrongValues(
  node: Node,
  scales: ArrayLike<number> | undefined,
): { readonly reason: string; readonly onlySomeZeros: boolean } | undefined {
  if (!scales) return undefined;
  const counts = { zero: 0, 'not finite': 0, negative: 0 };
  for (let index = 0; index < scales.length; index++) {
    const scale = scales[index] ?? 0;
    if (scale === 0) counts.zero++;
    else if (!Number.isFinite(scale)) counts['not finite']++;
    // Weights may be stored with negative scales: what they dequantize to is well defined.
    else if (scale < 0 && node.opType === 'QuantizeLinear') counts.negative++;
  }
  const bad = Object.entries(counts).filter(([, count]) => count > 0);
  if (bad.length === 0) return undefined;
  const single = scales.length === 1;
  const words = bad.map(([what, count]) => (single ? what : `${what} ${count} times of ${scales.length}`));
  return {
    reason: `as a scale of ${node.opType} it is ${words.join(' and ')}`,
    onlySomeZeros: bad.length === 1 && counts.zero > 0 && counts.zero < scales.length,
  };
}

/** Several scales in one dimension run along an axis, which must exist and have as many entries. */
function wrongAxis(node: Node, scale: Value): string | undefined {
  const [count, ...more] = scale.tensor?.shape ?? [];
  if (!isQuantizer(node) || count === undefined || count === 1 || more.length > 0) return undefined;
  if (node.int('block_size', 0) > 0) return undefined;
  const data = node.input(0);
  const shape = data?.tensor?.shape ?? data?.shape;
  if (!shape) return undefined;
  const axis = node.int('axis', 1);
  const at = axis < 0 ? axis + shape.length : axis;
  if (at < 0 || at >= shape.length)
    return `its ${count} scales run along axis ${axis} of ${shape.length} dimensions`;
  const size = shape[at];
  return typeof size === 'number' && size !== count
    ? `it has ${count} scales for ${size} entries of axis ${axis}`
    : undefined;
}
