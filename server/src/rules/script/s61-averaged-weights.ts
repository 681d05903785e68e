/** S61: averaged weights of a fake-quantized network. */
import type { Call } from '../../script/program';
import { callsLike, type ScriptRule } from './script-rule';
import { stageEvents } from './torch-life';

export const s61: ScriptRule<'S61'> = {
  code: 'S61',
  severity: 'information',
  title: 'Moving average of weights in QAT',
  aliases: ['methods S06'],
  documentation: {
    trigger:
      'A file prepares a network for QAT and keeps a moving average of weights (ExponentialMovingAverage, AveragedModel, ModelEma).',
    why: 'A weight that oscillates between two codes averages to the middle of them: the mean rounds to either. Averaged weights can be worse than the last ones.',
    remedy: 'Evaluate the last weights too and keep the better.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 4.4.',
  },
  check(facts) {
    if (!stageEvents(facts).some(({ stage }) => stage === 'prepare-qat')) return [];
    return callsLike(facts, averages).map(({ name, nameSpan }) => ({
      facts: { subject: name },
      span: nameSpan,
    }));
  },
};

function averages({ name, receiver }: Call): boolean {
  return (
    receiver === undefined &&
    /^(ExponentialMovingAverage|AveragedModel|ModelEm?a(V2|V3)?|ModelEMA)$/.test(name)
  );
}
