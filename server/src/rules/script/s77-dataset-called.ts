/** S77: a representative dataset that is no function. */
import { definitionOf } from '../../script/names';
import { isGenerator } from './generators';
import { type ScriptEdit, type ScriptRule, textAt } from './script-rule';
import { converterSettings } from './tflite';

export const s77: ScriptRule<'S77'> = {
  code: 'S77',
  severity: 'error',
  title: 'Representative dataset that cannot be called',
  documentation: {
    trigger:
      '`converter.representative_dataset` is a list, a generator expression, or the result of calling a generator function of this file.',
    why: 'The converter calls what it is given: "\'generator\' object is not callable".',
    remedy:
      'Assign the function itself, without parentheses; `lambda: generator(data)` where it needs arguments.',
    source:
      'TensorFlow, lite/python/optimize/calibrator.py, _feed_tensors; github.com/tensorflow/tensorflow/issues/57904.',
  },
  check(facts) {
    return converterSettings(facts, 'representative_dataset').flatMap(({ value, scope }) => {
      const { span } = value;
      const finding = { facts: { subject: textAt(facts, span) }, span };
      if (value.kind === 'list' || value.kind === 'tuple' || value.kind === 'comprehension') return [finding];
      const made = value.kind === 'call' ? definitionOf(value.callee, scope) : undefined;
      if (value.kind !== 'call' || made?.kind !== 'function' || !isGenerator(made.statement)) return [];
      if (made.statement.decorators.length > 0) return [];
      const edit: ScriptEdit =
        value.args.length === 0
          ? { span: value.argsSpan, text: '' }
          : { span: [span[0], span[0]], text: 'lambda: ' };
      return [{ ...finding, fix: { title: 'Assign a function', edits: [edit], safe: true } }];
    });
  },
};
