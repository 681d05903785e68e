/** The quantization plan: what export will do to every layer, decided before anything is changed. Plain data. */

import type { TargetName } from '../base/format-names';
import type { StorageType } from './targets';

export interface QuantPlan {
  readonly target: TargetName;
  /** Scheme of the command line, or `recipe`. */
  readonly scheme: string;
  /** Estimator of activation ranges, with its parameter. */
  readonly estimator: string;
  /** Default operator set of the model as given and as it will be written. */
  readonly opsetBefore: number;
  readonly opset: number;
  /** Node that keeps the operator set from being raised as far as the formats would need. */
  readonly opsetObstacle?: string;
  /** In the order of the model's layers. */
  readonly layers: readonly PlanLayer[];
}

export interface PlanLayer {
  readonly name: string;
  /** Node name or `OpType_index`. */
  readonly node: string;
  readonly op: string;
  /** Initializer (or Constant output) name. */
  readonly weight: string;
  /** Complete format name such as `int4.group32`, or `float`. */
  readonly weights: string;
  /** Complete format name such as `uint8.tensor`, or `float`. */
  readonly activations: string;
  readonly form: WeightForm;
  /** Element type of the stored codes; `float` for a layer whose weight stays. */
  readonly storage: StorageType | 'float';
  readonly why: PlanReason;
  /** Where the outcome differs from what was asked, and why. */
  readonly changes: readonly PlanChange[];
  /** Weight, scales and zero points as stored, and with codes of exactly the format's width. */
  readonly bytes: number;
  readonly bytesIdeal: number;
}

/**
 * How the weight is stored.
 * - `dequantize`: codes in the weight's shape, DequantizeLinear per tensor or along the channel axis
 * - `blocks`: DequantizeLinear with `block_size` along the inputs (opset 21); reshaped unless the weight is a matrix
 * - `rows`: one row of codes per group, DequantizeLinear along axis 0, then reshaped
 * - `matmul-nbits`: com.microsoft MatMulNBits
 * - `gather-blocks`: com.microsoft GatherBlockQuantized, for tables that are looked up
 */
export type WeightForm = 'float' | 'dequantize' | 'blocks' | 'rows' | 'matmul-nbits' | 'gather-blocks';

/** What decided about a layer. */
export type PlanReason =
  | { readonly by: 'scheme'; readonly scheme: string }
  | { readonly by: 'default' }
  | { readonly by: 'rule'; readonly rule: number; readonly match: string }
  | { readonly by: 'keep-float'; readonly match: string };

export type PlanChange =
  /** A name without a scope was completed for this operator. */
  | { readonly kind: 'completed'; readonly from: string; readonly to: string }
  /** The integer kernel takes a stack of matrices with one scale only. */
  | { readonly kind: 'one-scale'; readonly from: string; readonly to: string }
  /** ONNX has no type of this width here: stored wider, with limited codes. */
  | { readonly kind: 'stored-wider'; readonly bits: number; readonly storage: StorageType }
  /** Gemm becomes MatMulNBits and Add. */
  | { readonly kind: 'gemm-split' }
  /** Q/DQ of the com.microsoft domain, because the operator set stays below `needed`. */
  | { readonly kind: 'contrib-quantize'; readonly needed: number }
  /** The target has no integer kernel for this combination: the file computes it in float. */
  | { readonly kind: 'no-integer-kernel' }
  /** Weights or activations stay float although a format was asked for; R02 says so too. */
  | {
      readonly kind: 'kept-float';
      readonly part: 'weights' | 'activations' | 'layer';
      readonly reason: string;
    };

/** A plan as lines of text with aligned columns, one layer a line; stable, so that two plans can be diffed. */
export function printPlan(plan: QuantPlan): string {
  const raised = plan.opset === plan.opsetBefore ? '' : ` (was ${plan.opsetBefore})`;
  const head = `target ${plan.target}  scheme ${plan.scheme}  estimator ${plan.estimator}  opset ${plan.opset}${raised}`;
  const rows = plan.layers.map((layer) => [
    layer.name,
    layer.op,
    layer.weights,
    layer.activations,
    layer.form === 'float' ? '' : `${layer.form} ${layer.storage}`,
    `${layer.bytes} B`,
    reasonText(layer.why),
    layer.changes.map(changeText).join(', '),
  ]);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return `${[head, ...lines].join('\n')}\n`;
}

/** A layer that two plans treat differently; `undefined` = not in that plan. */
export interface PlanDifference {
  readonly name: string;
  readonly before: PlanLayer | undefined;
  readonly after: PlanLayer | undefined;
}

/** Layers whose formats or storage differ, in the order of `after`, then those that are gone. */
export function diffPlans(before: QuantPlan, after: QuantPlan): readonly PlanDifference[] {
  const old = new Map(before.layers.map((layer) => [layer.name, layer]));
  const differences: PlanDifference[] = [];
  for (const layer of after.layers) {
    const other = old.get(layer.name);
    old.delete(layer.name);
    const same =
      other?.weights === layer.weights &&
      other.activations === layer.activations &&
      other.form === layer.form &&
      other.storage === layer.storage;
    if (!same) differences.push({ name: layer.name, before: other, after: layer });
  }
  for (const layer of old.values()) differences.push({ name: layer.name, before: layer, after: undefined });
  return differences;
}

function reasonText(why: PlanReason): string {
  if (why.by === 'scheme') return `scheme ${why.scheme}`;
  if (why.by === 'rule') return `rule ${why.rule + 1} ${why.match}`;
  return why.by === 'keep-float' ? `keep-float ${why.match}` : why.by;
}

function changeText(change: PlanChange): string {
  switch (change.kind) {
    case 'completed':
      return `${change.from} is ${change.to}`;
    case 'one-scale':
      return `${change.from} as ${change.to}: integer kernels take a stack of matrices with one scale`;
    case 'stored-wider':
      return `${change.bits} bits in ${change.storage}`;
    case 'contrib-quantize':
      return `com.microsoft Q/DQ below opset ${change.needed}`;
    case 'kept-float':
      return `${change.part} float: ${change.reason}`;
    default:
      return change.kind;
  }
}
