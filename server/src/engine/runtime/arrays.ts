/**
 * `.npy` and `.npz` files as samples: rows along axis 0, read when they are needed. uint8 arrays are pixels in NHWC
 * and are preprocessed; everything else passes untouched but for the width of its numbers.
 */
import type { PreprocessingSpec } from '../../protocol/reports';
import { type Issue, issue } from '../base/issue';
import { floatToLowFloat, lowFloatToNumber } from '../base/lowfloat';
import { fail, type Outcome, ok } from '../base/outcome';
import { type NpyArray, readRows } from '../format/npy';
import { fileFingerprint } from './file-fingerprint';
import { pictureRow } from './images';
import { fits, type ModelInput, type ModelInputs, mismatch } from './model-inputs';
import { byteRow, imagePreprocessing, type Preprocessing } from './preprocess';
import {
  arrayFor,
  describeTensor,
  type RuntimeArray,
  type RuntimeTensor,
  type RuntimeType,
  runtimeTensor,
  runtimeTypeOf,
} from './runtime-tensor';
import type { Sample, SampleSource, SampleTensor } from './sample-source';

/** How an array's rows become samples of an input. */
type Use =
  /** Row i is sample i. */
  | { readonly kind: 'rows' | 'pixels' | 'bytes' }
  /** Element i along axis 0 is a complete feed. */
  | { readonly kind: 'whole' }
  /** The same for every sample. */
  | { readonly kind: 'constant' };

interface Column {
  readonly input: ModelInput;
  readonly array: NpyArray;
  readonly type: RuntimeType;
  readonly use: Use;
}

export interface ArrayFile {
  readonly path: string;
  /** By name; the key of a `.npy` file's only array is ''. */
  readonly arrays: ReadonlyMap<string, NpyArray>;
  readonly close: () => void;
}

/** Matches arrays with inputs; mismatches name both sides. */
export function arraySource(
  file: ArrayFile,
  inputs: ModelInputs,
  spec: PreprocessingSpec,
): Outcome<SampleSource> {
  const options = imagePreprocessing(spec);
  if (options.value === undefined) return fail(...options.issues);
  const columns: Column[] = [];
  const issues: Issue[] = [];
  for (const input of inputs.list) {
    const column = columnFor(file, input, inputs);
    if ('code' in column) issues.push(column);
    else columns.push(column);
  }
  if (issues.length > 0) return fail(...issues);
  const counts = columns.filter((one) => one.use.kind !== 'constant').map((one) => one.array.rows);
  const available = Math.min(...(counts.length > 0 ? counts : [1]));
  const uneven = columns.find((one) => one.use.kind !== 'constant' && one.array.rows !== available);
  if (uneven)
    return fail(mismatch(uneven.input, `${uneven.array.rows} samples where another input has ${available}`));
  if (available === 0) return fail(issue('data-empty', { source: file.path }, { path: file.path }));
  return ok(makeSource(file, columns, available, options.value), ignoredOptions(file, columns, spec));
}

function makeSource(
  file: ArrayFile,
  columns: readonly Column[],
  available: number,
  options: Preprocessing,
): SampleSource {
  return {
    description: file.path,
    available,
    stackable: columns.every((column) => stacking(column) !== 'whole'),
    read: async (first, count) => {
      const samples: Record<string, Sample[string]>[] = Array.from({ length: count }, () => ({}));
      for (const column of columns) {
        const constant = column.use.kind === 'constant';
        const rows = constant
          ? readRows(column.array, 0, column.array.rows)
          : readRows(column.array, first, count);
        if (rows.value === undefined) return fail(...rows.issues);
        const size = constant ? rows.value.length : column.array.rowElements;
        for (const [index, sample] of samples.entries()) {
          const part = constant ? rows.value : rows.value.subarray(index * size, (index + 1) * size);
          const made = rowTensor(column, part, options);
          if (made.value === undefined) return fail(...made.issues);
          sample[column.input.name] = { tensor: made.value, use: stacking(column) };
        }
      }
      return ok(samples);
    },
    fingerprint: (_count, signal) => fileFingerprint(file.path, signal),
    close: file.close,
  };
}

function stacking({ use, array }: Column): SampleTensor['use'] {
  if (use.kind === 'whole') return 'whole';
  if (use.kind !== 'constant') return 'row';
  // A constant with axes may have a batch axis somewhere, so its samples are run one by one.
  return array.shape.length === 0 ? 'shared' : 'whole';
}

function columnFor(file: ArrayFile, input: ModelInput, inputs: ModelInputs): Column | Issue {
  const array = arrayFor_(file, input, inputs);
  if (array === undefined) {
    const names = [...file.arrays.keys()].filter((name) => name !== '').join(', ');
    return mismatch(
      input,
      names === '' ? 'one array without a name; an .npz has one per input' : `arrays ${names}`,
    );
  }
  const type = runtimeTypeOf(array.dataType.code);
  const use = type && useOf(array, type, input);
  if (type === undefined || use === undefined)
    return mismatch(input, describeTensor(array.dataType.name, array.shape));
  return { input, array, type, use };
}

/** By name; a single array serves a single input whatever it is called. */
function arrayFor_(file: ArrayFile, input: ModelInput, inputs: ModelInputs): NpyArray | undefined {
  const named = file.arrays.get(input.name);
  if (named || inputs.list.length > 1 || file.arrays.size > 1) return named;
  return [...file.arrays.values()][0];
}

function useOf(array: NpyArray, type: RuntimeType, input: ModelInput): Use | undefined {
  const { shape } = array;
  const rank = input.dims?.length;
  const exact = canConvert(type, input.type);
  if (exact && input.batched && shape.length === rank && fits(input, shape.slice(1), 1))
    return { kind: 'rows' };
  if (type === 'uint8' && input.batched && input.type !== 'bool') {
    // Sizes are compared when the first row has been resized and cropped.
    if (rank === 4 && (shape.length === 4 || shape.length === 3)) return { kind: 'pixels' };
    if (input.type.startsWith('float') && shape.length === rank && fits(input, shape.slice(1), 1))
      return { kind: 'bytes' };
  }
  if (!exact) return undefined;
  if (rank === undefined || (shape.length === rank + 1 && fits(input, shape.slice(1))))
    return { kind: 'whole' };
  return shape.length === rank && fits(input, shape) ? { kind: 'constant' } : undefined;
}

function rowTensor(column: Column, part: RowArray, options: Preprocessing): Outcome<RuntimeTensor> {
  const { array, input, type, use } = column;
  const shape = use.kind === 'constant' ? array.shape : array.shape.slice(1);
  if (use.kind === 'pixels' && part instanceof Uint8Array) {
    const [height = 0, width = 0, channels = 1] = shape;
    return pictureRow({ height, width, channels, data: part }, input, options, 'a sample');
  }
  if (use.kind === 'bytes' && part instanceof Uint8Array) return byteRow(part, shape, input, options);
  return ok(runtimeTensor(input.type, shape, converted(part, type, input.type)));
}

type RowArray = Exclude<RuntimeArray, readonly string[]>;

/** Widths of one kind of number convert into each other; floats never become integers or the other way round. */
function canConvert(from: RuntimeType, to: RuntimeType): boolean {
  if (from === to) return true;
  const kind = (type: RuntimeType) =>
    type.startsWith('float') ? 'float' : /^u?int/.test(type) ? 'int' : type;
  return kind(from) === kind(to) || (to === 'bool' && from === 'uint8');
}

/** Numbers in another width of their kind. */
function converted(part: RowArray, from: RuntimeType, to: RuntimeType): RowArray {
  // A copy: views of a larger read would keep all of it alive.
  if (from === to || (from === 'uint8' && to === 'bool')) return part.slice();
  const target = arrayFor(to, part.length);
  for (let at = 0; at < part.length; at++) {
    const value = from === 'float16' ? lowFloatToNumber('float16', Number(part[at])) : part[at];
    if (target instanceof BigInt64Array || target instanceof BigUint64Array) target[at] = BigInt(value ?? 0);
    else target[at] = to === 'float16' ? floatToLowFloat('float16', Number(value)) : Number(value);
  }
  return target;
}

/** Preprocessing was asked for, but the data is not pixels: say so instead of doing nothing in silence. */
function ignoredOptions(
  file: ArrayFile,
  columns: readonly Column[],
  spec: PreprocessingSpec,
): readonly Issue[] {
  if (columns.some((column) => column.use.kind === 'pixels' || column.use.kind === 'bytes')) return [];
  const given = (['scale', 'mean', 'std', 'resize', 'crop', 'color'] as const).filter(
    (key) => spec[key] !== undefined,
  );
  if (given.length === 0) return [];
  const facts = { source: file.path, options: given.join(', ') };
  return [issue('preprocessing-unused', facts, { path: file.path }, 'warning')];
}
