/** M23: operators between quantizers run in float. */
import { issue } from '../../engine/base/issue';
import type { UnfusedNode } from '../../protocol/reports';
import { targetSeverity } from '../quantized';
import type { ModelRule } from '../rule';

export const m23: ModelRule<'M23'> = {
  code: 'M23',
  severity: 'warning',
  title: 'Quantized operators that run in float',
  documentation: {
    trigger:
      'Operators that stand between quantizers are still float operators in the graph that onnxruntime optimised at its full level on this machine. `analyze` opens the file in onnxruntime for it; `lint` and Restricted Mode do not and name ConvTranspose and InstanceNormalization only, which have no integer kernel. It is a warning where the file or the recipe is for onnxruntime, else information.',
    why: 'Such an operator costs more than before quantization: its input is dequantized, it computes in float, its output is quantized again. On x64 onnxruntime turns int8 activations into uint8 only where one operator reads them, so that in residual networks every operator around a shared int8 tensor stays float.',
    remedy:
      'Follow the reason given: uint8 activations where types differ, an integer bias of the right scale, a quantizer right behind the operator. Otherwise keep the operator in float altogether.',
    source: 'onnxruntime 1.30, QDQ transformer; observed in its optimised graph.',
  },
  fixes: [],
  check(facts) {
    const { unfused = [], conversions } = facts.report.quantization ?? {};
    const groups = new Map<string, UnfusedNode[]>();
    for (const one of unfused) {
      if (one.reason === 'weight-only') continue;
      const key = `${one.op} ${one.reason}`;
      groups.set(key, [...(groups.get(key) ?? []), one]);
    }
    return [...groups.values()].flatMap((group) => {
      const [first] = group;
      if (!first) return [];
      const { op, reason, layer, node } = first;
      const names = group.map((one) => one.layer ?? one.node);
      const anchor = layer === undefined ? { node } : { layer, node };
      return [
        issue(
          'M23',
          { op, reason, names, ...(conversions === undefined ? {} : { conversions }) },
          anchor,
          targetSeverity(m23, facts),
        ),
      ];
    });
  },
};
