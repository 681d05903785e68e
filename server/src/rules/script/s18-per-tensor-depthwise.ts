/** S18: one weight scale per tensor for depthwise convolutions. */
import { canonicalPath } from '../../script/catalog';
import { pathOf } from '../../script/names';
import { argument, argumentValue } from '../../script/program';
import { stringOf } from '../../script/values';
import { callsOf, type ScriptFacts, type ScriptFinding, type ScriptRule } from './script-rule';

export const s18: ScriptRule<'S18'> = {
  code: 'S18',
  severity: 'warning',
  title: 'Per-tensor weights with depthwise convolutions',
  aliases: ['M16', 'methods S08'],
  documentation: {
    trigger:
      'A network of this file has grouped convolutions, and the configuration scales weights per tensor: the `qnnpack` default, or a QConfig whose weight observer is a per-tensor one.',
    why: 'Channels of a depthwise convolution differ in range by orders of magnitude; one scale leaves most of them a few codes. MobileNets fall to chance this way.',
    remedy:
      'Use a per-channel weight observer (`default_per_channel_weight_observer`), or the "x86" configuration.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342); torch/ao/quantization/qconfig.py.',
  },
  check(facts) {
    const found = [...mobileDefaults(facts), ...perTensorConfigs(facts)];
    if (found.length === 0) return [];
    const grouped = facts
      .trees()
      .flatMap((tree) => tree.layers.filter(({ groups }) => groups !== null && groups > 1));
    const [first] = grouped;
    if (!first) return [];
    return found.map((finding) => ({
      ...finding,
      facts: { ...finding.facts, detail: first.path },
    }));
  },
};

function mobileDefaults(facts: ScriptFacts): readonly ScriptFinding[] {
  const calls = callsOf(
    facts,
    'torch.ao.quantization.get_default_qconfig',
    'torch.ao.quantization.get_default_qconfig_mapping',
  );
  return calls.flatMap((call) =>
    stringOf(argumentValue(call, 'backend', 0)) === 'qnnpack'
      ? [{ facts: { subject: 'The "qnnpack" configuration' }, span: call.nameSpan }]
      : [],
  );
}

const perTensor =
  /\.(default_weight_observer|MinMaxObserver|MovingAverageMinMaxObserver|HistogramObserver|default_observer)$/;

function perTensorConfigs(facts: ScriptFacts): readonly ScriptFinding[] {
  return callsOf(facts, 'torch.ao.quantization.QConfig').flatMap((call) => {
    const weight = argument(call, 'weight', 1);
    if (!weight || weight === 'hidden') return [];
    const { value } = weight;
    // Observer.with_args(…) is a call of an attribute of the class.
    const named = value.kind === 'call' && value.callee.kind === 'attribute' ? value.callee.object : value;
    const path = pathOf(named, call.scope);
    if (path === undefined || !perTensor.test(canonicalPath(path))) return [];
    const scheme = value.kind === 'call' ? facts.text.slice(...value.span) : '';
    return /per_channel/.test(scheme)
      ? []
      : [{ facts: { subject: 'This weight observer' }, span: weight.span }];
  });
}
