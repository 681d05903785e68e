/** S84: a backend that PyTorch does not have. */
import { argument, argumentValue } from '../../script/program';
import { stringOf } from '../../script/values';
import { callsOf, type ScriptRule } from './script-rule';

export const s84: ScriptRule<'S84'> = {
  code: 'S84',
  severity: 'warning',
  title: 'Unknown quantization backend',
  documentation: {
    trigger:
      '`get_default_qconfig("…")` or one of its relatives names a backend other than fbgemm, x86, qnnpack and onednn.',
    why: 'PyTorch raises from 1.13 on; before, it silently falls back to a per-tensor min-max configuration.',
    remedy: 'Use "x86" on servers and "qnnpack" on ARM. GPUs are served by torchao and TensorRT.',
    source: 'torch/ao/quantization/qconfig.py, get_default_qconfig; github.com/pytorch/pytorch/pull/86259.',
  },
  check(facts) {
    return callsOf(facts, ...functions).flatMap((call) => {
      const backend = stringOf(argumentValue(call, 'backend', 0));
      const written = argument(call, 'backend', 0);
      if (backend === undefined || backends.has(backend) || !written || written === 'hidden') return [];
      return [{ facts: { subject: `"${backend}"`, instead: '"x86" or "qnnpack"' }, span: written.span }];
    });
  },
};

const backends = new Set(['fbgemm', 'x86', 'qnnpack', 'onednn']);
const functions = ['qconfig', 'qat_qconfig', 'qconfig_mapping', 'qat_qconfig_mapping'].map(
  (name) => `torch.ao.quantization.get_default_${name}`,
);
