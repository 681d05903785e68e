/** S69: calibration samples that onnxruntime cannot read. */
import { definitionOf, type Scope, soleBinding } from '../../script/names';
import type { Expression } from '../../script/syntax';
import { isGenerator } from './generators';
import { staticCalls, writtenArgument } from './onnx-calls';
import { type ScriptRule, textAt } from './script-rule';

export const s69: ScriptRule<'S69'> = {
  code: 'S69',
  severity: 'error',
  title: 'Calibration data that is no reader',
  documentation: {
    trigger:
      '`calibration_data_reader` of `quantize_static` is a list, a dictionary, a generator, a class or function that was not called, or an object of a class of this file without `get_next`.',
    why: 'The calibrator calls `get_next()` until it returns None; anything without that method raises.',
    remedy:
      'Derive a class from `CalibrationDataReader` whose `get_next` returns one dictionary of inputs per call and None at the end.',
    source: 'onnxruntime, python/tools/quantization/calibrate.py, CalibrationDataReader.',
  },
  check(facts) {
    return staticCalls(facts).flatMap((call) => {
      const written = writtenArgument(call, 'calibration_data_reader');
      if (!written || !isNoReader(written.value, call.scope)) return [];
      return [
        {
          facts: { subject: textAt(facts, written.value.span), instead: 'CalibrationDataReader' },
          span: written.value.span,
        },
      ];
    });
  },
};

const plain: ReadonlySet<Expression['kind']> = new Set([
  'list',
  'tuple',
  'set',
  'dict',
  'comprehension',
  'lambda',
]);

/** True when it is certain; names are followed once. */
function isNoReader(value: Expression, scope: Scope, followed = false): boolean {
  if (plain.has(value.kind)) return true;
  if (value.kind === 'constant') return typeof value.value === 'string';
  if (value.kind === 'call') {
    const made = definitionOf(value.callee, scope);
    if (made?.kind === 'function')
      return isGenerator(made.statement) && made.statement.decorators.length === 0;
    if (made?.kind !== 'class' || made.statement.bases.length > 0 || made.statement.decorators.length > 0)
      return false;
    return !made.statement.body.some(
      (one) => one.kind === 'function' && /^(get_next|__getattr__)$/.test(one.name),
    );
  }
  if (value.kind !== 'name' || followed) return false;
  const binding = soleBinding(scope, value.name);
  if (binding?.kind === 'class' || binding?.kind === 'function') return true;
  return (
    binding?.kind === 'variable' && binding.value !== undefined && isNoReader(binding.value, scope, true)
  );
}
