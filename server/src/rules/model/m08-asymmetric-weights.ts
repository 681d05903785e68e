/** M08: weights with zero points other than 0. */
import { issue } from '../../engine/base/issue';
import { integerLayers } from '../quantized';
import type { ModelRule } from '../rule';

export const m08: ModelRule<'M08'> = {
  code: 'M08',
  severity: 'information',
  title: 'Asymmetric weights on integer kernels',
  documentation: {
    trigger:
      'Weights of layers that are computed in integers have zero points other than 0. onnxruntime 1.30 computes them, also with a zero point per channel (measured); so it is information.',
    why: 'A zero point of the weight multiplies the sum of all activations of a window, which depends on the data and must be added up at every run. Other runtimes (TensorFlow Lite, TensorRT) only take symmetric weights.',
    remedy: 'Quantize weights symmetrically, with one scale per output channel.',
    source:
      'Krishnamoorthi 2018 (arXiv 1806.08342), section 2.2; TensorFlow Lite 8-bit quantization specification.',
  },
  fixes: [],
  check(facts) {
    let total = 0;
    let differ = 0;
    const asymmetric: string[] = [];
    for (const { layer, quantized } of integerLayers(facts)) {
      total++;
      if (!quantized.zeroPointNonZero) continue;
      asymmetric.push(layer.name);
      if (quantized.zeroPointsDiffer) differ++;
    }
    const [first] = asymmetric;
    if (first === undefined) return [];
    return [issue('M08', { layers: asymmetric.length, total, differ }, { layer: first }, m08.severity)];
  },
};
