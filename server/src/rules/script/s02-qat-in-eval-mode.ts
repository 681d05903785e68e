/** S02: prepare_qat of a network in eval mode. */
import type { ScriptRule } from './script-rule';
import { modeAfter, stageEvents } from './torch-life';

export const s02: ScriptRule<'S02'> = {
  code: 'S02',
  severity: 'error',
  title: 'prepare_qat in eval mode',
  documentation: {
    trigger: '`prepare_qat` after `eval()` with no `train()` between.',
    why: 'The function asserts that the network is in training mode and raises.',
    remedy: 'Call `model.train()` before `prepare_qat`.',
    source: 'torch/ao/quantization/quantize.py, prepare_qat.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ event, stage, flow, network, before }) => {
      if (stage !== 'prepare-qat' || flow !== 'eager' || modeAfter(network, before) !== 'eval') return [];
      return [{ facts: { subject: event.call.name }, span: event.call.nameSpan }];
    });
  },
};
