/** M08: weights with zero points other than 0. */
import { issue } from '../../engine/base/issue';
import { integerLayers, targetSeverity } from '../quantized';
import type { ModelRule } from '../rule';

export const m08: ModelRule<'M08'> = {
  code: 'M08',
  severity: 'warning',
  title: 'Asymmetric weights on integer kernels',
  documentation: {
    trigger:
      'Weights of layers that are computed in integers have zero points other than 0. It is a warning where the runtime is known and its kernels refuse them: onnxruntime runs no QLinearConv whose channels have different zero points.',
    why: 'A zero point of the weight multiplies the sum of all activations of a window, which depends on the data and must be added up at every run; many kernels (TensorFlow Lite, TensorRT) only take symmetric weights.',
    remedy: 'Quantize weights symmetrically, with one scale per output channel.',
    source:
      'Krishnamoorthi 2018 (arXiv 1806.08342), section 2.2; TensorFlow Lite 8-bit quantization specification.',
  },
  fixes: [],
  check(facts) {
    let total = 0;
    const asymmetric = { differ: [] as string[], 'non-zero': [] as string[] };
    for (const { layer, quantized } of integerLayers(facts)) {
      total++;
      if (!quantized.zeroPointNonZero) continue;
      const refused = quantized.zeroPointsDiffer && layer.op !== 'MatMul' && layer.op !== 'Gemm';
      asymmetric[refused ? 'differ' : 'non-zero'].push(layer.name);
    }
    return (['differ', 'non-zero'] as const).flatMap((because) => {
      const layers = asymmetric[because];
      const [first] = layers;
      if (first === undefined) return [];
      const severity = because === 'differ' ? targetSeverity(m08, facts) : 'information';
      return [issue('M08', { because, layers: layers.length, total }, { layer: first }, severity)];
    });
  },
};
