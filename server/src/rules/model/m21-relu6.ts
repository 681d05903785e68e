/** M21: ReLU6 limits the learned range. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, severityOf } from '../rule';

export const m21: ModelRule<'M21'> = {
  code: 'M21',
  severity: 'information',
  title: 'Clip (ReLU6) limits the learned range',
  documentation: {
    trigger: 'Layers are followed by a Clip with lower bound 0 and a finite upper bound.',
    why: 'A fixed bound keeps untrained ranges small, yet plain ReLU does better when ranges are learned.',
    remedy:
      'When retraining is possible, train with ReLU. Without retraining nothing has to change: the bound is used as the activation range.',
    source:
      'Krishnamoorthi 2018 (arXiv 1806.08342), section 5; Nagel et al. 2019 (arXiv 1906.04721), section 5.1.',
  },
  fixes: [],
  check(facts) {
    const clipped = facts.report.layers.filter((layer) => layer.facts?.clipMaximum !== undefined);
    const first = clipped[0];
    const maximum = first?.facts?.clipMaximum;
    if (!first || maximum === undefined) return [];
    return [
      issue(
        'M21',
        { count: clipped.length, maximum },
        { layer: first.name, node: first.node },
        severityOf(m21, facts.plan),
      ),
    ];
  },
};
