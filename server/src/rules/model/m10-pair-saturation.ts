/** M10: sums of two products saturate on x86 without VNNI. */
import { issue } from '../../engine/base/issue';
import { INT16_MAX } from '../../engine/numerics/accumulators';
import { integerLayers, targetSeverity } from '../quantized';
import type { ModelRule } from '../rule';

export const m10: ModelRule<'M10'> = {
  code: 'M10',
  severity: 'warning',
  title: 'Sums of two products can saturate (x86 without VNNI)',
  documentation: {
    trigger: `255 · |w1 + w2| exceeds ${INT16_MAX} for neighbouring int8 weights of a layer, in the order in which onnxruntime's kernels read them (convolutions: by kernel position, then by input channel; depthwise kernels add no pairs). It is a warning where the file is made for onnxruntime, else information.`,
    why: 'AVX2 and AVX-512 without VNNI multiply unsigned by signed bytes and add neighbours in 16 bits, saturating (VPMADDUBSW). Two large weights of one sign under bright activations then lose up to half of their sum. Processors with VNNI are not affected. int8 activations become uint8 on x64, so they are affected too.',
    remedy:
      'Quantize weights to 7 bits (reduce_range: ±63 is safe), or set `session.x64quantprecision` = 1 in onnxruntime, which computes with unsigned weights.',
    source:
      'onnxruntime documentation, Quantization, "When and why do I need to try U8U8?"; Intel Software Developer Manual, VPMADDUBSW.',
  },
  fixes: [],
  check(facts) {
    let total = 0;
    let layers = 0;
    let peak = 0;
    let worst: string | undefined;
    for (const { layer, quantized } of integerLayers(facts)) {
      total++;
      if (quantized.pairSumPeak === undefined || quantized.pairSumPeak <= INT16_MAX) continue;
      layers++;
      if (quantized.pairSumPeak <= peak) continue;
      peak = quantized.pairSumPeak;
      worst = layer.name;
    }
    if (worst === undefined) return [];
    return [issue('M10', { layers, total, peak }, { layer: worst }, targetSeverity(m10, facts))];
  },
};
