/** S70: a data reader whose get_next is a generator. */
import { calibrationReaders } from './calibration-readers';
import { isGenerator } from './generators';
import type { ScriptRule } from './script-rule';

export const s70: ScriptRule<'S70'> = {
  code: 'S70',
  severity: 'error',
  title: 'get_next that yields',
  documentation: {
    trigger: '`get_next` of a CalibrationDataReader contains `yield`.',
    why: 'Every call then makes a new generator instead of a dictionary of inputs, and never None: the first run of the model raises.',
    remedy: 'Keep an iterator in the object and write `return next(self.samples, None)`.',
    source: 'onnxruntime, python/tools/quantization/calibrate.py, collect_data; seen in public scripts.',
  },
  check(facts) {
    return calibrationReaders(facts).flatMap(({ getNext }) =>
      isGenerator(getNext) ? [{ facts: { subject: getNext.name }, span: getNext.nameSpan }] : [],
    );
  },
};
