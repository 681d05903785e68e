/** What the editor shows of a layer that is quantized already: the facts of its codes and scales in short words. */
import type { LayerReport, QuantizedLayerFacts, UnfusedNode } from '../protocol/reports';
import type { QuantizedRow } from '../protocol/views';
import { unfusedWords } from './quantized-words';

/** `int8.channel`, `uint4.group32 asym`: how the weight's codes are stored. */
export function storedWeightFormat(facts: QuantizedLayerFacts): string {
  const scope = facts.granularity === 'group' ? `group${facts.groupSize ?? ''}` : facts.granularity;
  if (facts.weightFloat !== undefined) return `${facts.weightFloat}.${scope}`;
  const zero = facts.zeroPointNonZero ? ' asym' : '';
  return `${facts.weightSigned ? 'int' : 'uint'}${facts.weightBits}.${scope}${zero}`;
}

/** The row of a quantized layer, undefined for any other; `unfused` is what the runtime keeps in float, and why. */
export function quantizedRow(
  layer: LayerReport,
  unfused: readonly UnfusedNode[] = [],
): QuantizedRow | undefined {
  const { quantized: facts } = layer;
  if (!facts) return undefined;
  const reason = unfused.find((one) => one.layer === layer.name)?.reason;
  return {
    form: facts.form,
    weights: storedWeightFormat(facts),
    codesUsed: facts.codesUsed,
    levels: 2 ** facts.weightBits,
    effectiveLevels: facts.effectiveLevels,
    endShare: facts.saturatedShare,
    scaleSpread: facts.scaleSpread,
    badScales: facts.badScales,
    ...(facts.fused === undefined ? {} : { execution: executionOf(facts) }),
    ...(facts.fused === false && reason !== undefined ? { reason: unfusedWords[reason] } : {}),
  };
}

/** Blocks of codes are multiplied by one kernel too, yet with real activations unless it quantizes them itself. */
export function executionOf({
  form,
  fused,
}: Pick<QuantizedLayerFacts, 'form' | 'fused'>): NonNullable<QuantizedRow['execution']> {
  if (fused !== true) return 'float';
  return form === 'matmul-n-bits' || form === 'blocked-qdq' ? 'blocks' : 'integer';
}
