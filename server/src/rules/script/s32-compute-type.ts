/** S32: 4-bit loading computes in float32 unless told otherwise. */
import { argument, argumentValue } from '../../script/program';
import { booleanOf } from '../../script/values';
import { addArgument, callsOf, type ScriptRule } from './script-rule';

export const s32: ScriptRule<'S32'> = {
  code: 'S32',
  severity: 'warning',
  title: '4-bit loading without a compute type',
  documentation: {
    trigger: '`BitsAndBytesConfig(load_in_4bit=True)` without `bnb_4bit_compute_dtype`.',
    why: 'Weights are dequantized to the compute type for every product; the default is float32, which is slow on GPUs and doubles the traffic.',
    remedy: 'Set `bnb_4bit_compute_dtype=torch.bfloat16` (float16 on older GPUs).',
    source: 'Transformers documentation, bitsandbytes, "Compute data type".',
  },
  check(facts) {
    return callsOf(facts, 'transformers.BitsAndBytesConfig').flatMap((call) => {
      const asked = argument(call, 'load_in_4bit');
      if (!asked || asked === 'hidden') return [];
      if (booleanOf(argumentValue(call, 'load_in_4bit')) !== true) return [];
      if (argument(call, 'bnb_4bit_compute_dtype') !== undefined) return [];
      return [
        {
          facts: { subject: 'load_in_4bit=True', instead: 'bnb_4bit_compute_dtype=torch.bfloat16' },
          span: asked.span,
          fix: {
            title: 'Compute in bfloat16',
            edits: [addArgument(facts, call, 'bnb_4bit_compute_dtype="bfloat16"')],
            safe: false,
          },
        },
      ];
    });
  },
};
