/**
 * Does quantization change which tokens attention looks at? Kendall's τ-b between the rows of every attention matrix of
 * the float network and its quantized twin on the same samples (Kendall 1938; the ranking loss of arXiv 2106.14156).
 */
import type { AttentionOrder } from '../../protocol/remedies';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model, Node } from '../graph/ir';
import { isPassThrough } from '../graph/ops';
import { type RunTapsInput, runTaps } from './run-taps';

/** Rows looked at per matrix and sample, and entries per row: τ compares all pairs of a row. */
const MAX_ROWS = 64;
const MAX_ENTRIES = 128;

/** Softmax nodes of the main graph whose result weighs other activations: it meets them in a MatMul. */
export function attentionSoftmaxes(model: Model): readonly Node[] {
  return model.graph.nodes.filter((node) => node.op === 'Softmax' && weighs(node, 0));
}

function weighs(node: Node, depth: number): boolean {
  const uses = node.output()?.uses ?? [];
  return uses.some(({ node: reader, index }) => {
    if (reader.op === 'MatMul') return reader.input(1 - index)?.tensor === undefined;
    const seesThrough = isPassThrough(reader) || ['Cast', 'Dropout', 'Mul', 'Where'].includes(reader.op);
    return depth < 4 && seesThrough && weighs(reader, depth + 1);
  });
}

/** Kendall's τ-b of two rows of equal length, ties counted as in the definition; `undefined` when one row is all ties. */
export function kendallTau(one: ArrayLike<number>, other: ArrayLike<number>): number | undefined {
  let concordant = 0;
  let tiedOne = 0;
  let tiedOther = 0;
  let pairs = 0;
  for (let i = 1; i < one.length; i++) {
    for (let j = 0; j < i; j++) {
      const a = Math.sign((one[i] ?? 0) - (one[j] ?? 0));
      const b = Math.sign((other[i] ?? 0) - (other[j] ?? 0));
      pairs++;
      if (a === 0) tiedOne++;
      if (b === 0) tiedOther++;
      concordant += a * b;
    }
  }
  const norm = Math.sqrt((pairs - tiedOne) * (pairs - tiedOther));
  return norm > 0 ? concordant / norm : undefined;
}

/** Mean τ per attention matrix; empty when the two networks do not have the same number of them. */
export async function attentionOrders(
  float: Model,
  quantized: Model,
  input: Omit<RunTapsInput, 'networks'>,
): Promise<Outcome<readonly AttentionOrder[]>> {
  const [ours, theirs] = [attentionSoftmaxes(float), attentionSoftmaxes(quantized)];
  if (ours.length === 0 || ours.length !== theirs.length) return ok([]);
  const orders = ours.map((node) => new OrderOfRows(node.label));
  const names = (nodes: readonly Node[]) => nodes.map((node) => node.output()?.name ?? '');
  const networks = [
    { model: float, values: names(ours) },
    { model: quantized, values: names(theirs) },
  ];
  const ran = await runTaps({ ...input, networks }, ([one = [], other = []]) => {
    orders.forEach((order, index) => {
      const [a, b] = [one[index], other[index]];
      if (a?.data instanceof Float32Array && b?.data instanceof Float32Array) {
        order.add(a.data, b.data, a.dims.at(-1) ?? 0);
      }
    });
  });
  return ran.value ? ok(orders.flatMap((order) => order.result() ?? [])) : fail(...ran.issues);
}

/** Mean τ of one attention matrix, batch after batch. */
export class OrderOfRows {
  private sum = 0;
  private rows = 0;

  constructor(private readonly node: string) {}

  /** @param columns length of a row, the last dimension. */
  add(float: ArrayLike<number>, quantized: ArrayLike<number>, columns: number): void {
    if (columns < 2 || float.length !== quantized.length) return;
    const total = Math.floor(float.length / columns);
    const step = Math.max(1, Math.ceil(total / MAX_ROWS));
    for (let row = 0; row < total; row += step) {
      const tau = kendallTau(
        picked(float, row * columns, columns),
        picked(quantized, row * columns, columns),
      );
      if (tau === undefined) continue;
      this.sum += tau;
      this.rows++;
    }
  }

  result(): AttentionOrder | undefined {
    return this.rows === 0 ? undefined : { node: this.node, tau: this.sum / this.rows, rows: this.rows };
  }
}

function picked(values: ArrayLike<number>, start: number, columns: number): Float64Array {
  const step = Math.max(1, Math.ceil(columns / MAX_ENTRIES));
  const row = new Float64Array(Math.ceil(columns / step));
  for (let index = 0; index < row.length; index++) row[index] = values[start + index * step] ?? 0;
  return row;
}
