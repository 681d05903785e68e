/**
 * What printer and parser of the ONNX textual syntax share: words of the language, quoting, and the structure of
 * a parsed document with a span for everything. Source: onnx/docs/Syntax.md and the behaviour of `onnx.parser` and
 * `onnx.printer` 1.23; differences are named where they occur.
 */
import { dataTypeByCode, dataTypeByName } from '../base/dtype';
import type { AttributeValue, TypeProto } from './onnx-types';

/** Character offsets [start, end). */
export type Span = readonly [number, number];

/** A name where it stands. An absent optional input or output has an empty name and an empty span. */
export interface SyntaxName {
  readonly name: string;
  readonly span: Span;
}

/** A graph input or output, initializer, or value info. */
export interface SyntaxValue extends SyntaxName {
  readonly type?: TypeProto;
  readonly typeSpan?: Span;
  /** The braces or brackets behind `=`. */
  readonly dataSpan?: Span;
}

export interface SyntaxAttribute extends SyntaxName {
  /** Name, annotation and value. */
  readonly fullSpan: Span;
}

export interface SyntaxNode {
  /** Empty when the text gives none. */
  readonly name: string;
  readonly nameSpan?: Span;
  readonly opType: string;
  readonly domain: string;
  readonly overload: string;
  readonly span: Span;
  /** Domain and operator type. */
  readonly opSpan: Span;
  readonly inputs: readonly SyntaxName[];
  readonly outputs: readonly SyntaxName[];
  readonly attributes: readonly SyntaxAttribute[];
  /** Index in `document.graphs`. */
  readonly graphIndex: number;
  /** Index in that graph's or function's node list. */
  readonly nodeIndex: number;
}

export interface SyntaxGraph extends SyntaxName {
  readonly kind: 'graph' | 'function';
  /** From the name (a function: from its header) to the closing brace. */
  readonly fullSpan: Span;
  /** The braces and what is between them. */
  readonly bodySpan: Span;
  readonly inputs: readonly SyntaxValue[];
  readonly outputs: readonly SyntaxValue[];
  readonly initializers: readonly SyntaxValue[];
  readonly valueInfo: readonly SyntaxValue[];
  /** Index of the enclosing graph, −1 for the main graph and functions. */
  readonly parent: number;
  /** Of a subgraph: index in `document.nodes` of the node that holds it, and the attribute's name. */
  readonly owner?: { readonly node: number; readonly attribute: string };
  /** Of a function: its index in the model. */
  readonly functionIndex?: number;
}

/**
 * Kinds of marked words. `definition` = graph input, initializer or node output; `use` = node input or graph
 * output; `annotation` = value info.
 */
export type SyntaxTokenKind =
  | 'keyword'
  | 'type'
  | 'dimension'
  | 'definition'
  | 'use'
  | 'annotation'
  | 'node'
  | 'graph'
  | 'function'
  | 'operator'
  | 'attribute'
  | 'attribute-type'
  | 'reference';

/** A word with a role; numbers, strings, punctuation and comments have none. */
export interface SyntaxToken {
  readonly kind: SyntaxTokenKind;
  readonly start: number;
  readonly end: number;
  /** The name without quotes. */
  readonly name: string;
  /** Index in `document.graphs` of the graph it stands in, −1 in the header. */
  readonly graph: number;
  /** Index in `document.nodes`, −1 outside nodes. */
  readonly node: number;
}

/** Flat description of a text: arrays in the order of appearance. */
export interface SyntaxDocument {
  readonly length: number;
  readonly header: Span | undefined;
  /** Main graph first, then in order of appearance; a subgraph follows the graph that holds it. */
  readonly graphs: readonly SyntaxGraph[];
  /** Ordered by start; a node with a subgraph stands before the nodes in it. */
  readonly nodes: readonly SyntaxNode[];
  /** Ordered by start, never overlapping. */
  readonly tokens: readonly SyntaxToken[];
  readonly comments: readonly Span[];
}

/** Attribute types by `AttributeProto.AttributeType` number: word of the syntax and kind of the struct. */
const ATTRIBUTE_TYPES = [
  [1, 'float', 'float'],
  [2, 'int', 'int'],
  [3, 'string', 'string'],
  [4, 'tensor', 'tensor'],
  [5, 'graph', 'graph'],
  [6, 'floats', 'floats'],
  [7, 'ints', 'ints'],
  [8, 'strings', 'strings'],
  [9, 'tensors', 'tensors'],
  [10, 'graphs', 'graphs'],
  [11, 'sparse_tensor', 'sparse-tensor'],
  [12, 'sparse_tensors', 'sparse-tensors'],
  [13, 'type_proto', 'type'],
  [14, 'type_protos', 'types'],
] as const satisfies readonly (readonly [number, string, AttributeValue['type']])[];

export type AttributeWord = (typeof ATTRIBUTE_TYPES)[number][1];

export const attributeWords: readonly AttributeWord[] = ATTRIBUTE_TYPES.map(([, word]) => word);

/** Word of an attribute type number, `undefined` for 0 and unknown numbers. */
export function attributeWordByCode(code: number): AttributeWord | undefined {
  return ATTRIBUTE_TYPES.find(([number]) => number === code)?.[1];
}

/** Word for the kind of a struct's value; references and values without type have none. */
export function attributeWordByKind(kind: AttributeValue['type']): AttributeWord | undefined {
  return ATTRIBUTE_TYPES.find(([, , name]) => name === kind)?.[1];
}

/** Number and kind by word. */
export function attributeTypeByWord(
  word: string,
):
  | { readonly code: number; readonly word: AttributeWord; readonly kind: AttributeValue['type'] }
  | undefined {
  const row = ATTRIBUTE_TYPES.find(([, name]) => name === word);
  return row && { code: row[0], word: row[1], kind: row[2] };
}

/** Keys of the model's header, in the order they are printed. */
export const modelHeaderKeys = [
  'ir_version',
  'opset_import',
  'producer_name',
  'producer_version',
  'domain',
  'model_version',
  'doc_string',
  'metadata_props',
] as const;

/** Keys of a function's header. */
export const functionHeaderKeys = ['domain', 'overload', 'opset_import', 'doc_string'] as const;

/** Words that open a type other than a tensor's. */
export const compositeTypeWords = ['seq', 'map', 'optional', 'sparse_tensor', 'opaque'] as const;

/** True for words that a type position reads as a type: element types, `seq`, `map`, … */
export function isTypeWord(word: string): boolean {
  return dataTypeByName(word) !== undefined || (compositeTypeWords as readonly string[]).includes(word);
}

/** True for `inf`, `infinity` and `nan` in any case: numbers wherever a value may stand. */
export function isNumberWord(word: string): boolean {
  return /^(?:inf|infinity|nan)$/i.test(word);
}

const plainIdentifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** True for names that need no quotes. */
export function isPlainIdentifier(name: string): boolean {
  return plainIdentifier.test(name);
}

/** A string literal: only backslash and quote are escaped, everything else stands as it is. */
export function quote(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`;
}

/** A name as it is written, quoted unless plain. */
export function identifier(name: string): string {
  return isPlainIdentifier(name) ? name : quote(name);
}

/** A name where a type or a number could stand instead: words of both are quoted too. */
export function unambiguousIdentifier(name: string): string {
  return isPlainIdentifier(name) && !isTypeWord(name) && !isNumberWord(name) ? name : quote(name);
}

/** Word of an element type, `undefined` for numbers this program does not know. */
export function elementTypeWord(code: number): string | undefined {
  return dataTypeByCode(code)?.name;
}
