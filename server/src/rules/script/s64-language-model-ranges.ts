/** S64: one min-max range per activation tensor of a language model. */
import { canonicalPath } from '../../script/catalog';
import { pathOf } from '../../script/names';
import { argument } from '../../script/program';
import { callsOf, type ScriptRule } from './script-rule';

export const s64: ScriptRule<'S64'> = {
  code: 'S64',
  severity: 'warning',
  title: 'Min-max ranges for activations of a language model',
  aliases: ['methods S13'],
  documentation: {
    trigger:
      'A QConfig with a per-tensor min-max observer for activations in a file that loads a causal language model.',
    why: 'A few channels of these networks are a hundred times wider than the others, for every input. One range for all leaves the others a handful of codes.',
    remedy:
      'Quantize activations per token (dynamic), smooth the outliers into the weights (SmoothQuant), or quantize weights only.',
    source: 'Xiao et al., SmoothQuant (arXiv 2211.10438).',
  },
  check(facts) {
    if (!/AutoModelForCausalLM|LlamaForCausalLM|GPT2LMHeadModel|OPTForCausalLM/.test(facts.text)) return [];
    return callsOf(facts, 'torch.ao.quantization.QConfig').flatMap((call) => {
      const activation = argument(call, 'activation', 0);
      if (!activation || activation === 'hidden') return [];
      const { value } = activation;
      const named = value.kind === 'call' && value.callee.kind === 'attribute' ? value.callee.object : value;
      const path = pathOf(named, call.scope);
      return path !== undefined && /\.(MovingAverage)?MinMaxObserver$/.test(canonicalPath(path))
        ? [{ facts: { subject: path.slice(path.lastIndexOf('.') + 1) }, span: activation.span }]
        : [];
    });
  },
};
