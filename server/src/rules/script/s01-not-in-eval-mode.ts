/** S01: post-training preparation or fusion of a network in training mode. */
import { foldsNothing, isAlikeInBothModes } from './fusion';
import { callsLike, type ScriptRule } from './script-rule';
import { modeAfter, preparesTraining, type StageEvent, stageEvents } from './torch-life';

export const s01: ScriptRule<'S01'> = {
  code: 'S01',
  severity: 'warning',
  title: 'Prepared or fused in training mode',
  aliases: ['methods S09'],
  documentation: {
    trigger:
      'A network that the script creates goes to `fuse_modules`, `prepare` or `prepare_fx` without `eval()` before (for eager `prepare`: or right after, before anything runs). Silent when the network comes from elsewhere or unknown code touched it, for fusion on the way to QAT, and for networks whose modules act alike in both modes.',
    why: 'Fusion and `prepare_fx` assert that the network is in eval mode; after an eager `prepare`, calibration moves BatchNormalization statistics. The order is eval, fuse, prepare.',
    remedy: 'Call `model.eval()` first.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode"; torch/ao/quantization/fuse_modules.py.',
  },
  check(facts) {
    const qat = callsLike(facts, preparesTraining).length > 0;
    return stageEvents(facts).flatMap((found) => {
      const { event, stage, flow, network, before } = found;
      if ((stage !== 'prepare' && stage !== 'fuse') || flow === 'pt2e') return [];
      if ((stage === 'fuse' && qat) || (flow === 'eager' && stage === 'prepare' && isSetRight(found)))
        return [];
      // A later step of a chain whose first step was reported already says nothing new.
      const repeated = before.some(
        ({ call }) => call !== event.call && /^(fuse_modules|prepare)/.test(call.name),
      );
      if (repeated || modeAfter(network, before) !== 'train') return [];
      if (stage === 'fuse' && foldsNothing(facts, event.call, network)) return [];
      if (isAlikeInBothModes(facts, network)) return [];
      return [{ facts: { subject: event.call.name }, span: event.call.nameSpan }];
    });
  },
};

/** `eval()` between an eager `prepare` and the first run comes in time: preparing does not look at the mode. */
function isSetRight({ after }: StageEvent): boolean {
  const run = after.findIndex(({ role, opaque }) => role === 'called' || (role === 'argument' && opaque));
  const between = run === -1 ? after : after.slice(0, run);
  return between.some(({ role, call }) => role === 'receiver' && call.name === 'eval');
}
