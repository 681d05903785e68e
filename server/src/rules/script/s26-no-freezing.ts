/** S26: the inductor path on x86 without freezing. */
import { callsOf, type ScriptRule } from './script-rule';

export const s26: ScriptRule<'S26'> = {
  code: 'S26',
  severity: 'information',
  title: 'x86 inductor quantization without freezing',
  documentation: {
    trigger: 'A file uses `X86InductorQuantizer` and `torch.compile`, and nothing turns freezing on.',
    why: 'Without freezing the weights stay float constants that are quantized on every run; the int8 kernels are not used.',
    remedy: 'Run with `TORCHINDUCTOR_FREEZING=1`, or set `torch._inductor.config.freezing = True`.',
    source: 'torchao, PyTorch 2 Export Quantization with X86 Backend through Inductor.',
  },
  check(facts) {
    if (/freezing/i.test(facts.text) || !/X86InductorQuantizer/.test(facts.text)) return [];
    return callsOf(facts, 'torch.compile').map((call) => ({
      facts: { subject: 'torch.compile', instead: 'TORCHINDUCTOR_FREEZING=1' },
      span: call.nameSpan,
    }));
  },
};
