/** S17: quantization-aware training of a network with random weights. */
import { madeBy } from '../../script/flow';
import type { ScriptRule } from './script-rule';
import { stageEvents } from './torch-life';

/** Words that show weights coming from somewhere. */
const loads =
  /load_state_dict|torch\.load|from_pretrained|pretrained|weights\s*=|checkpoint|load_model|hub\.load|safetensors|resume/i;
const untrained = new Set([
  'eval',
  'train',
  'to',
  'cuda',
  'cpu',
  'apply',
  'fuse_model',
  'fuse',
  'parameters',
]);

export const s17: ScriptRule<'S17'> = {
  code: 'S17',
  severity: 'warning',
  title: 'QAT from scratch',
  aliases: ['methods S01'],
  documentation: {
    trigger:
      'A network that the script has just created goes to `prepare_qat`; nothing in the file loads weights and nothing trains it before.',
    why: 'Fine-tuning a trained float network reaches higher accuracy than training with fake quantizers from the start.',
    remedy: 'Train or load float weights first, then prepare and fine-tune.',
    source: 'TensorFlow Model Optimization, comprehensive guide; Krishnamoorthi 2018, section 4.2.',
  },
  check(facts) {
    if (loads.test(facts.text)) return [];
    return stageEvents(facts).flatMap(({ event, stage, network, before }) => {
      if (stage !== 'prepare-qat' || madeBy(network)?.name === undefined) return [];
      const used = before.some(({ call, role, opaque }) => {
        if (role === 'result') return false;
        if (role === 'receiver') return !untrained.has(call.name);
        return opaque || role === 'called';
      });
      return used ? [] : [{ facts: { subject: event.call.name }, span: event.call.nameSpan }];
    });
  },
};
