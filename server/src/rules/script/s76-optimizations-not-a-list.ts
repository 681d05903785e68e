/** S76: optimizations that are no list. */
import { pathOf } from '../../script/names';
import { type ScriptRule, textAt } from './script-rule';
import { converterSettings } from './tflite';

export const s76: ScriptRule<'S76'> = {
  code: 'S76',
  severity: 'error',
  title: 'Optimizations that are no list',
  documentation: {
    trigger: '`converter.optimizations = tf.lite.Optimize.DEFAULT`, without brackets.',
    why: 'The converter makes a set of the list and raises: "\'Optimize\' object is not iterable".',
    remedy: 'Write `[tf.lite.Optimize.DEFAULT]`.',
    source: 'TensorFlow, lite/python/lite.py, QuantizationMode.',
  },
  check(facts) {
    return converterSettings(facts, 'optimizations').flatMap(({ value: { span }, value, scope }) => {
      const path = pathOf(value, scope) ?? '';
      if (!/^tensorflow\.(compat\.v1\.)?lite\.Optimize\.\w+$/.test(path)) return [];
      const text = `[${textAt(facts, span)}]`;
      const fix = { title: 'Make it a list', edits: [{ span, text }], safe: true };
      return [{ facts: { subject: textAt(facts, span), instead: text }, span, fix }];
    });
  },
};
