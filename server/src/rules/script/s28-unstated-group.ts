/** S28: int4 without its group size. */
import { argument } from '../../script/program';
import { addArgument, type ScriptRule } from './script-rule';
import { configurations } from './torchao';

export const s28: ScriptRule<'S28'> = {
  code: 'S28',
  severity: 'information',
  title: 'int4 without a stated group size',
  documentation: {
    trigger: '`Int4WeightOnlyConfig()` or `Int8DynamicActivationInt4WeightConfig()` without `group_size`.',
    why: 'int4 weights are only usable with a scale per group, and the default of the group differs between configurations (128 here, 32 there). Accuracy and file size follow from it.',
    remedy: 'State it: 32 for accuracy, 128 for size.',
    source: 'torchao, quantization/quant_api.py.',
  },
  check(facts) {
    return configurations(facts).flatMap(({ name, made, quantize }) => {
      if (!/^(Int4WeightOnly|Int8DynamicActivationInt4Weight)Config$/.test(name)) return [];
      if (argument(made, 'group_size', 0) !== undefined) return [];
      const call = { ...quantize, expression: made.expression };
      return [
        {
          facts: { subject: name, instead: 'group_size=128' },
          span: made.expression.callee.span,
          // The present default, so that nothing changes but the text.
          ...(name === 'Int4WeightOnlyConfig' && {
            fix: {
              title: 'State the group size',
              edits: [addArgument(facts, call, 'group_size=128')],
              safe: false,
            },
          }),
        },
      ];
    });
  },
};
