/** S62: a learning rate for training where fine-tuning happens. */
import { argument, argumentValue, type Call } from '../../script/program';
import { numberOf } from '../../script/values';
import { callsLike, type ScriptRule } from './script-rule';
import { stageEvents } from './torch-life';

const MAXIMUM = 1e-3;

export const s62: ScriptRule<'S62'> = {
  code: 'S62',
  severity: 'information',
  title: 'Learning rate of QAT too high',
  aliases: ['methods S07'],
  documentation: {
    trigger: `\`prepare_qat\` and the only optimizer of the file is \`SGD\` with a learning rate above ${MAXIMUM}.`,
    why: 'Eight-bit fine-tuning starts near its optimum; large steps throw it out and ranges with it.',
    remedy: 'Start at 1e-4 or 1e-5.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 4: 1e-5.',
  },
  check(facts) {
    if (!stageEvents(facts).some(({ stage }) => stage === 'prepare-qat')) return [];
    const optimizers = callsLike(facts, makesOptimizer);
    const [only, ...others] = optimizers;
    if (!only || others.length > 0 || only.path !== 'torch.optim.SGD') return [];
    const rate = numberOf(argumentValue(only, 'lr', 1));
    const written = argument(only, 'lr', 1);
    if (rate === undefined || rate <= MAXIMUM || !written || written === 'hidden') return [];
    return [{ facts: { subject: `lr=${rate}`, instead: '1e-4' }, span: written.span }];
  },
};

function makesOptimizer({ path }: Call): boolean {
  return /^torch\.optim\.[A-Z]/.test(path ?? '');
}
