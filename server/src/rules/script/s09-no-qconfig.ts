/** S09: prepare with nothing that says how to quantize. */

import { madeBy } from '../../script/flow';
import { argument } from '../../script/program';
import type { ScriptRule } from './script-rule';
import { mayBeTouched, stageEvents } from './torch-life';

export const s09: ScriptRule<'S09'> = {
  code: 'S09',
  severity: 'error',
  title: 'prepare without a qconfig',
  documentation: {
    trigger:
      'A network of this file goes to eager `prepare` or `prepare_qat`, and the word qconfig does not occur in the file.',
    why: 'Modules without a qconfig are left alone: nothing is quantized, and only a warning at run time says so.',
    remedy: 'Set `model.qconfig = get_default_qconfig("x86")` before.',
    source: 'torch/ao/quantization/quantize.py, prepare.',
  },
  check(facts) {
    if (/qconfig/i.test(facts.text)) return [];
    return stageEvents(facts).flatMap(({ event, stage, flow, network, before }) => {
      if ((stage !== 'prepare' && stage !== 'prepare-qat') || flow !== 'eager') return [];
      if (madeBy(network)?.name === undefined || mayBeTouched(before)) return [];
      if (argument(event.call, 'mapping', 1) !== undefined) return [];
      return [{ facts: { subject: event.call.name }, span: event.call.nameSpan }];
    });
  },
};
