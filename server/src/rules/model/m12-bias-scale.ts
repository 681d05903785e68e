/** M12: the bias does not have the scale of the accumulator, or does not fit it. */
import { issue } from '../../engine/base/issue';
import { storedLayers } from '../quantized';
import type { ModelRule } from '../rule';

const thresholds = {
  scaleError: {
    default: 0.001,
    minimum: 0,
    maximum: 1e6,
    description: 'relative deviation of the bias scale from input scale times weight scale',
  },
} as const;

export const m12: ModelRule<'M12', keyof typeof thresholds> = {
  code: 'M12',
  severity: 'warning',
  title: 'Bias scale or bias range does not fit the accumulator',
  documentation: {
    trigger: `The scale of an int32 bias deviates from input scale times weight scale by more than ${thresholds.scaleError.default * 100} %, or bias codes stand at the ends of int32.`,
    why: 'Integer kernels add the bias codes to the accumulator as they are, whatever scale the file states. onnxruntime 1.30 accepts a deviation of 1.5 % and then computes with the wrong scale; beyond that the layer stays float (measured). A bias at the ends of int32 was cut off because the weight scale of its channel is tiny.',
    remedy:
      'Requantize the bias with input scale times weight scale; raise the weight scale of channels whose bias does not fit.',
    source:
      'Jacob et al. 2018 (arXiv 1712.05877), section 2.4; ONNX QLinearConv, input B; measured with onnxruntime 1.30.',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    return [...storedLayers(facts)].flatMap(({ layer, quantized: { bias } }) => {
      if (!bias || (!(bias.scaleError > limits.scaleError) && bias.saturated === 0)) return [];
      const anchor = { layer: layer.name, node: layer.node, tensor: layer.weight };
      return [issue('M12', bias, anchor, m12.severity)];
    });
  },
};
