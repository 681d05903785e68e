/** M29: one weight decides the scale of its channel, and all others round to 0. */
import { issue } from '../../engine/base/issue';
import { type ModelRule, quantizedLayers, severityOf } from '../rule';

export const m29: ModelRule<'M29'> = {
  code: 'M29',
  severity: 'warning',
  title: 'One weight is far beyond all others of its channel',
  documentation: {
    trigger:
      'An element is more than 1000 times the median magnitude of its output channel, zeros left out, and the weight is planned with one scale for the tensor or per channel.',
    why: 'The scale follows this element; at 8 bits everything below 1/254 of it becomes 0. The SQNR of the weight looks better than ever, because the element is nearly all of the signal.',
    remedy:
      'Look whether the value is meant: it may come from a damaged file or a training that diverged. Otherwise keep the layer in float.',
    source: 'Arithmetic of symmetric scales: half a step is max |w| / 254.',
  },
  fixes: ['keep-float'],
  check(facts) {
    return [...quantizedLayers(facts)].flatMap(({ layer, plan }) => {
      const found = layer.facts?.element;
      if (!found || layer.lookup || plan.granularity === 'group') return [];
      const sqnr = layer.facts?.folded['int8.channel'];
      return [
        issue(
          'M29',
          { ...found, ...(typeof sqnr === 'number' ? { sqnr } : {}) },
          { layer: layer.name, node: layer.node, tensor: layer.weight },
          severityOf(m29, facts.plan),
        ),
      ];
    });
  },
};
