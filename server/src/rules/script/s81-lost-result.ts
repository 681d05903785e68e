/** S81: a network that was prepared or converted and thrown away. */
import { argument, argumentValue } from '../../script/program';
import { booleanOf } from '../../script/values';
import { addArgument, callsOf, type ScriptRule } from './script-rule';

export const s81: ScriptRule<'S81'> = {
  code: 'S81',
  severity: 'warning',
  title: 'Result thrown away',
  documentation: {
    trigger:
      '`prepare(model)`, `convert(model)`, `fuse_modules(model, …)`, `quantize_dynamic(model)` or one of the FX functions as a statement of its own, without `inplace=True`.',
    why: 'These functions work on a copy and return it. The network of the script stays as it was.',
    remedy: 'Assign the result, or pass `inplace=True` (eager functions only).',
    source: 'torch/ao/quantization/quantize.py; torch/ao/quantization/fuse_modules.py.',
  },
  check(facts) {
    return callsOf(facts, ...eager, ...graph).flatMap((call) => {
      const { expression, statement, contexts } = call;
      if (statement.kind !== 'expression' || statement.value !== expression) return [];
      const inplace = argument(call, 'inplace');
      const isGraph = call.name.endsWith('_fx');
      const unclear =
        expression.args.some(({ star }) => star) || contexts.some((path) => /raises/i.test(path));
      // From the third argument on, `inplace` may be given by position.
      const byPosition = !isGraph && expression.args.filter(({ keyword }) => !keyword).length > 2;
      if (inplace === 'hidden' || unclear || byPosition) return [];
      if (inplace && booleanOf(argumentValue(call, 'inplace')) !== false) return [];
      const edit = isGraph || inplace ? undefined : addArgument(facts, call, 'inplace=True');
      return [
        {
          facts: { subject: call.name, instead: isGraph ? 'assign it' : 'pass inplace=True' },
          span: call.nameSpan,
          ...(edit && { fix: { title: 'Change the network itself', edits: [edit], safe: true } }),
        },
      ];
    });
  },
};

const inEager = ['prepare', 'prepare_qat', 'convert', 'fuse_modules', 'fuse_modules_qat', 'quantize_dynamic'];
const eager = inEager.map((name) => `torch.ao.quantization.${name}`);
const graph = ['prepare_fx', 'prepare_qat_fx', 'convert_fx'].map((name) => `torch.ao.quantization.${name}`);
