/**
 * Types, tensors and attribute values of the ONNX textual syntax. After a syntax error `broken` is set and nothing
 * moves until the caller resumes at a safe place, so every routine here may go on without asking.
 */
import { type DataType, DataTypeCode, dataTypeByCode, dataTypeByName, elementCount } from '../base/dtype';
import { defined } from '../base/invariant';
import { type Issue, issue, type Severity } from '../base/issue';
import { Lexer, type TokenKind } from './onnx-text-lex';
import { encodeElements, literalRange, scalarsPerElement } from './onnx-text-literals';
import {
  isNumberWord,
  isTypeWord,
  type Span,
  type SyntaxToken,
  type SyntaxTokenKind,
} from './onnx-text-words';
import type { Dimension, Payload, StringEntry, TensorProto, TypeProto } from './onnx-types';

/** `seq(seq(…))` recurses per level; onnx itself has no need for more than a few. */
const maximumTypeDepth = 64;
/** A binary file read as text would otherwise give an issue per character. */
const maximumIssues = 200;

const utf8 = new TextEncoder();

/** Words for messages; the tokens stand for themselves. */
const EXPECTED: Partial<Record<TokenKind, string>> = {
  arrow: '=>',
  identifier: 'an identifier',
  string: 'a string',
  integer: 'an integer',
};

/** Reads the parts of the language below nodes; the grammar of graphs stands on it. */
export class ValueParser {
  readonly issues: Issue[] = [];
  readonly tokens: SyntaxToken[] = [];
  protected readonly lexer: Lexer;
  /** Set by the first error; cleared where reading resumes. */
  protected broken = false;
  protected graph = -1;
  protected node = -1;
  private typeDepth = 0;

  constructor(protected readonly text: string) {
    this.lexer = new Lexer(text);
  }

  // --- tokens ---------------------------------------------------------------------------------------------

  protected at(kind: TokenKind): boolean {
    return !this.broken && this.lexer.kind === kind;
  }

  protected accept(kind: TokenKind): boolean {
    if (!this.at(kind)) return false;
    this.lexer.next();
    return true;
  }

  protected expect(kind: TokenKind): boolean {
    if (this.accept(kind)) return true;
    this.fail(EXPECTED[kind] ?? kind);
    return false;
  }

  /** Reports what stands here instead of `expected` and stops reading until the caller resumes. */
  protected fail(expected: string): void {
    if (this.broken) return;
    this.broken = true;
    const { lexer } = this;
    const found = lexer.kind === 'end' ? 'end of file' : shorten(lexer.source);
    this.report(expected, found, [lexer.start, Math.max(lexer.end, lexer.start + 1)], 'error');
  }

  /** Reports something wrong that does not stop reading. */
  protected complain(expected: string, found: string, span: Span, severity: Severity = 'error'): void {
    this.report(expected, shorten(found), span, severity);
  }

  private report(expected: string, found: string, span: Span, severity: Severity): void {
    if (this.issues.length >= maximumIssues) return;
    this.issues.push(issue('text-syntax', { expected, found }, { span }, severity));
  }

  protected mark(kind: SyntaxTokenKind, span: Span, name: string): void {
    this.tokens.push({ kind, start: span[0], end: span[1], name, graph: this.graph, node: this.node });
  }

  protected get span(): Span {
    return [this.lexer.start, this.lexer.end];
  }

  // --- names and literals ---------------------------------------------------------------------------------

  /** A name, quoted or not; `undefined` and no error when none stands here. */
  protected optionalName(kind: SyntaxTokenKind): { name: string; span: Span } | undefined {
    if (!this.at('identifier') && !this.at('string')) return undefined;
    const name = this.lexer.kind === 'string' ? this.stringHere() : this.lexer.source;
    const { span } = this;
    this.lexer.next();
    this.mark(kind, span, name);
    return { name, span };
  }

  protected name(kind: SyntaxTokenKind, expected: string): { name: string; span: Span } {
    const found = this.optionalName(kind);
    if (found !== undefined) return found;
    this.fail(expected);
    return { name: '', span: [this.lexer.start, this.lexer.start] };
  }

  /** The string under the cursor; an unclosed one is reported and taken to the end of its line. */
  protected stringHere(): string {
    if (!this.lexer.terminated) this.complain('a closing "', 'end of line', this.span);
    return this.lexer.stringValue;
  }

  protected stringLiteral(): string {
    const value = this.at('string') ? this.stringHere() : '';
    this.expect('string');
    return value;
  }

  /** An integer that a JavaScript number holds exactly: versions, dimensions. */
  protected smallInteger(): number {
    const value = Number(this.at('integer') ? this.lexer.source : 0);
    const { span } = this;
    const { source } = this.lexer;
    if (this.expect('integer') && !Number.isSafeInteger(value))
      this.complain('a smaller integer', source, span);
    return value;
  }

  /** A float literal, an integer literal, or a word for infinity or NaN. */
  protected numberHere(): number | undefined {
    const { kind, source } = this.lexer;
    if (this.broken) return undefined;
    if (kind === 'identifier' && isNumberWord(source)) return wordValue(source);
    if (kind !== 'integer' && kind !== 'float') return undefined;
    if (/[a-df-z]/i.test(source)) return wordValue(source);
    // `1e` is a token of the reference, too, but no number.
    const value = Number(source);
    return Number.isNaN(value) ? undefined : value;
  }

  /** A 64-bit integer literal; larger ones are reported and clamped. */
  protected bigInteger(low: bigint, high: bigint): bigint {
    const { source } = this.lexer;
    const { span } = this;
    const value = source.length <= 24 ? BigInt(source) : high + 1n;
    if (value >= low && value <= high) return value;
    this.complain(`an integer from ${low} to ${high}`, source, span);
    return value < low ? low : high;
  }

  // --- types ----------------------------------------------------------------------------------------------

  protected atType(): boolean {
    return this.at('identifier') && isTypeWord(this.lexer.source);
  }

  /** `float[N,3]`, `seq(type)`, `map(key, type)`, `optional(type)`, `sparse_tensor(float[3])`, `opaque(domain, name)`. */
  protected type(): TypeProto {
    const word = this.lexer.source;
    if (!this.atType()) {
      this.fail('a type');
      return { kind: 'unknown' };
    }
    this.mark('type', this.span, word);
    if (this.typeDepth >= maximumTypeDepth) {
      this.fail(`at most ${maximumTypeDepth} nested types`);
      return { kind: 'unknown' };
    }
    this.typeDepth++;
    this.lexer.next();
    const type = this.typeAfter(word);
    this.typeDepth--;
    return type;
  }

  private typeAfter(word: string): TypeProto {
    const element = dataTypeByName(word);
    if (element !== undefined) return this.tensorType('tensor', element.code);
    this.expect('(');
    const inside = this.compositeType(word);
    this.expect(')');
    return inside;
  }

  private compositeType(word: string): TypeProto {
    if (word === 'seq') return { kind: 'sequence', element: this.type() };
    if (word === 'optional') return { kind: 'optional', element: this.type() };
    if (word === 'map') {
      const keyType = this.elementType();
      this.expect(',');
      return { kind: 'map', keyType, value: this.type() };
    }
    if (word === 'sparse_tensor') return this.tensorType('sparse-tensor', this.elementType());
    return this.opaqueType();
  }

  /** `opaque()`, `opaque(name)`, `opaque(domain.with.dots, name)`. Quoted parts are accepted, too. */
  private opaqueType(): TypeProto {
    const parts: string[] = [];
    let first = this.optionalName('type')?.name ?? '';
    while (this.accept('.')) first += `.${this.name('type', 'a name').name}`;
    parts.push(first);
    while (this.accept(',')) parts.push(this.name('type', 'a name').name);
    const [domain = '', name] = parts;
    return name === undefined
      ? { kind: 'opaque', domain: '', name: domain }
      : { kind: 'opaque', domain, name };
  }

  private elementType(): number {
    const element = this.at('identifier') ? dataTypeByName(this.lexer.source) : undefined;
    if (element === undefined) {
      this.fail('an element type');
      return 0;
    }
    this.mark('type', this.span, element.name);
    this.lexer.next();
    return element.code;
  }

  /** No brackets = scalar, `[]` = unknown rank. */
  private tensorType(kind: 'tensor' | 'sparse-tensor', elementType: number): TypeProto {
    if (!this.accept('[')) return { kind, elementType, shape: [] };
    if (this.accept(']')) return { kind, elementType };
    const shape: Dimension[] = [];
    do shape.push(this.dimension());
    while (this.accept(','));
    this.expect(']');
    return { kind, elementType, shape };
  }

  private dimension(): Dimension {
    if (this.accept('?')) return undefined;
    if (this.at('integer')) return this.smallInteger();
    return this.name('dimension', 'a dimension').name;
  }

  // --- tensors --------------------------------------------------------------------------------------------

  /** Elements or external data behind a tensor's type. */
  protected tensor(name: string, type: TypeProto, typeSpan: Span): TensorProto {
    const isTensor = type.kind === 'tensor';
    const elementType = isTensor ? type.elementType : 0;
    const dims: number[] = [];
    if (!isTensor || type.shape === undefined)
      this.complain('a tensor type with dimensions', this.slice(typeSpan), typeSpan);
    else {
      for (const dimension of type.shape) {
        if (typeof dimension === 'number') dims.push(dimension);
        else this.complain('a number as dimension', dimension ?? '?', typeSpan);
      }
    }
    return { name, dims, dataType: elementType, payload: this.payload(elementType, dims) };
  }

  private payload(elementType: number, dims: readonly number[]): Payload {
    if (this.accept('{')) return this.elements(elementType, dims);
    if (this.accept('[')) return this.externalData();
    return { kind: 'none' };
  }

  private elements(elementType: number, dims: readonly number[]): Payload {
    const from = this.lexer.previousEnd - 1;
    const type = elementTypeOf(elementType);
    const values: (number | bigint)[] = [];
    const strings: Uint8Array[] = [];
    if (!this.at('}')) {
      const element =
        type.kind === 'string'
          ? () => strings.push(utf8.encode(this.stringLiteral()))
          : this.scalarReader(type, values);
      do element();
      while (this.accept(','));
    }
    this.expect('}');
    const found = values.length + strings.length;
    const expected = (elementCount(dims) ?? 0) * scalarsPerElement(type);
    if (!this.broken && found !== expected) {
      this.complain(
        plural(expected, 'element'),
        plural(found, 'element'),
        [from, this.lexer.previousEnd],
        found === 0 ? 'warning' : 'error',
      );
      if (found === 0) return { kind: 'none' };
    }
    if (type.kind === 'string') return { kind: 'strings', values: strings };
    return { kind: 'bytes', bytes: encodeElements(type, values) };
  }

  private scalarReader(type: DataType, values: (number | bigint)[]): () => void {
    const range = literalRange(type);
    if (range === undefined) {
      return () => {
        const value = this.numberHere();
        if (value === undefined) return this.fail('a number');
        values.push(value);
        this.lexer.next();
      };
    }
    const [low, high] = range;
    return () => {
      if (!this.at('integer')) return this.fail('an integer');
      const small = this.lexer.end - this.lexer.start < 10 ? Number(this.lexer.source) : undefined;
      const fits = small !== undefined && small >= low && small <= high;
      values.push(fits ? small : this.bigInteger(low, high));
      this.lexer.next();
    };
  }

  private externalData(): Payload {
    const entries = this.entries();
    this.expect(']');
    const value = (key: string) => entries.find((entry) => entry.key === key)?.value;
    const length = value('length');
    return {
      kind: 'external',
      location: value('location') ?? '',
      offset: toLength(value('offset') ?? '0'),
      length: length === undefined ? undefined : toLength(length),
      entries,
    };
  }

  /** `"key": "value", …` up to the closing bracket. */
  protected entries(): StringEntry[] {
    const entries: StringEntry[] = [];
    do {
      const key = this.stringLiteral();
      this.expect(':');
      entries.push({ key, value: this.stringLiteral() });
    } while (this.accept(','));
    return entries;
  }

  protected slice([start, end]: Span): string {
    return this.text.slice(start, Math.min(end, start + 200));
  }
}

function wordValue(source: string): number {
  if (/nan/i.test(source)) return Number.NaN;
  return source.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** Text of an external offset or length; what is no number counts as 0 and is found when the data is resolved. */
function toLength(text: string): number {
  return /^\d{1,16}$/.test(text) ? Number(text) : 0;
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}

/** The element type of a tensor literal; where the type was wrong, elements are read as floats. */
function elementTypeOf(code: number): DataType {
  return dataTypeByCode(code) ?? floatType;
}

const floatType = defined(dataTypeByCode(DataTypeCode.float), 'float has a row');
