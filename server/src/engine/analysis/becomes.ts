/**
 * What a float layer may become on a target: one row per operator and target, with the weight widths its kernels
 * take. Kernels and widths were found by running them (onnxruntime 1.30, CPU provider); `methods/targets.ts` holds what
 * plan and export need of the same facts, and a test compares both.
 */
import type { Becoming } from '../../protocol/reports';
import { dataTypeByCode } from '../base/dtype';
import type { TargetName } from '../base/format-names';
import type { Layer } from '../graph/layers';
import type { OpType } from '../graph/ops';

const stored = [2, 4, 8, 16] as const;

/** DequantizeLinear in front of the unchanged operator: smaller in the file, computed in float. */
const dequantized: Becoming = { form: 'dequantized', weightBits: stored, written: true };
const readOnly = (form: Becoming['form'], operator: string, weightBits: readonly number[]): Becoming => ({
  form,
  operator,
  weightBits,
  written: false,
});
/** DQ → op → Q that the runtime replaces by an integer operator; 4-bit codes are widened at load. */
const fused = (operator: string): Becoming => ({
  form: 'integer',
  operator,
  weightBits: [4, 8],
  written: true,
});
const blocks: Becoming = {
  form: 'blocks',
  operator: 'com.microsoft.MatMulNBits',
  weightBits: [2, 4, 8],
  written: true,
};

const convRow = [
  fused('QLinearConv'),
  readOnly('qoperator', 'QLinearConv', [8]),
  readOnly('dynamic', 'ConvInteger', [8]),
  dequantized,
];
const attentionRow = [readOnly('qoperator', 'com.microsoft.QAttention', [8])];
const recurrentRow = [readOnly('dynamic', 'com.microsoft.DynamicQuantizeLSTM', [8])];

/** Rows of operators with a constant in its usual place; operators without a row stay float. */
const rows = {
  'ort-cpu': {
    Conv: convRow,
    'com.microsoft.FusedConv': [dequantized],
    ConvTranspose: [dequantized],
    DeformConv: [dequantized],
    Gemm: [
      fused('com.microsoft.QGemm'),
      readOnly('qoperator', 'com.microsoft.QGemm', [8]),
      blocks,
      readOnly('dynamic', 'MatMulInteger', [8]),
      dequantized,
    ],
    'com.microsoft.FusedGemm': [dequantized],
    MatMul: [
      fused('com.microsoft.MatMulIntegerToFloat'),
      readOnly('qoperator', 'QLinearMatMul', [8]),
      blocks,
      readOnly('dynamic', 'com.microsoft.DynamicQuantizeMatMul', [8]),
      dequantized,
    ],
    'com.microsoft.FusedMatMul': [dequantized],
    'com.microsoft.TransposeMatMul': [dequantized],
    Gather: [{ ...blocks, operator: 'com.microsoft.GatherBlockQuantized', weightBits: [4, 8] }],
    'com.microsoft.EmbedLayerNormalization': [
      readOnly('qoperator', 'com.microsoft.QEmbedLayerNormalization', [8]),
    ],
    'com.microsoft.Attention': attentionRow,
    LSTM: recurrentRow,
    'com.microsoft.MoE': [readOnly('blocks', 'com.microsoft.QMoE', [4, 8])],
  },
} as const satisfies Record<TargetName, Partial<Record<OpType, readonly Becoming[]>>>;

const byOp: ReadonlyMap<TargetName, ReadonlyMap<string, readonly Becoming[]>> = new Map(
  (Object.keys(rows) as TargetName[]).map((target) => [target, new Map(Object.entries(rows[target]))]),
);

/** What the layer may become per target; an empty list says that it stays float. */
export function becomesOf(layer: Layer): Readonly<Record<TargetName, readonly Becoming[]>> {
  const found = [...byOp].map(([target, ops]) => [target, becomesOn(layer, ops.get(layer.op) ?? [])]);
  return Object.fromEntries(found) as Record<TargetName, readonly Becoming[]>;
}

/** Why this program writes no codes for the layer, `undefined` when it can. Read by the plan. */
export function unwritableReason(layer: Layer, target: TargetName): string | undefined {
  if (isUnusualPlace(layer)) return `the constant of ${layer.node.opType} is its left operand`;
  if (layer.computed) return 'the graph computes the weight from constants';
  if (layer.lookup) return tableObstacle(layer);
  const row = byOp.get(target)?.get(layer.op) ?? [];
  if (row.some((one) => one.written)) return undefined;
  const other = row[0]?.operator?.split('.').pop();
  return other === undefined
    ? `${target} has no quantized form of ${layer.node.opType}`
    : `${layer.node.opType} would have to become ${other}, which is not written`;
}

function becomesOn(layer: Layer, row: readonly Becoming[]): readonly Becoming[] {
  if (layer.quantized || isUnusualPlace(layer)) return [];
  const single = dataTypeByCode(layer.tensor.dataType)?.name === 'float';
  const unwritable = layer.computed || (layer.lookup && tableObstacle(layer) !== undefined);
  // Integer and block kernels of this runtime compute in float32, those of blocks on matrices.
  return row.filter((one) => {
    if (one.written && unwritable) return false;
    if (one.form === 'dequantized') return true;
    return single && (one !== blocks || layer.shape.length === 2);
  });
}

/** Why a table cannot be looked up in codes, whatever their width. */
function tableObstacle({ shape, channelAxis, through, tensor, op }: Layer): string | undefined {
  if (op !== 'Gather') return `${op.split('.').pop()} has no lookup in codes that is written`;
  if (shape.length !== 2 || channelAxis !== 0 || through.some((one) => one.op !== 'Identity'))
    return 'only tables of rows are looked up in codes';
  const type = dataTypeByCode(tensor.dataType)?.name;
  return type === 'float' ? undefined : `the table is ${type ?? 'of an unknown type'}, not float32`;
}

/** Kernels and fusions expect the weight on the right. */
function isUnusualPlace({ op, weightInput }: Layer): boolean {
  return weightInput === 0 && op !== 'Gather';
}
