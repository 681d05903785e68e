/**
 * Tokens of the ONNX textual syntax, one at a time. Whitespace is that of C; comments run from `#` to the end of the
 * line. Every call moves forward, so a text is read in linear time whatever it holds.
 */
import type { Span } from './onnx-text-words';

/** `invalid` = a character that starts no token; `end` = end of text. Punctuation is its own kind. */
export type TokenKind =
  | 'identifier'
  | 'string'
  | 'integer'
  | 'float'
  | 'arrow'
  | 'invalid'
  | 'end'
  | '<'
  | '>'
  | '('
  | ')'
  | '['
  | ']'
  | '{'
  | '}'
  | ','
  | ':'
  | '='
  | '.'
  | '?'
  | '@';

const PUNCTUATION = new Map<number, TokenKind>(
  (['<', '>', '(', ')', '[', ']', '{', '}', ',', ':', '=', '.', '?', '@'] as const).map((kind) => [
    kind.charCodeAt(0),
    kind,
  ]),
);

const HASH = 0x23;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const MINUS = 0x2d;
const EQUALS = 0x3d;
const GREATER = 0x3e;

/** Reads tokens; the current one is described by the public fields. */
export class Lexer {
  kind: TokenKind = 'end';
  start = 0;
  end = 0;
  /** End of the token before. */
  previousEnd = 0;
  /** True when the token is the first on its line. */
  startsLine = true;
  /** False for a string that the text ends in. */
  terminated = true;
  readonly comments: Span[] = [];
  /** No string that starts behind this offset is closed; searching again would make reading quadratic. */
  private noQuoteAfter = Number.POSITIVE_INFINITY;

  constructor(readonly text: string) {
    // A byte order mark is no part of the text.
    this.end = text.startsWith('\ufeff') ? 1 : 0;
    this.next();
  }

  /** Moves to the next token. */
  next(): void {
    this.previousEnd = this.end;
    this.startsLine = this.end <= 1 && this.text.slice(0, this.end).trim() === '';
    let position = this.skipSpace(this.end);
    this.start = position;
    this.terminated = true;
    const { text } = this;
    if (position >= text.length) {
      this.kind = 'end';
      this.end = text.length;
      return;
    }
    const code = text.charCodeAt(position);
    if (isLetter(code)) {
      while (isLetter(text.charCodeAt(position)) || isDigit(text.charCodeAt(position))) position++;
      this.kind = 'identifier';
    } else if (isDigit(code)) {
      position = this.number(position);
    } else if (code === QUOTE) {
      position = this.string(position);
    } else if (code === MINUS) {
      position = this.negative(position + 1);
    } else if (code === EQUALS && text.charCodeAt(position + 1) === GREATER) {
      this.kind = 'arrow';
      position += 2;
    } else {
      this.kind = PUNCTUATION.get(code) ?? 'invalid';
      position += code >= 0xd800 && code < 0xdc00 && position + 1 < text.length ? 2 : 1;
    }
    this.end = position;
  }

  /** The current token as written. */
  get source(): string {
    return this.text.slice(this.start, this.end);
  }

  /** Content of the current string: a backslash keeps the character behind it. */
  get stringValue(): string {
    const body = this.text.slice(this.start + 1, this.terminated ? this.end - 1 : this.end);
    return body.includes('\\') ? body.replace(/\\([\s\S])/g, '$1') : body;
  }

  /** First character of the token behind the current one, empty at the end. */
  peek(): string {
    let position = this.end;
    for (;;) {
      const code = this.text.charCodeAt(position);
      if (isSpace(code)) position++;
      else if (code === HASH) position = endOfLine(this.text, position);
      else return this.text.charAt(position);
    }
  }

  private skipSpace(from: number): number {
    let position = from;
    for (;;) {
      const code = this.text.charCodeAt(position);
      if (code === NEWLINE) this.startsLine = true;
      if (isSpace(code)) position++;
      else if (code === HASH) {
        const end = endOfLine(this.text, position);
        this.comments.push([position, end]);
        position = end;
      } else return position;
    }
  }

  /** `[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]*)?`; a dot or an exponent makes it a float. */
  private number(from: number): number {
    const { text } = this;
    let position = from;
    this.kind = 'integer';
    while (isDigit(text.charCodeAt(position))) position++;
    if (text.charAt(position) === '.') {
      this.kind = 'float';
      position++;
      while (isDigit(text.charCodeAt(position))) position++;
    }
    if (text.charAt(position) === 'e' || text.charAt(position) === 'E') {
      this.kind = 'float';
      position++;
      if (text.charAt(position) === '+' || text.charAt(position) === '-') position++;
      while (isDigit(text.charCodeAt(position))) position++;
    }
    return position;
  }

  /** Behind a minus: a number, or one of the words for infinity and NaN. */
  private negative(position: number): number {
    const { text } = this;
    if (isDigit(text.charCodeAt(position))) return this.number(position);
    let end = position;
    while (isLetter(text.charCodeAt(end))) end++;
    const isNumber = end - position <= 8 && /^(?:inf|infinity|nan)$/i.test(text.slice(position, end));
    this.kind = isNumber ? 'float' : 'invalid';
    return isNumber ? end : position;
  }

  /** A string may span lines; one that is never closed ends with its line, so that the rest can still be read. */
  private string(from: number): number {
    const { text } = this;
    this.kind = 'string';
    const limit = from >= this.noQuoteAfter ? endOfLine(text, from) : text.length;
    for (let position = from + 1; position < limit; position++) {
      const code = text.charCodeAt(position);
      if (code === QUOTE) return position + 1;
      if (code === BACKSLASH) position++;
    }
    this.noQuoteAfter = Math.min(this.noQuoteAfter, from);
    this.terminated = false;
    return endOfLine(text, from);
  }
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

/** Space, tab, newline, vertical tab, form feed, carriage return. NaN (end of text) is none. */
function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f;
}
