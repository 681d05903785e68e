/** S63: quantization from the first step of training. */
import { argument, type Call } from '../../script/program';
import { callsLike, type ScriptRule } from './script-rule';

export const s63: ScriptRule<'S63'> = {
  code: 'S63',
  severity: 'information',
  title: 'Quantized training without a delay',
  aliases: ['methods S11'],
  documentation: {
    trigger: '`create_training_graph(…)` without `quant_delay`.',
    why: 'Ranges of random weights mean nothing. Training from scratch needs float steps first.',
    remedy: 'Pass the number of steps after which the float network has converged.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 4; tf.contrib.quantize.',
  },
  check(facts) {
    return callsLike(facts, isUndelayed).map((call) => ({
      facts: { subject: call.name, instead: 'quant_delay' },
      span: call.nameSpan,
    }));
  },
};

function isUndelayed(call: Call): boolean {
  return (
    /\.(experimental_)?create_training_graph$/.test(call.path ?? '') &&
    argument(call, 'quant_delay', 1) === undefined
  );
}
