/** Arithmetic and subscripts on pictures and on arrays of constants: `(x / 255 - mean) / std`, `[..., ::-1]`. */
import { arrayType, libraryObject, numbersIn, type Studio } from './data-pipeline-values';
import { constantValue, numberIn, type Place, type PythonValue } from './interpret-values';
import {
  divided,
  freshPicture,
  multiplied,
  type Picture,
  recoloured,
  subtracted,
  withDoubt,
} from './picture';
import type { Expression, Span } from './syntax';

/** Divisors that say: what is divided is a picture of 8-bit values. */
const pictureRanges: ReadonlySet<number> = new Set([255, 127.5]);

/** Arithmetic in which a picture takes part; also with arrays of constants. */
export function pictureOperation(
  studio: Studio,
  operator: string,
  left: PythonValue,
  right: PythonValue,
  origin: Place,
): PythonValue | undefined {
  const { span } = origin;
  const one = studio.pictureOf(left) ?? assumed(operator, left, right);
  const other = studio.pictureOf(right);
  const next = (state: Picture) => studio.develop(state, origin, [left, right]);
  if (one) {
    const values = numbersIn(right);
    if (!values) return next(withDoubt(one, 'unknown-value', operator, span));
    return next(operation(one, operator, values, span));
  }
  if (other) {
    const values = numbersIn(left);
    const commutes = operator === '+' || operator === '*';
    return next(
      values && commutes
        ? operation(other, operator, values, span)
        : withDoubt(other, 'unknown-step', operator, span),
    );
  }
  return onArrays(operator, left, right, origin);
}

function assumed(operator: string, left: PythonValue, right: PythonValue): Picture | undefined {
  const divisor = numberIn(right);
  const isRange = operator === '/' && divisor !== undefined && pictureRanges.has(divisor);
  return left.kind === 'unknown' && isRange ? freshPicture() : undefined;
}

function operation(picture: Picture, operator: string, values: readonly number[], span: Span): Picture {
  switch (operator) {
    case '/':
      return divided(picture, values, span);
    case '*':
      return multiplied(picture, values, span);
    case '-':
      return subtracted(picture, values, span);
    case '+':
      return subtracted(
        picture,
        values.map((value) => -value),
        span,
      );
    default:
      return withDoubt(picture, 'unknown-step', operator, span);
  }
}

/** Arithmetic on arrays of constants, element by element. */
function onArrays(
  operator: string,
  left: PythonValue,
  right: PythonValue,
  origin: Place,
): PythonValue | undefined {
  const isArray = [left, right].some((value) => value.kind === 'object' && value.type === arrayType);
  const [one, other] = [numbersIn(left), numbersIn(right)];
  if (!isArray || !one || !other) return undefined;
  const length = Math.max(one.length, other.length);
  const apply = elementwise[operator];
  if (!apply || [one, other].some((list) => list.length !== 1 && list.length !== length)) return undefined;
  const items = Array.from({ length }, (_, at) =>
    constantValue(apply(one[one.length === 1 ? 0 : at] ?? 0, other[other.length === 1 ? 0 : at] ?? 0)),
  );
  return libraryObject(arrayType, origin, { positional: [{ kind: 'list', items }], keywords: new Map() });
}

const elementwise: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
};

/** `image[:, :, ::-1]` turns the channels around, `image[None]` adds an axis, anything that cuts is a doubt. */
export function pictureSubscript(
  studio: Studio,
  value: PythonValue,
  indexes: readonly Expression[],
  origin: Place,
): PythonValue | undefined {
  const picture = studio.pictureOf(value);
  if (!picture) return undefined;
  const { span } = origin;
  const next = (state: Picture) => studio.develop(state, origin, [value]);
  const { color, layout } = picture.preprocessing;
  const channel = layout === 'nchw' ? indexes[0] : indexes.at(-1);
  if (channel && (indexes.length > 1 || layout === 'nchw') && isReversed(channel))
    return next(recoloured(picture, color === 'rgb' ? 'bgr' : 'rgb', span));
  const cuts = indexes.slice(0, 2).some((index) => index.kind === 'slice' && index.start && index.stop);
  return next(cuts && indexes.length > 1 ? withDoubt(picture, 'unknown-step', '[…]', span) : picture);
}

/** `::-1`, `[2, 1, 0]`. */
function isReversed(index: Expression): boolean {
  if (index.kind === 'list' || index.kind === 'tuple')
    return index.items.map((item) => (item.kind === 'constant' ? item.value : '?')).join() === '2,1,0';
  if (index.kind !== 'slice' || index.start || index.stop) return false;
  const { step } = index;
  return (
    step?.kind === 'unary' &&
    step.operator === '-' &&
    step.operand.kind === 'constant' &&
    step.operand.value === 1
  );
}
