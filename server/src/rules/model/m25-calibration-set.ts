/** M25: too few calibration samples, or ranges that still move from batch to batch. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, severityOf } from '../rule';

const thresholds = {
  samples: { default: 32, minimum: 1, maximum: 1e6, description: 'calibration samples' },
  variation: {
    default: 0.1,
    minimum: 0,
    maximum: 100,
    description: 'standard deviation over batches of an activation’s range, divided by its mean',
  },
} as const;

export const m25: ModelRule<'M25', keyof typeof thresholds> = {
  code: 'M25',
  severity: 'information',
  title: 'Calibration set too small or unstable',
  documentation: {
    trigger: `Fewer than ${thresholds.samples.default} samples were used, or the range of an activation varies by more than ${thresholds.variation.default * 100} % from batch to batch. Runs without data are not judged.`,
    why: 'Ranges estimated on few samples miss values that occur later; those are clipped. Figures measured on few samples move as well.',
    remedy:
      'Add samples that look like those of the application. About 100 batches are usual; the variation tells when more stop helping.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.1.3 (about 100 batches).',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    const { data, layers } = facts.report;
    if (!data || data.noData || data.source === 'random') return [];
    const moving = layers.filter((layer) => (layer.activation?.rangeVariation ?? 0) > limits.variation);
    if (data.samples >= limits.samples && moving.length === 0) return [];
    const worst = moving.reduce<(typeof moving)[number] | undefined>(
      (most, layer) =>
        (layer.activation?.rangeVariation ?? 0) > (most?.activation?.rangeVariation ?? 0) ? layer : most,
      undefined,
    );
    return [
      issue(
        'M25',
        {
          samples: data.samples,
          minimum: limits.samples,
          variation: worst?.activation?.rangeVariation,
          unstable: moving.length,
        },
        worst ? { layer: worst.name, node: worst.node, tensor: worst.activation?.tensor } : {},
        severityOf(m25, facts.plan),
      ),
    ];
  },
};
