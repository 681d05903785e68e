/** S85: a variable that quantize_ leaves empty. */
import { callsOf, type ScriptEdit, type ScriptRule, textAt } from './script-rule';

export const s85: ScriptRule<'S85'> = {
  code: 'S85',
  severity: 'error',
  title: 'Result of quantize_ used',
  documentation: {
    trigger: '`model = quantize_(model, config)` with torchao: the call is assigned.',
    why: '`quantize_` changes the network itself and returns None. The variable is None from here on.',
    remedy: 'Call it as a statement.',
    source: 'torchao, quantization/quant_api.py, quantize_ ("model is modified inplace").',
  },
  check(facts) {
    return callsOf(facts, 'torchao.quantization.quantize_', 'torchao.quantize_').flatMap((call) => {
      const { statement, expression } = call;
      if (statement.kind !== 'assign' || statement.value !== expression) return [];
      const [target, ...others] = statement.targets;
      const [network] = expression.args;
      const isSame = target && network && textAt(facts, target.span) === textAt(facts, network.value.span);
      const edit: ScriptEdit | undefined =
        isSame && others.length === 0
          ? { span: [statement.span[0], expression.span[0]], text: '' }
          : undefined;
      return [
        {
          facts: { subject: call.name },
          span: call.nameSpan,
          ...(edit && { fix: { title: 'Call it as a statement', edits: [edit], safe: true } }),
        },
      ];
    });
  },
};
