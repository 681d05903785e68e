/** M06: the real number 0 has no code of its own. */
import { issue } from '../../engine/base/issue';
import { storedLayers } from '../quantized';
import type { ModelRule } from '../rule';

export const m06: ModelRule<'M06'> = {
  code: 'M06',
  severity: 'warning',
  title: 'Zero is not exactly representable',
  documentation: {
    trigger:
      'The two halves of a quantizer disagree about the code of 0; a Pad on codes adds another number than the code of 0; or zero points are no integers.',
    why: 'Padding and ReLU put exact zeros everywhere. When 0 comes back as something else, every padded border and every inactive neuron adds the same error, which does not average out.',
    remedy:
      'Use one zero point on both sides of a quantizer and as the padding value; relax the range to include 0 and round its zero point.',
    source:
      'Krishnamoorthi 2018 (arXiv 1806.08342), section 2.1; Jacob et al. 2018 (arXiv 1712.05877), section 2.1.',
  },
  fixes: [],
  check(facts) {
    const lost = (facts.report.quantization?.zeros ?? []).map(({ node, tensor, becomes, because }) =>
      issue('M06', { tensor, becomes, because }, { node, tensor }, m06.severity),
    );
    const fractional = [...storedLayers(facts)].flatMap(({ layer, quantized }) =>
      quantized.fractionalZeroPoints === 0
        ? []
        : [
            issue(
              'M06',
              { tensor: layer.weight, becomes: 0, because: 'fraction' },
              { layer: layer.name, node: layer.node, tensor: layer.weight },
              'information',
            ),
          ],
    );
    return [...lost, ...fractional];
  },
};
