/** S04: fuse_modules on the way to QAT. */
import { foldsNothing } from './fusion';
import { callsLike, type ScriptRule } from './script-rule';
import { modeAfter, preparesTraining, stageEvents, stageOf, trains } from './torch-life';

export const s04: ScriptRule<'S04'> = {
  code: 'S04',
  severity: 'warning',
  title: 'fuse_modules before prepare_qat',
  documentation: {
    trigger:
      'A network goes through `fuse_modules` and then `prepare_qat`, and the file trains. Also `fuse_modules` of a network in training mode in such a file. Silent for lists without BatchNormalization.',
    why: '`fuse_modules` folds BatchNormalization away for inference; training then has no BatchNormalization left. In training mode it raises. `fuse_modules_qat` keeps BatchNormalization trainable.',
    remedy: 'Use `fuse_modules_qat`.',
    source: 'torch/ao/quantization/fuse_modules.py.',
  },
  check(facts) {
    const qat = callsLike(facts, preparesTraining).length > 0;
    if (!qat || !trains(facts)) return [];
    return stageEvents(facts).flatMap(({ event, stage, network, before, after }) => {
      if (stage !== 'fuse' || foldsNothing(facts, event.call, network)) return [];
      const trained = after.some(({ call, certain }) => certain && stageOf(call)?.stage === 'prepare-qat');
      if (!trained && modeAfter(network, before) !== 'train') return [];
      return [
        { facts: { subject: event.call.name, instead: 'fuse_modules_qat' }, span: event.call.nameSpan },
      ];
    });
  },
};
