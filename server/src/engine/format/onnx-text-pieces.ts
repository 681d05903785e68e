/**
 * Pieces of a printed model that stand alone: headers, types, shapes, sizes in comments.
 */
import { byteLength, type DataType } from '../base/dtype';
import { elementTypeWord, identifier, isPlainIdentifier, quote } from './onnx-text-words';
import type { Dimension, FunctionProto, ModelProto, OperatorSet, StringEntry, TypeProto } from './onnx-types';

/** Same limit as the parser's. */
const maximumTypeDepth = 64;

/** `float[N,3]` and the like; `undefined` when a part of the type is not known. */
export function printType(type: TypeProto, depth = 0): string | undefined {
  const inside = (part: TypeProto | undefined) =>
    part === undefined || depth >= maximumTypeDepth ? undefined : printType(part, depth + 1);
  switch (type.kind) {
    case 'tensor':
    case 'sparse-tensor': {
      const word = elementTypeWord(type.elementType);
      if (word === undefined) return undefined;
      const tensor = word + printShape(type.shape);
      return type.kind === 'tensor' ? tensor : `sparse_tensor(${tensor})`;
    }
    case 'sequence':
    case 'optional': {
      const element = inside(type.element);
      return element && `${type.kind === 'sequence' ? 'seq' : 'optional'}(${element})`;
    }
    case 'map': {
      const key = elementTypeWord(type.keyType);
      const value = inside(type.value);
      return key && value && `map(${key}, ${value})`;
    }
    case 'opaque':
      return `opaque(${[dotted(type.domain), type.name && identifier(type.name)].filter(Boolean).join(',')})`;
    case 'unknown':
      return undefined;
  }
}

export function modelHeader(model: ModelProto): [string, string][] {
  const optional = (key: string, value: string): [string, string][] =>
    value === '' ? [] : [[key, quote(value)]];
  return [
    ['ir_version', String(model.irVersion)],
    ['opset_import', operatorSets(model.opsetImports)],
    ...optional('producer_name', model.producerName),
    ...optional('producer_version', model.producerVersion),
    ...optional('domain', model.domain),
    ...(model.modelVersion === 0 ? [] : [['model_version', String(model.modelVersion)] as [string, string]]),
    ...optional('doc_string', model.docString),
    ...(model.metadataProps.length === 0
      ? []
      : [['metadata_props', `[${model.metadataProps.map(entry).join(', ')}]`] as [string, string]]),
  ];
}

export function functionHeader(one: FunctionProto): [string, string][] {
  return [
    ['domain', quote(one.domain)],
    ...(one.overload ? [['overload', quote(one.overload)] as [string, string]] : []),
    ['opset_import', operatorSets(one.opsetImports)],
    ...(one.docString ? [['doc_string', quote(one.docString)] as [string, string]] : []),
  ];
}

function operatorSets(sets: readonly OperatorSet[]): string {
  return `[${sets.map(({ domain, version }) => `${quote(domain)} : ${version}`).join(', ')}]`;
}

function entry({ key, value }: StringEntry): string {
  return `${quote(key)}: ${quote(value)}`;
}

/** A domain: dotted identifiers as they are, anything else as one quoted part. */
export function dotted(domain: string): string {
  return domain === '' || domain.split('.').every(isPlainIdentifier) ? domain : quote(domain);
}

/** Scalar: nothing; unknown rank: `[]`. */
function printShape(shape: readonly Dimension[] | undefined): string {
  if (shape === undefined) return '[]';
  if (shape.length === 0) return '';
  return `[${shape
    .map((dimension) => {
      if (typeof dimension === 'number') return String(dimension);
      return dimension === undefined || dimension === '' ? '?' : identifier(dimension);
    })
    .join(',')}]`;
}

export function printDims(dims: readonly number[]): string {
  return dims.length === 0 ? '' : `[${dims.join(',')}]`;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const strictDecoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

export function isText(bytes: Uint8Array): boolean {
  try {
    strictDecoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** `432 elements, 1.7 kB`. */
export function elements(type: DataType, count: number): string {
  return type.kind === 'string' ? counted(count) : `${counted(count)}, ${size(byteLength(type, count))}`;
}

export function counted(count: number): string {
  return `${grouped(count)} element${count === 1 ? '' : 's'}`;
}

/** `1728` → `1.7 kB`. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `1234567` → `1,234,567`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Names come from files: a line break in one would end the comment. */
export function oneLine(comment: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  const clean = comment.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ');
  return clean.length > 160 ? `${clean.slice(0, 157)}…` : clean;
}
