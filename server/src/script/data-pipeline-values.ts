/** Reading arguments of data code: numbers per channel, sizes, paths, interpolation. Unknown is undefined. */
import { namedConstants } from './data-pipeline-presets';
import {
  type Arguments,
  numberIn,
  type ObjectValue,
  type Place,
  type PythonValue,
  truthOf,
} from './interpret-values';
import type { Picture } from './picture';

/** What the steps of a pipeline need of the program around them. */
export interface Studio {
  /** The picture behind a value. */
  pictureOf(value: PythonValue | undefined): Picture | undefined;
  /** A value that stands for a picture; `from` are those it was made of. */
  develop(picture: Picture, origin: Place, from?: readonly (PythonValue | undefined)[]): ObjectValue;
  /** A picture that goes on as something else. */
  consume(value: PythonValue): void;
  /** Calls a function of the program. */
  run(target: PythonValue, args: Arguments, origin: Place): PythonValue;
}

/** An array of constants, so that arithmetic on it is that of NumPy and not of lists. */
export const arrayType = '#array';
/** Path of a file or folder. */
export const pathType = '#path';

export function libraryObject(
  type: string,
  origin: Place,
  args: Arguments,
  attributes: ReadonlyMap<string, PythonValue> = new Map(),
): ObjectValue {
  return { kind: 'object', type, class: undefined, attributes: new Map(attributes), origin, args };
}

/** An argument by name, else by position. */
export function given(args: Arguments, name: string, position?: number): PythonValue | undefined {
  const named = args.keywords.get(name);
  if (named) return named;
  return position === undefined ? undefined : args.positional[position];
}

/** True when `**unknown` may hold arguments. */
export function isOpen(args: Arguments): boolean {
  return args.keywords.has('**') || args.positional.some((one) => one.kind === 'unknown');
}

/** A number, a list of numbers, an array of them, or a constant that libraries export. */
export function numbersIn(value: PythonValue | undefined): readonly number[] | undefined {
  if (!value) return undefined;
  const single = numberIn(value);
  if (single !== undefined) return [single];
  if (value.kind === 'path') return namedConstants[value.path];
  if (value.kind === 'object')
    return value.type === arrayType ? numbersIn(value.args.positional[0]) : undefined;
  if (value.kind !== 'list' || value.items.length === 0) return undefined;
  const numbers = value.items.flatMap((item) => numbersIn(item) ?? [Number.NaN]);
  return numbers.every(Number.isFinite) ? numbers : undefined;
}

/** `224`, `(224,)` or `(height, width)`. */
export function sizeIn(value: PythonValue | undefined): readonly number[] | undefined {
  const numbers = numbersIn(value);
  return numbers && numbers.length <= 2 && numbers.every((one) => Number.isInteger(one) && one > 0)
    ? numbers
    : undefined;
}

export function isFalse(value: PythonValue | undefined): boolean {
  return value !== undefined && truthOf(value) === false;
}

export function isTrue(value: PythonValue | undefined): boolean {
  return value !== undefined && value.kind !== 'path' && truthOf(value) === true;
}

/** `torchvision.transforms.v2.Resize` → `Resize`. */
export function lastName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** Text of a constant, or of a path object. */
export function pathTextIn(value: PythonValue | undefined): string | undefined {
  if (value?.kind === 'constant') return typeof value.value === 'string' ? value.value : undefined;
  return value?.kind === 'object' && value.type === pathType
    ? pathTextIn(value.args.positional[0])
    : undefined;
}

/** Interpolation other than bilinear; undefined for bilinear and for what is not known. */
export function otherInterpolation(value: PythonValue | undefined): string | undefined {
  if (value?.kind === 'path') {
    const name = lastName(value.path)
      .replace(/^INTER_/, '')
      .toLowerCase();
    return ['bilinear', 'linear'].includes(name) ? undefined : name;
  }
  if (value?.kind !== 'constant') return undefined;
  if (typeof value.value === 'string') return value.value === 'bilinear' ? undefined : value.value;
  const names: Readonly<Record<string, string>> = { 0: 'nearest', 1: 'lanczos', 3: 'bicubic' };
  return names[String(value.value)];
}

/** Floating-point types: `torch.float32`, `np.float32`, `'float32'`. */
export function isFloatType(value: PythonValue | undefined): boolean {
  const name = value?.kind === 'path' ? lastName(value.path) : pathTextIn(value);
  return name !== undefined && /^(b?float\d*|double|half)$/.test(name);
}
