/** S83: FX preparation without example inputs. */
import { argument } from '../../script/program';
import { callsOf, type ScriptRule } from './script-rule';
import { isForSomeVersions } from './versions';

export const s83: ScriptRule<'S83'> = {
  code: 'S83',
  severity: 'warning',
  title: 'FX preparation without example inputs',
  documentation: {
    trigger:
      '`prepare_fx(model, mapping)` or `prepare_qat_fx(model, mapping)` with two arguments. Silent inside `try` and below a question for the version. A warning, since the installed version is not known.',
    why: 'Since PyTorch 1.13 the third argument has no default: the call raises TypeError.',
    remedy: 'Pass a tuple of inputs: `prepare_fx(model, mapping, (torch.randn(1, 3, 224, 224),))`.',
    source: 'torch/ao/quantization/quantize_fx.py; github.com/pytorch/tutorials/pull/2089.',
  },
  check(facts) {
    const calls = callsOf(facts, 'torch.ao.quantization.prepare_fx', 'torch.ao.quantization.prepare_qat_fx');
    return calls.flatMap((call) =>
      argument(call, 'example_inputs', 2) === undefined && !isForSomeVersions(call, facts)
        ? [{ facts: { subject: call.name, instead: 'example_inputs' }, span: call.nameSpan }]
        : [],
    );
  },
};
