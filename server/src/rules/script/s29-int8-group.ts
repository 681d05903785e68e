/** S29: arguments that Int8WeightOnlyConfig refuses. */
import { argument, argumentValue } from '../../script/program';
import { numberOf } from '../../script/values';
import type { ScriptRule } from './script-rule';
import { configurations } from './torchao';

export const s29: ScriptRule<'S29'> = {
  code: 'S29',
  severity: 'error',
  title: 'Int8WeightOnlyConfig with arguments of its first version',
  documentation: {
    trigger: '`Int8WeightOnlyConfig(group_size=n)` or `version=1`.',
    why: 'The second version takes `granularity` and raises on a group size.',
    remedy: 'Write `granularity=PerGroup(n)`.',
    source: 'torchao, quantization/quant_api.py, Int8WeightOnlyConfig.',
  },
  check(facts) {
    return configurations(facts).flatMap(({ name, made }) => {
      if (name !== 'Int8WeightOnlyConfig') return [];
      const group = argument(made, 'group_size', 0);
      const size = numberOf(argumentValue(made, 'group_size', 0));
      const version = argument(made, 'version');
      if (group && group !== 'hidden' && size !== undefined)
        return [
          {
            facts: { subject: `group_size=${size}`, instead: `granularity=PerGroup(${size})` },
            span: group.span,
          },
        ];
      if (version && version !== 'hidden' && numberOf(argumentValue(made, 'version')) === 1)
        return [{ facts: { subject: 'version=1', instead: 'granularity=PerGroup(n)' }, span: version.span }];
      return [];
    });
  },
};
