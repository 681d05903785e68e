/** S20: ReLU6 in a network that is quantized. */
import { callsOf, type ScriptRule } from './script-rule';
import { stageEvents } from './torch-life';

export const s20: ScriptRule<'S20'> = {
  code: 'S20',
  severity: 'hint',
  title: 'ReLU6 in a network prepared for int8',
  aliases: ['M21'],
  documentation: {
    trigger: '`nn.ReLU6` in a file that prepares a network with eager or FX quantization.',
    why: 'ReLU6 is not fused in eager mode, and its fixed bound limits ranges that training could choose better.',
    remedy: 'Train with `nn.ReLU`; the tutorial replaces it.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode"; Krishnamoorthi 2018, section 5.',
  },
  check(facts) {
    const calls = callsOf(facts, 'torch.nn.ReLU6');
    if (calls.length === 0 || !stageEvents(facts).some(({ stage }) => stage.startsWith('prepare'))) return [];
    return calls.map((call) => ({ facts: { subject: 'ReLU6', instead: 'ReLU' }, span: call.nameSpan }));
  },
};
