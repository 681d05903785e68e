/** S49: dynamic quantization of convolutions with signed weights does not run. */
import { argument } from '../../script/program';
import { dynamicCalls, given, layerKinds, memberOr } from './onnx-calls';
import { callsOf, type ScriptRule } from './script-rule';

export const s49: ScriptRule<'S49'> = {
  code: 'S49',
  severity: 'information',
  title: 'Dynamic quantization of convolutions with int8 weights',
  documentation: {
    trigger:
      '`quantize_dynamic` with int8 weights (the default), no restriction of operator types, in a script that defines and exports a convolutional network.',
    why: 'It writes ConvInteger with int8 weights, which many releases of onnxruntime do not implement on the CPU: they refuse the model when it is loaded (1.30 runs it).',
    remedy:
      'Use `weight_type=QuantType.QUInt8`, leave convolutions out with `op_types_to_quantize=["MatMul"]`, or quantize statically.',
    source: 'microsoft/Olive#686; transformers.js, scripts/quantize.py.',
  },
  check(facts) {
    const calls = dynamicCalls(facts);
    if (calls.length === 0 || !layerKinds(facts).convolution) return [];
    if (callsOf(facts, 'torch.onnx.export').length === 0) return [];
    return calls.flatMap((call) => {
      const restricted = ['op_types_to_quantize', 'nodes_to_quantize', 'nodes_to_exclude'].some(
        (name) => given(call, name) !== undefined,
      );
      if (restricted || memberOr(call, 'weight_type', 'QInt8') !== 'QInt8') return [];
      const written = argument(call, 'weight_type');
      return [
        {
          facts: { subject: call.name, instead: 'weight_type=QuantType.QUInt8' },
          span: written && written !== 'hidden' ? written.span : call.nameSpan,
        },
      ];
    });
  },
};
