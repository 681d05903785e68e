/** S12: the configuration is for one backend, the engine another. */

import { argumentValue, type Unit } from '../../script/program';
import { statementsIn } from '../../script/syntax';
import { evaluate, stringOf } from '../../script/values';
import { callsOf, inUnits, type ScriptFacts, type ScriptRule } from './script-rule';

export const s12: ScriptRule<'S12'> = {
  code: 'S12',
  severity: 'warning',
  title: 'Configuration and engine of different backends',
  documentation: {
    trigger:
      '`get_default_qconfig("…")` names another backend than the only assignment of `torch.backends.quantized.engine`. With a target set: `fbgemm` where `x86` is advised, `qnnpack` on x86.',
    why: 'fbgemm limits activations to 7 bits and scales weights per channel, qnnpack takes 8 bits and one scale per tensor: kernels and ranges do not fit each other.',
    remedy: 'Use one name for both; on x86 servers "x86".',
    source: 'torch/ao/quantization/qconfig.py; PyTorch tutorial; discuss.pytorch.org/t/85133.',
  },
  check(facts) {
    const engine = onlyEngine(facts);
    const calls = callsOf(
      facts,
      'torch.ao.quantization.get_default_qconfig',
      'torch.ao.quantization.get_default_qat_qconfig',
      'torch.ao.quantization.get_default_qconfig_mapping',
      'torch.ao.quantization.get_default_qat_qconfig_mapping',
    );
    return calls.flatMap((call) => {
      const backend = stringOf(argumentValue(call, 'backend', 0));
      if (backend === undefined) return [];
      const x86 = facts.target?.startsWith('x86') === true;
      const advised = x86 && (backend === 'fbgemm' || backend === 'qnnpack') ? 'x86' : undefined;
      const other = engine !== undefined && !fits(backend, engine) ? engine : advised;
      if (other === undefined) return [];
      return [{ facts: { subject: `"${backend}"`, instead: `"${other}"` }, span: call.expression.argsSpan }];
    });
  },
};

/** x86 uses fbgemm and onednn kernels; both fit. */
function fits(backend: string, engine: string): boolean {
  return (
    backend === engine ||
    (backend === 'x86' && engine !== 'qnnpack') ||
    (engine === 'x86' && backend !== 'qnnpack')
  );
}

/** Value of the only assignment `torch.backends.quantized.engine = "…"`. */
function onlyEngine(facts: ScriptFacts): string | undefined {
  const found = inUnits(facts, engineAssignments).filter(({ target }) =>
    /torch\.backends\.quantized\.engine$/.test(facts.text.slice(...target.span)),
  );
  const [only, ...more] = found;
  return only && more.length === 0 ? stringOf(evaluate(only.value, facts.program.scope)) : undefined;
}

function engineAssignments({ statement: top }: Unit) {
  return [...statementsIn([top])].flatMap((statement) => {
    if (statement.kind !== 'assign' || !statement.value) return [];
    const { targets, value } = statement;
    const target = targets.find((one) => one.kind === 'attribute' && one.attribute === 'engine');
    return target ? [{ target, value }] : [];
  });
}
