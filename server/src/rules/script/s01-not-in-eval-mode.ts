/** S01: post-training preparation or fusion of a network in training mode. */
import type { ScriptRule } from './script-rule';
import { modeAfter, stageEvents } from './torch-life';

export const s01: ScriptRule<'S01'> = {
  code: 'S01',
  severity: 'warning',
  title: 'Prepared or fused in training mode',
  aliases: ['methods S09'],
  documentation: {
    trigger:
      'A network that the script creates goes to `fuse_modules`, `prepare` or `prepare_fx` without `eval()` before. Silent when the network comes from elsewhere or unknown code touched it.',
    why: 'BatchNormalization folds only with frozen statistics; in training mode calibration also moves them. The order is eval, fuse, prepare.',
    remedy: 'Call `model.eval()` first.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode"; torch/ao/quantization/fuse_modules.py.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ event, stage, flow, network, before }) => {
      if ((stage !== 'prepare' && stage !== 'fuse') || flow === 'pt2e') return [];
      // A later step of a chain whose first step was reported already says nothing new.
      const repeated = before.some(
        ({ call }) => call !== event.call && /^(fuse_modules|prepare)/.test(call.name),
      );
      if (repeated || modeAfter(network, before) !== 'train') return [];
      return [{ facts: { subject: event.call.name }, span: event.call.nameSpan }];
    });
  },
};
