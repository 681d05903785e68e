/** S75: a representative dataset that the converter does not use. */
import type { ScriptRule } from './script-rule';
import { converterSettings } from './tflite';

export const s75: ScriptRule<'S75'> = {
  code: 'S75',
  severity: 'warning',
  title: 'Representative dataset without optimizations',
  documentation: {
    trigger:
      'A script sets `converter.representative_dataset` and nowhere in the file `optimizations`, `supported_ops`, `inference_type` or another option of quantization.',
    why: 'Without `optimizations` the converter does not quantize: samples are ignored, the model stays float32, and nothing is said.',
    remedy: 'Set `converter.optimizations = [tf.lite.Optimize.DEFAULT]`.',
    source:
      'TensorFlow, lite/python/lite.py, QuantizationMode; github.com/tensorflow/model-optimization/issues/605.',
  },
  check(facts) {
    const asks = /optimizations|supported_ops|inference_type|quantize_to|post_training|default_ranges_stats/;
    if (asks.test(facts.text)) return [];
    return converterSettings(facts, 'representative_dataset').flatMap(({ value, target }) =>
      value.kind === 'constant'
        ? []
        : [{ facts: { subject: 'representative_dataset', instead: 'optimizations' }, span: target }],
    );
  },
};
