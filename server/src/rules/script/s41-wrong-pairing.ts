/** S41: dynamic quantization for a convolutional network, static for a recurrent or attention network. */
import { dynamicCalls, layerKinds, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

export const s41: ScriptRule<'S41'> = {
  code: 'S41',
  severity: 'information',
  title: 'Static and dynamic quantization the other way round',
  documentation: {
    trigger:
      '`quantize_dynamic` in a script whose networks are convolutional only, or `quantize_static` in one whose networks have recurrence or attention and no convolution.',
    why: 'Convolutions gain from fixed ranges known before; activations of recurrent and attention networks vary so much that ranges per run are more exact.',
    remedy:
      'Use static quantization for convolutional networks and dynamic for recurrent networks and transformers.',
    source: 'onnxruntime documentation, "Quantize ONNX models", Method selection.',
  },
  check(facts) {
    const calls = [...dynamicCalls(facts), ...staticCalls(facts)];
    if (calls.length === 0) return [];
    const { convolution, attention, recurrent } = layerKinds(facts);
    const sequence = attention || recurrent;
    if (convolution === sequence) return [];
    const unfit = convolution ? dynamicCalls(facts) : staticCalls(facts);
    return unfit.map((call) => ({
      facts: {
        subject: call.name,
        instead: convolution ? 'quantize_static' : 'quantize_dynamic',
        detail: convolution ? 'convolutional' : attention ? 'attention' : 'recurrent',
      },
      span: call.nameSpan,
    }));
  },
};
