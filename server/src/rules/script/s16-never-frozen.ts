/** S16: quantization-aware training that never freezes. */
import type { ScriptRule } from './script-rule';
import { stageEvents, stageOf } from './torch-life';

export const s16: ScriptRule<'S16'> = {
  code: 'S16',
  severity: 'information',
  title: 'QAT never freezes BatchNorm statistics or observers',
  aliases: ['methods S02', 'methods S03'],
  documentation: {
    trigger:
      'A file prepares a network for QAT, trains and converts it, and neither freezes BatchNormalization statistics nor disables observers.',
    why: 'Ranges and statistics that move to the end make the last weights fit a quantizer that no longer exists. Freezing late matches inference.',
    remedy:
      'In the last third of training call `model.apply(freeze_bn_stats)` and `model.apply(disable_observer)`.',
    source: 'PyTorch tutorial; torchao pt2e_quant_qat; Krishnamoorthi 2018 (arXiv 1806.08342), section 4.',
  },
  check(facts) {
    if (/freeze_bn|disable_observer|bn_stats|freeze_batch|track_running_stats\s*=\s*False/i.test(facts.text))
      return [];
    if (!/\.backward\(/.test(facts.text)) return [];
    return stageEvents(facts).flatMap(({ event, stage, after }) => {
      if (stage !== 'prepare-qat' || !after.some(({ call }) => stageOf(call)?.stage === 'convert')) return [];
      return [{ facts: { subject: event.call.name }, span: event.call.nameSpan }];
    });
  },
};
