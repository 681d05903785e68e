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
const lookup: Becoming = {
  ...blocks,
  operator: 'com.microsoft.GatherBlockQuantized',
  weightBits: [4, 8],
};
const attentionRow = [readOnly('qoperator', 'com.microsoft.QAttention', [8]), dequantized];
const recurrentRow = [readOnly('dynamic', 'com.microsoft.DynamicQuantizeLSTM', [8]), dequantized];

/** Rows of operators with a constant in its usual place; the weight of all others is dequantized in front of them. */
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
    Gather: [lookup, dequantized],
    'com.microsoft.EmbedLayerNormalization': [
      readOnly('qoperator', 'com.microsoft.QEmbedLayerNormalization', [8]),
      dequantized,
    ],
    'com.microsoft.Attention': attentionRow,
    LSTM: recurrentRow,
    'com.microsoft.MoE': [readOnly('blocks', 'com.microsoft.QMoE', [4, 8]), dequantized],
  },
} as const satisfies Record<TargetName, Partial<Record<OpType, readonly Becoming[]>>>;

const byOp: ReadonlyMap<TargetName, ReadonlyMap<string, readonly Becoming[]>> = new Map(
  (Object.keys(rows) as TargetName[]).map((target) => [target, new Map(Object.entries(rows[target]))]),
);

/** What the layer may become per target; an empty list says that it stays as it is. */
export function becomesOf(layer: Layer): Readonly<Record<TargetName, readonly Becoming[]>> {
  const found = [...byOp].map(([target, ops]) => [
    target,
    becomesOn(layer, ops.get(layer.op) ?? [dequantized]),
  ]);
  return Object.fromEntries(found) as Record<TargetName, readonly Becoming[]>;
}

/** Why this program writes no codes for the layer, `undefined` when it can. Read by the plan. */
export function unwritableReason(layer: Layer): string | undefined {
  // A constant that the graph repeats takes more room as codes than as it is stored.
  return layer.computed && layer.params >= REPEATED * layer.sourceElements
    ? 'the graph makes the weight by repeating a smaller constant'
    : undefined;
}

/** Codes of 8 bits for so many times the stored elements are no smaller than the float32 they replace. */
const REPEATED = 4;

/** Kernels and fusions expect the weight on the right; a constant on the left is dequantized in front of them. */
export function isUnusualPlace({ op, weightInput }: Layer): boolean {
  return weightInput === 0 && op !== 'Gather';
}

/** Rows of a table that com.microsoft GatherBlockQuantized looks up in codes, whatever their width. */
export function isLookupTable({ shape, channelAxis, through, computed, tensor, op }: Layer): boolean {
  if (op !== 'Gather' || shape.length !== 2 || channelAxis !== 0) return false;
  if (!computed && through.some((one) => one.op !== 'Identity')) return false;
  return dataTypeByCode(tensor.dataType)?.name === 'float';
}

function becomesOn(layer: Layer, row: readonly Becoming[]): readonly Becoming[] {
  if (layer.quantized || unwritableReason(layer) !== undefined) return [];
  if (isUnusualPlace(layer)) return [dequantized];
  const single = dataTypeByCode(layer.tensor.dataType)?.name === 'float';
  // Integer and block kernels of this runtime compute in float32, those of blocks on matrices.
  return row.filter((one) => {
    if (one.form === 'dequantized') return true;
    if (one === lookup) return isLookupTable(layer);
    return single && (one !== blocks || layer.shape.length === 2);
  });
}
