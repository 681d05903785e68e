/** Operators and subscripts of the interpreter. */
import {
  constantValue,
  iterate,
  numberIn,
  type PythonValue,
  sameValue,
  textOf,
  unknownValue,
} from './interpret-values';
import type { Expression } from './syntax';
import { arithmetic } from './values';

const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** Repetitions beyond this stay unknown. */
const MAXIMUM_LENGTH = 4096;

/** Result of a binary operator; unknown where an operand is. */
export function operate(operator: string, left: PythonValue, right: PythonValue): PythonValue {
  const equality = compare(operator, left, right);
  if (equality !== undefined) return constantValue(equality);
  const a = numberIn(left);
  const b = numberIn(right);
  if (a !== undefined && b !== undefined) {
    const compared = comparisons[operator]?.(a, b);
    if (compared !== undefined) return constantValue(compared);
    const result = arithmetic[operator]?.(a, b);
    return result !== undefined && Number.isFinite(result) ? constantValue(result) : unknownValue;
  }
  if (left.kind === 'list') {
    if (operator === '+' && right.kind === 'list')
      return { kind: 'list', items: [...left.items, ...right.items] };
    if (operator === '*' && b !== undefined && left.items.length * b <= MAXIMUM_LENGTH)
      return { kind: 'list', items: Array.from({ length: Math.max(0, b) }, () => left.items).flat() };
  }
  const text = left.kind === 'constant' && typeof left.value === 'string' ? left.value : undefined;
  if (text === undefined) return unknownValue;
  if (operator === '+' && right.kind === 'constant' && typeof right.value === 'string')
    return constantValue(text + right.value);
  return operator === '%' ? format(text, right) : unknownValue;
}

function compare(operator: string, left: PythonValue, right: PythonValue): boolean | undefined {
  const known = left.kind !== 'unknown' && right.kind !== 'unknown';
  switch (operator) {
    case '==':
    case 'is':
      return known ? equal(left, right) : undefined;
    case '!=':
    case 'is not':
    case 'isnot':
      return known ? !equal(left, right) : undefined;
    case 'in':
    case 'not in': {
      const [part, whole] = [left, right].map((one) => (one.kind === 'constant' ? one.value : undefined));
      if (typeof part === 'string' && typeof whole === 'string')
        return whole.includes(part) === (operator === 'in');
      if (right.kind === 'dict' && known)
        return right.entries.has(textOf(left) ?? '') === (operator === 'in');
      const items = known ? iterate(right) : undefined;
      if (!items || items.some((item) => item.kind === 'unknown')) return undefined;
      return items.some((item) => equal(item, left)) === (operator === 'in');
    }
    default:
      return undefined;
  }
}

function equal(left: PythonValue, right: PythonValue): boolean {
  if (left.kind === 'list' && right.kind === 'list')
    return (
      left.items.length === right.items.length &&
      left.items.every((item, at) => equal(item, right.items[at] ?? unknownValue))
    );
  if (left.kind === 'class' && right.kind === 'class') return left.statement === right.statement;
  if (left.kind === 'path' && right.kind === 'path') return left.path === right.path;
  return sameValue(left, right);
}

/** `'layer%d' % i`. */
function format(text: string, right: PythonValue): PythonValue {
  const values = right.kind === 'list' ? right.items : [right];
  let at = 0;
  let complete = true;
  const result = text.replace(/%[ds]/g, () => {
    const value = values[at++];
    const written = value && textOf(value);
    complete &&= written !== undefined;
    return written ?? '';
  });
  return complete ? constantValue(result) : unknownValue;
}

/** `object[index]` and slices of lists. */
export function subscript(
  object: PythonValue,
  index: Expression,
  evaluate: (part: Expression) => PythonValue,
): PythonValue {
  if (index.kind === 'slice') return slice(object, index, evaluate);
  const value = evaluate(index);
  const key = textOf(value);
  if (key === undefined) return unknownValue;
  if (object.kind === 'dict') return object.entries.get(key) ?? unknownValue;
  if (object.kind === 'object') return object.attributes.get(key) ?? unknownValue;
  const items = iterate(object);
  const at = numberIn(value);
  if (!items || at === undefined) return unknownValue;
  return items.at(at) ?? unknownValue;
}

/** `items[start:stop:step]`; backwards only as a whole. */
function slice(
  object: PythonValue,
  range: Extract<Expression, { kind: 'slice' }>,
  evaluate: (part: Expression) => PythonValue,
): PythonValue {
  const items = iterate(object);
  const [start, stop, step] = [range.start, range.stop, range.step].map((part) => part && evaluate(part));
  const bounds = [start, stop].map((part) => (part === undefined ? undefined : numberIn(part)));
  const unclear = (start && bounds[0] === undefined) || (stop && bounds[1] === undefined);
  const by = step ? numberIn(step) : 1;
  if (!items || unclear || by === undefined || by === 0) return unknownValue;
  if (by < 0) return start || stop ? unknownValue : { kind: 'list', items: every(items.toReversed(), -by) };
  return { kind: 'list', items: every(items.slice(bounds[0], bounds[1]), by) };
}

function every(items: readonly PythonValue[], step: number): PythonValue[] {
  return items.filter((_, at) => at % step === 0);
}
