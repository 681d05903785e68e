/** M13: output channels whose weights are all zero, and weights that are one number throughout. */
import { issue } from '../../engine/base/issue';
import type { LayerReport } from '../../protocol/reports';
import { type ModelRule, severityOf } from '../rule';

export const m13: ModelRule<'M13'> = {
  code: 'M13',
  severity: 'information',
  title: 'Dead channels and constant weights',
  documentation: {
    trigger:
      'Every weight of an output channel is zero (range 0); rows of a lookup table are left out, where a row of zeros is padding. Or all weights of a layer are the same number: then it is said once for all such layers.',
    why: 'A per-channel scale of 0 would divide by zero; the export floors it. The channel computes a constant and costs time and bytes. A weight that is one number throughout is a placeholder of a file without trained weights, or a fixed filter: any format holds it, so an error of 120 dB, or none at all, says nothing of the trained network.',
    remedy:
      'Nothing needs to be done for quantization of dead channels: prune them before export to make the model smaller. Put trained weights in the place of placeholders before anything is judged.',
    source: 'Methods table M13; scale floor: ONNX QuantizeLinear requires a non-zero scale.',
  },
  fixes: [],
  check(facts) {
    const { layers } = facts.report;
    const severity = severityOf(m13, facts.plan);
    const constant = layers.flatMap((layer) => {
      const value = onlyValue(layer);
      return value === undefined ? [] : [{ layer, value }];
    });
    const [first] = constant;
    const placeholders = first
      ? [
          issue(
            'M13',
            {
              channels: [],
              total: first.layer.facts?.channels ?? 0,
              placeholder: { value: first.value, layers: constant.map(({ layer }) => layer.name) },
            },
            anchorOf(first.layer),
            severity,
          ),
        ]
      : [];
    const named = new Set(constant.map(({ layer }) => layer.name));
    const dead = layers.flatMap((layer) => {
      const channels = layer.facts?.deadChannels ?? [];
      if (channels.length === 0 || layer.lookup || named.has(layer.name)) return [];
      const total = layer.facts?.channels ?? 0;
      return [issue('M13', { channels, total }, anchorOf(layer), severity)];
    });
    return [...placeholders, ...dead];
  },
};

function anchorOf({ name, node, weight }: LayerReport) {
  return { layer: name, node, tensor: weight };
}

/** The number that all weights of a layer are; `undefined` where they differ, or where there is only one. */
function onlyValue({ params, weightRange, facts }: LayerReport): number | undefined {
  if (!weightRange || params < 2 || (facts?.notFinite ?? 0) > 0) return undefined;
  return weightRange.min === weightRange.max ? weightRange.min : undefined;
}
