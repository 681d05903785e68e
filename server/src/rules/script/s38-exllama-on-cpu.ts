/** S38: GPTQ on the CPU with GPU kernels on. */
import { isBefore } from '../../script/pins';
import { argument, argumentValue, type Call } from '../../script/program';
import { stringOf } from '../../script/values';
import { addArgument, callsLike, callsOf, pinOf, type ScriptRule } from './script-rule';

export const s38: ScriptRule<'S38'> = {
  code: 'S38',
  severity: 'error',
  title: 'GPTQ on the CPU with ExLlama kernels',
  documentation: {
    trigger:
      '`GPTQConfig(bits=4, …)` without `use_exllama=False`, and every `from_pretrained` of the file places the model with `device_map="cpu"`, where the script or its project states a version of Transformers below 5 and not GPTQModel, which needs no ExLlama.',
    why: 'The ExLlama kernels are on by default and run on GPUs only; loading raises.',
    remedy: 'Pass `use_exllama=False`.',
    source: 'Transformers documentation, GPTQ, ExLlama.',
  },
  check(facts) {
    const pin = pinOf(facts, 'transformers');
    const isOld = pin !== undefined && isBefore(pin, [5]);
    if (!isOld || facts.program.imports.has('gptqmodel') || pinOf(facts, 'gptqmodel')) return [];
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
