/** M06: the real number 0 has no code of its own. */
import { type Issue, issue } from '../../engine/base/issue';
import type { IssueFacts } from '../../protocol/issues';
import { storedLayers } from '../quantized';
import type { ModelRule } from '../rule';

export const m06: ModelRule<'M06'> = {
  code: 'M06',
  severity: 'warning',
  title: 'Zero is not exactly representable',
  documentation: {
    trigger:
      'The two halves of a quantizer disagree about the code of 0; a Pad on codes adds another number than the code of 0; or zero points are no integers. Each of these is said once for a file.',
    why: 'Padding and ReLU put exact zeros everywhere. When 0 comes back as something else, every padded border and every inactive neuron adds the same error, which does not average out.',
    remedy:
      'Use one zero point on both sides of a quantizer and as the padding value; relax the range to include 0 and round its zero point.',
    source:
      'Krishnamoorthi 2018 (arXiv 1806.08342), section 2.1; Jacob et al. 2018 (arXiv 1712.05877), section 2.1.',
  },
  fixes: [],
  check(facts) {
    const lost = facts.report.quantization?.zeros ?? [];
    const fractional = [...storedLayers(facts)].flatMap(({ layer, quantized }) =>
      quantized.fractionalZeroPoints === 0
        ? []
        : [{ layer: layer.name, node: layer.node, tensor: layer.weight, becomes: 0 }],
    );
    return [
      ...together(
        'padding',
        lost.filter(({ because }) => because === 'padding'),
      ),
      ...together(
        'pair',
        lost.filter(({ because }) => because === 'pair'),
      ),
      ...together('fraction', fractional),
    ];
  },
};

interface Lost {
  readonly node: string;
  readonly tensor: string;
  readonly becomes: number;
  readonly layer?: string;
}

/** One finding for all zeros that are lost in one way, at the one furthest off. */
function together(because: IssueFacts['M06']['because'], found: readonly Lost[]): readonly Issue[] {
  const [worst, ...others] = [...found].sort((one, other) => Math.abs(other.becomes) - Math.abs(one.becomes));
  if (!worst) return [];
  const names =
    others.length > 0 ? { names: [worst, ...others].map(({ layer, tensor }) => layer ?? tensor) } : {};
  const { node, tensor, becomes, layer } = worst;
  const anchor = { node, tensor, ...(layer === undefined ? {} : { layer }) };
  const severity = because === 'fraction' ? 'information' : m06.severity;
  return [issue('M06', { tensor, becomes, because, ...names }, anchor, severity)];
}
