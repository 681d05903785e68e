/** S06: eager static quantization of a network without stubs. */

import { madeBy } from '../../script/flow';
import type { ScriptRule } from './script-rule';
import { mayBeTouched, stageEvents, stageOf } from './torch-life';

export const s06: ScriptRule<'S06'> = {
  code: 'S06',
  severity: 'error',
  title: 'Static eager quantization without QuantStub',
  documentation: {
    trigger:
      'A network of this file goes through eager `prepare` and `convert`, and the file has neither QuantStub and DeQuantStub nor QuantWrapper.',
    why: "The first quantized operator gets a float tensor: \"Could not run 'quantized::conv2d' with arguments from the 'CPU' backend\".",
    remedy:
      'Add `self.quant = QuantStub()` and `self.dequant = DeQuantStub()` to the network and call them in `forward`, or wrap it in `QuantWrapper`.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode"; discuss.pytorch.org/t/106371.',
  },
  check(facts) {
    if (
      /QuantStub|QuantWrapper|add_quant_dequant|default_dynamic_qconfig|float16_dynamic|quantize_dynamic/.test(
        facts.text,
      )
    )
      return [];
    return stageEvents(facts).flatMap(({ event, stage, flow, network, before, after }) => {
      if (
        stage !== 'prepare' ||
        flow !== 'eager' ||
        madeBy(network)?.name === undefined ||
        mayBeTouched(before)
      )
        return [];
      if (!after.some(({ call }) => stageOf(call)?.stage === 'convert')) return [];
      return [
        {
          facts: { subject: event.call.name, instead: 'QuantStub and DeQuantStub' },
          span: event.call.nameSpan,
        },
      ];
    });
  },
};
