/** M11: an int32 accumulator can overflow. */
import { issue } from '../../engine/base/issue';
import { INT32_MAX } from '../../engine/numerics/accumulators';
import { integerLayers } from '../quantized';
import type { ModelRule } from '../rule';

export const m11: ModelRule<'M11'> = {
  code: 'M11',
  severity: 'error',
  title: 'The int32 accumulator can overflow',
  documentation: {
    trigger:
      'Σ |w| · max |x| over one output channel, in codes, exceeds 2³¹ − 1, in a layer that is computed in integers. With 8-bit codes this takes more than 66,000 products. 16-bit activations would need a few hundred, but onnxruntime has no integer kernel for them and computes such layers in float.',
    why: 'Accumulators wrap around: the result is not imprecise but wrong, with the opposite sign.',
    remedy:
      'Use fewer bits for weights or activations, or split the reduction into parts that are added in float.',
    source: 'HAGO (arXiv 2103.14949), overflow model; EasyQuant (arXiv 2006.16669), section 3.3.',
  },
  fixes: [],
  check(facts) {
    return [...integerLayers(facts)].flatMap(({ layer, quantized }) => {
      const { accumulatorPeak: peak, reduction } = quantized;
      if (!(peak > INT32_MAX)) return [];
      const anchor = { layer: layer.name, node: layer.node, tensor: layer.weight };
      return [issue('M11', { peak, limit: INT32_MAX, reduction }, anchor, m11.severity)];
    });
  },
};
