/** S35: automatic placement in a training script. */
import { argument, argumentValue } from '../../script/program';
import { stringOf } from '../../script/values';
import type { ScriptRule } from './script-rule';

export const s35: ScriptRule<'S35'> = {
  code: 'S35',
  severity: 'warning',
  title: 'device_map="auto" with quantized training',
  documentation: {
    trigger:
      '`from_pretrained(…, device_map="auto", quantization_config=…)` in a file that calls `prepare_model_for_kbit_training`.',
    why: 'Automatic placement is meant for inference; layers on the CPU or split over processes break training.',
    remedy: 'Place the model yourself: `device_map={"": torch.cuda.current_device()}`.',
    source: 'Transformers documentation, bitsandbytes, note on training.',
  },
  check(facts) {
    if (!/prepare_model_for_kbit_training\s*\(/.test(facts.text)) return [];
    return facts.program.calls.flatMap((call) => {
      if (call.name !== 'from_pretrained') return [];
      const written = argument(call, 'device_map');
      const quantized = ['quantization_config', 'load_in_4bit', 'load_in_8bit'].some(
        (name) => argument(call, name) !== undefined,
      );
      if (!written || written === 'hidden' || !quantized) return [];
      if (stringOf(argumentValue(call, 'device_map')) !== 'auto') return [];
      return [{ facts: { subject: 'device_map="auto"' }, span: written.span }];
    });
  },
};
