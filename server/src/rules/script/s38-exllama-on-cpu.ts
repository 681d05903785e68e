/** S38: GPTQ on the CPU with GPU kernels on. */
import { argument, argumentValue, type Call } from '../../script/program';
import { stringOf } from '../../script/values';
import { addArgument, callsLike, callsOf, type ScriptRule } from './script-rule';

export const s38: ScriptRule<'S38'> = {
  code: 'S38',
  severity: 'error',
  title: 'GPTQ on the CPU with ExLlama kernels',
  documentation: {
    trigger:
      '`GPTQConfig(bits=4, …)` without `use_exllama=False`, and every `from_pretrained` of the file places the model with `device_map="cpu"`.',
    why: 'The ExLlama kernels are on by default and run on GPUs only; loading raises.',
    remedy: 'Pass `use_exllama=False`.',
    source: 'Transformers documentation, GPTQ, ExLlama.',
  },
  check(facts) {
    const loads = callsLike(facts, isQuantizedLoad);
    const onCpu =
      loads.length > 0 && loads.every((call) => stringOf(argumentValue(call, 'device_map')) === 'cpu');
    if (!onCpu) return [];
    return callsOf(facts, 'transformers.GPTQConfig').flatMap((call) => {
      if (argument(call, 'use_exllama') !== undefined || argument(call, 'backend') !== undefined) return [];
      return [
        {
          facts: { subject: call.name, instead: 'use_exllama=False' },
          span: call.nameSpan,
          fix: {
            title: 'Turn ExLlama off',
            edits: [addArgument(facts, call, 'use_exllama=False')],
            safe: true,
          },
        },
      ];
    });
  },
};

function isQuantizedLoad(call: Call): boolean {
  return call.name === 'from_pretrained' && argument(call, 'quantization_config') !== undefined;
}
