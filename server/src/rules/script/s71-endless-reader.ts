/** S71: a data reader that never ends. */
import { type Expression, parts, type Statement } from '../../script/syntax';
import { calibrationReaders } from './calibration-readers';
import type { ScriptRule } from './script-rule';

export const s71: ScriptRule<'S71'> = {
  code: 'S71',
  severity: 'error',
  title: 'Calibration reader without an end',
  documentation: {
    trigger:
      '`get_next` of a CalibrationDataReader is a straight line that returns a dictionary and reads no state of the object: it can neither return None nor run out.',
    why: 'The calibrator asks until it gets None. It never does: memory fills with the outputs of ever more runs.',
    remedy: 'Count the samples and return None after the last one.',
    source: 'onnxruntime, python/tools/quantization/calibrate.py, collect_data; seen in public scripts.',
  },
  check(facts) {
    return calibrationReaders(facts).flatMap(({ getNext }) =>
      neverEnds(getNext.body) ? [{ facts: { subject: getNext.name }, span: getNext.nameSpan }] : [],
    );
  },
};

function neverEnds(body: readonly Statement[]): boolean {
  const last = body.at(-1);
  if (last?.kind !== 'return' || last.value?.kind !== 'dict' || last.value.entries.length === 0) return false;
  return body.every(
    (statement) =>
      (statement.kind === 'assign' || statement.kind === 'expression' || statement === last) &&
      'value' in statement &&
      !(statement.value && asks(statement.value)),
  );
}

/** `self.samples`, `next(…)`: what may run out. Names and shapes of inputs may be read. */
function asks(expression: Expression): boolean {
  if (expression.kind === 'name') return expression.name === 'self' || expression.name === 'next';
  if (
    expression.kind === 'attribute' &&
    expression.object.kind === 'name' &&
    expression.object.name === 'self'
  )
    return !/name|shape|size/i.test(expression.attribute);
  return [...parts(expression)].some(asks);
}
