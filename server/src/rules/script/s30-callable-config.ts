/** S30: quantize_ with the callables of the old torchao API, or with what makes a configuration instead of one. */
import { canonicalPath } from '../../script/catalog';
import { pathOf } from '../../script/names';
import { argument } from '../../script/program';
import { callsOf, type ScriptRule, textAt } from './script-rule';

/** Old function → configuration class, as torchao's quant_api lists them. */
const successors: Readonly<Record<string, string>> = {
  int4_weight_only: 'Int4WeightOnlyConfig',
  int8_weight_only: 'Int8WeightOnlyConfig',
  int8_dynamic_activation_int8_weight: 'Int8DynamicActivationInt8WeightConfig',
  int8_dynamic_activation_int4_weight: 'Int8DynamicActivationIntxWeightConfig(weight_dtype=torch.int4)',
  float8_weight_only: 'Float8WeightOnlyConfig',
  float8_dynamic_activation_float8_weight: 'Float8DynamicActivationFloat8WeightConfig',
  uintx_weight_only: 'IntxWeightOnlyConfig',
};

/** Those whose arguments all have defaults. */
const withDefaults = /^((Int|Intx|Float8)\w*Weight(Only)?Config|(int|float)8?4?_\w+)$/;

export const s30: ScriptRule<'S30'> = {
  code: 'S30',
  severity: 'warning',
  title: 'quantize_ with a function of the old torchao API, or with a class instead of a configuration',
  deprecated: true,
  documentation: {
    trigger:
      '`quantize_(model, int4_weight_only(…))` and its relatives; `quantize_(model, Int4WeightOnlyConfig)`, the class itself or a function that nobody called.',
    why: 'torchao replaced the functions by configuration classes and has removed them. A class is no configuration: quantize_ raises.',
    remedy: 'Pass an object of the class of the same meaning: `Int4WeightOnlyConfig(…)` and so on.',
    source: 'torchao, quantization/quant_api.py; pytorch/ao#1690.',
  },
  check(facts) {
    return callsOf(facts, 'torchao.quantization.quantize_').flatMap((call) => {
      const config = argument(call, 'config', 1);
      if (!config || config === 'hidden') return [];
      const { value } = config;
      if (value.kind !== 'call') {
        const written = pathOf(value, call.scope);
        const maker = written && canonicalPath(written);
        if (!maker?.startsWith('torchao.')) return [];
        const name = maker.slice(maker.lastIndexOf('.') + 1);
        if (!/^[A-Z]\w*Config$/.test(name) && !Object.hasOwn(successors, name)) return [];
        const subject = textAt(facts, value.span);
        const end = value.span[1];
        const found = { facts: { subject, instead: `${subject}()`, detail: 'uncalled' }, span: value.span };
        const edits = [{ span: [end, end] as const, text: '()' }];
        const fix = withDefaults.test(name) ? { fix: { title: 'Call it', edits, safe: true } } : {};
        return [{ ...found, ...fix, severity: 'error' as const }];
      }
      const { callee } = value;
      const path = pathOf(callee, call.scope);
      const successor = path && successors[path.slice(path.lastIndexOf('.') + 1)];
      if (!path?.startsWith('torchao.') || !successor) return [];
      return [{ facts: { subject: textAt(facts, callee.span), instead: successor }, span: callee.span }];
    });
  },
};
