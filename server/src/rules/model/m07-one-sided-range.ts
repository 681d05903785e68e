/** M07: an activation whose values lie on one side of zero, so that a good part of the codes never occurs. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, measuredGains, quantizedLayers, severityOf } from '../rule';

const thresholds = {
  width: {
    default: 0.5,
    minimum: 0,
    maximum: 1,
    description: 'width of a range that leaves zero out, divided by its largest magnitude',
  },
  oneSided: {
    default: 0.05,
    minimum: 0,
    maximum: 1,
    description: 'smaller side of a range divided by the larger one, under a symmetric format',
  },
} as const;

export const m07: ModelRule<'M07', keyof typeof thresholds> = {
  code: 'M07',
  severity: 'warning',
  title: 'One-sided activation range',
  documentation: {
    trigger: `The range of an activation leaves zero out and is narrower than ${thresholds.width.default * 100} % of its largest magnitude; or one side of it is smaller than ${thresholds.oneSided.default * 100} % of the other while the plan is symmetric around zero.`,
    why: 'Zero must be a code, because padding and ReLU need it exactly: a range that leaves it out is widened to contain it, and the codes in between stay unused. A symmetric range spends half its codes on the side where nothing is.',
    remedy:
      'For one-sided data use an asymmetric (unsigned) format. For an offset, subtract the mean before the layer and fold it into the bias; the tool does not rewrite the network for that.',
    gain: 'output SQNR of the whole network with symmetric and with asymmetric activations.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 2.1.',
  },
  thresholds,
  fixes: ['asymmetric-activations'],
  check(facts, limits) {
    const found = [];
    for (const { layer, plan } of quantizedLayers(facts)) {
      const known = layer.activation;
      if (!known || !plan.activations) continue;
      const { min, max } = known;
      const largest = Math.max(Math.abs(min), Math.abs(max));
      if (!(largest > 0) || !Number.isFinite(largest)) continue;
      const width = (max - min) / largest;
      const smaller = min >= 0 || max <= 0 ? 0 : Math.min(-min, max) / largest;
      const offset = (min > 0 || max < 0) && width > 0 && width < limits.width;
      const symmetric = plan.activationSymmetric === true && smaller < limits.oneSided;
      if (!offset && !symmetric) continue;
      found.push(
        issue(
          'M07',
          {
            min,
            max,
            because: offset ? 'offset' : 'symmetric',
            // Codes between zero and the data, and those on the other side of zero.
            bitsLost: (offset ? Math.log2(1 / width) : 0) + (symmetric ? Math.log2(2 / (1 + smaller)) : 0),
            gains: symmetric ? measuredGains(facts, ['asymmetric-activations'], layer.name) : [],
          },
          { layer: layer.name, node: layer.node, tensor: known.tensor },
          severityOf(m07, facts.plan),
        ),
      );
    }
    return found;
  },
};
