/** S19: transposed convolutions under a per-channel weight observer. */
import { argumentValue } from '../../script/program';
import { stringOf } from '../../script/values';
import { callsOf, type ScriptRule } from './script-rule';
import { stageEvents, treesOf } from './torch-life';

export const s19: ScriptRule<'S19'> = {
  code: 'S19',
  severity: 'error',
  title: 'Per-channel weights of ConvTranspose',
  documentation: {
    trigger:
      'A network of this file with a ConvTranspose goes to eager `prepare`, and the only configuration of the file is `get_default_qconfig` of "fbgemm" or "x86".',
    why: 'Both observe weights per channel, which is not supported for transposed convolutions: an assertion fails.',
    remedy:
      'Set `module.qconfig` of the transposed convolutions to a per-tensor one, or to None to keep them float.',
    source: 'torch/ao/quantization/qconfig.py, _assert_valid_qconfig.',
  },
  check(facts) {
    const calls = callsOf(facts, 'torch.ao.quantization.get_default_qconfig');
    const backends = new Set(calls.map((call) => stringOf(argumentValue(call, 'backend', 0)) ?? 'x86'));
    const perChannel = backends.size === 1 && (backends.has('x86') || backends.has('fbgemm'));
    const assignments = facts.text.match(/\.qconfig\s*=[^=]/g)?.length ?? 0;
    if (!perChannel || assignments !== 1) return [];
    return stageEvents(facts).flatMap(({ event, stage, flow, network }) => {
      if (stage !== 'prepare' || flow !== 'eager') return [];
      const layers = treesOf(facts, network).flatMap((tree) => tree.layers);
      const transposed = layers.find(({ type }) => /\.ConvTranspose[123]d$/.test(type));
      if (!transposed) return [];
      return [{ facts: { subject: event.call.name, detail: transposed.path }, span: event.call.nameSpan }];
    });
  },
};
