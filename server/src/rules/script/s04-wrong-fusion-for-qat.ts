/** S04: fuse_modules on the way to QAT. */
import type { ScriptRule } from './script-rule';
import { stageEvents, stageOf } from './torch-life';

export const s04: ScriptRule<'S04'> = {
  code: 'S04',
  severity: 'warning',
  title: 'fuse_modules before prepare_qat',
  documentation: {
    trigger: 'A network goes through `fuse_modules` and then `prepare_qat`.',
    why: '`fuse_modules` folds BatchNormalization away for inference; training then has no BatchNormalization left. `fuse_modules_qat` keeps it trainable.',
    remedy: 'Use `fuse_modules_qat`.',
    source: 'torch/ao/quantization/fuse_modules.py.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ event, stage, after }) => {
      if (stage !== 'fuse') return [];
      const trained = after.some(({ call, certain }) => certain && stageOf(call)?.stage === 'prepare-qat');
      if (!trained) return [];
      return [
        { facts: { subject: event.call.name, instead: 'fuse_modules_qat' }, span: event.call.nameSpan },
      ];
    });
  },
};
