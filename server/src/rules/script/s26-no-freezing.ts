/** S26: the inductor path on x86 without freezing. */
import { argument, type Call } from '../../script/program';
import { callsOf, type ScriptFacts, type ScriptRule, textAt } from './script-rule';
import { stageOf } from './torch-life';

export const s26: ScriptRule<'S26'> = {
  code: 'S26',
  severity: 'information',
  title: 'x86 inductor quantization without freezing',
  documentation: {
    trigger:
      'A file uses `X86InductorQuantizer`, compiles what `convert_pt2e` gave (or a variable named after quantization), and nothing turns freezing on.',
    why: 'Without freezing the weights stay float constants that are quantized on every run; the int8 kernels are not used.',
    remedy: 'Run with `TORCHINDUCTOR_FREEZING=1`, or set `torch._inductor.config.freezing = True`.',
    source: 'torchao, PyTorch 2 Export Quantization with X86 Backend through Inductor.',
  },
  check(facts) {
    if (/freezing/i.test(facts.text) || !/X86InductorQuantizer/.test(facts.text)) return [];
    return callsOf(facts, 'torch.compile')
      .filter((call) => isConverted(call, facts))
      .map((call) => ({
        facts: { subject: 'torch.compile', instead: 'TORCHINDUCTOR_FREEZING=1' },
        span: call.nameSpan,
      }));
  },
};

function isConverted(compilation: Call, facts: ScriptFacts): boolean {
  const given = argument(compilation, 'model', 0);
  if (!given || given === 'hidden') return false;
  if (/convert|quant|int8/i.test(textAt(facts, given.value.span))) return true;
  return facts.flows().some((flow) => {
    const network = flow.operand(compilation, 0);
    const events = network ? (flow.events.get(network) ?? []) : [];
    const at = events.findIndex(({ call }) => call === compilation);
    return events.slice(0, at).some(({ call }) => stageOf(call)?.stage === 'convert');
  });
}
