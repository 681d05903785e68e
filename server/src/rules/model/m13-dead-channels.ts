/** M13: output channels whose weights are all zero. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, severityOf } from '../rule';

export const m13: ModelRule<'M13'> = {
  code: 'M13',
  severity: 'information',
  title: 'Dead channels: all weights are zero',
  documentation: {
    trigger: 'Every weight of an output channel is zero (range 0).',
    why: 'A per-channel scale of 0 would divide by zero; the export floors it. The channel computes a constant and costs time and bytes.',
    remedy:
      'Nothing needs to be done for quantization. Prune the channel before export to make the model smaller.',
    source: 'Methods table M13; scale floor: ONNX QuantizeLinear requires a non-zero scale.',
  },
  fixes: [],
  check(facts) {
    return facts.report.layers.flatMap((layer) => {
      const dead = layer.facts?.deadChannels ?? [];
      if (dead.length === 0) return [];
      return [
        issue(
          'M13',
          { channels: dead, total: layer.facts?.channels ?? 0 },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m13, facts.plan),
        ),
      ];
    });
  },
};
