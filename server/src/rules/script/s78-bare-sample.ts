/** S78: a sample that is no list of inputs. */
import { pathOf, type Scope, soleBinding } from '../../script/names';
import type { Expression } from '../../script/syntax';
import { yieldedValues } from './generators';
import { type ScriptRule, textAt } from './script-rule';
import { datasetFunctions } from './tflite';

export const s78: ScriptRule<'S78'> = {
  code: 'S78',
  severity: 'error',
  title: 'Sample that is no list of inputs',
  documentation: {
    trigger:
      'A function given as `representative_dataset` yields an array (`yield np.expand_dims(image, 0)`) instead of a list with one array per input.',
    why: 'The converter takes a list, a dictionary or a tuple per sample and raises for anything else: "Unsupported value from dataset".',
    remedy: 'Yield a list: `yield [array]`.',
    source: 'TensorFlow, lite/python/optimize/calibrator.py, _feed_tensors.',
  },
  check(facts) {
    return datasetFunctions(facts).flatMap(({ statement, scope }) =>
      yieldedValues(statement.body).flatMap((value) => {
        if (!isArray(value, scope)) return [];
        const { span } = value;
        const text = `[${textAt(facts, span)}]`;
        const fix = { title: 'Yield a list', edits: [{ span, text }], safe: true };
        return [{ facts: { subject: textAt(facts, span), instead: text }, span, fix }];
      }),
    );
  },
};

const arrays = [
  /^numpy\.(array|asarray|expand_dims|float32|reshape|zeros|ones|transpose|random\.\w+)$/,
  /^tensorflow\.(cast|expand_dims|reshape|convert_to_tensor|constant|zeros|ones|random\.\w+|image\.\w+)$/,
];

/** True when an expression certainly is an array or a tensor; names are followed once. */
function isArray(value: Expression, scope: Scope, followed = false): boolean {
  if (value.kind === 'call') {
    const path = pathOf(value.callee, scope) ?? '';
    if (arrays.some((known) => known.test(path))) return true;
    return value.callee.kind === 'attribute' && value.callee.attribute === 'astype';
  }
  if (value.kind !== 'name' || followed) return false;
  const binding = soleBinding(scope, value.name);
  return binding?.kind === 'variable' && binding.value !== undefined && isArray(binding.value, scope, true);
}
