/** M09: weight codes use −128. */
import { issue } from '../../engine/base/issue';
import { integerLayers } from '../quantized';
import type { ModelRule } from '../rule';

export const m09: ModelRule<'M09'> = {
  code: 'M09',
  severity: 'information',
  title: 'Weights use −128',
  documentation: {
    trigger:
      'Symmetric int8 weights of layers that are computed in integers hold the code −128. No runtime this program exports for needs ±127, so it is information.',
    why: 'Kernels that add two products in 16 bits (SMLAL on ARM) rely on |w| ≤ 127, and the TensorFlow Lite specification requires it.',
    remedy: 'Quantize weights to the narrow range −127 … 127; it costs no accuracy that could be measured.',
    source:
      'Krishnamoorthi 2018 (arXiv 1806.08342), section 2.2; Jacob et al. 2018 (arXiv 1712.05877), appendix B; TensorFlow Lite 8-bit quantization specification.',
  },
  fixes: [],
  check(facts) {
    let total = 0;
    const wide: string[] = [];
    for (const { layer, quantized } of integerLayers(facts)) {
      total++;
      const { weightSigned, weightBits, lowestCode, zeroPointNonZero } = quantized;
      if (weightSigned && weightBits === 8 && !zeroPointNonZero && lowestCode === -128) wide.push(layer.name);
    }
    const [first] = wide;
    if (first === undefined) return [];
    return [issue('M09', { layers: wide.length, total }, { layer: first }, m09.severity)];
  },
};
