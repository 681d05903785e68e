/** S40: quantize_static without the preprocessing that onnxruntime recommends. */
import { stringOf } from '../../script/values';
import { given, staticCalls, writtenArgument } from './onnx-calls';
import { callsOf, type ScriptRule, textAt } from './script-rule';

/** Names people give to what comes out of preprocessing or optimisation. */
const prepared =
  /(infer|(^|[/\\_.-])pre[_-]|pre_?proc|preprocess|processed|optimi[sz]ed|[._-]opt\b|simplif|[._-]sim\b|prep)/i;

/** Preprocessing from the command line, told in a comment or a message. */
const elsewhere = /quantization[./]preprocess|quant_pre_process|symbolic_shape_infer/;

export const s40: ScriptRule<'S40'> = {
  code: 'S40',
  severity: 'warning',
  title: 'Static quantization without preprocessing the model',
  documentation: {
    trigger:
      '`quantize_static` reads a model file whose name is known, nothing in the script calls `quant_pre_process` (or a simplifier), and neither a name nor a comment says that it was done elsewhere.',
    why: 'Without inferred shapes some tensors are not quantized; without fused BatchNormalization and folded constants there are more quantized tensors than needed, each with its own error.',
    remedy:
      'Run `onnxruntime.quantization.quant_pre_process(model, prepared)` once, then quantize its result.',
    source: 'onnxruntime documentation, "Quantize ONNX models", Pre-processing.',
  },
  check(facts) {
    const done = callsOf(
      facts,
      'onnxruntime.quantization.quant_pre_process',
      'onnxsim.simplify',
      'onnxslim.slim',
      'onnxruntime.transformers.optimizer.optimize_model',
    );
    if (done.length > 0 || elsewhere.test(facts.text)) return [];
    return staticCalls(facts).flatMap((call) => {
      const model = stringOf(given(call, 'model_input'));
      const written = writtenArgument(call, 'model_input');
      const name = written ? textAt(facts, written.value.span) : '';
      if (model === undefined || prepared.test(model) || prepared.test(name)) return [];
      return [{ facts: { subject: model, instead: 'quant_pre_process' }, span: call.nameSpan }];
    });
  },
};
