/**
 * Cuts a text into stretches that parse alone: each begins with a statement in the first column. A keystroke then costs
 * what its stretch costs, and a bracket that is not closed yet hides the rest of its stretch, not of the file: keywords
 * that cannot stand inside an expression begin a new one. Strings in three quotes go on to their end, wherever that is.
 */
import type { Span } from './syntax';

/** Where the stretch that begins at an offset ends; nothing before that offset matters. */
function chunkEnd(text: string, start: number): number {
  let decorated = text[start] === '@';
  for (let at = start; ; ) {
    const line = logicalLineEnd(text, at);
    at = line.end;
    if (at >= text.length) return text.length;
    if (isBlank(text.charCodeAt(at))) continue;
    if (line.broken) return at;
    if (decorated) decorated = text[at] === '@';
    else if (!continues(text, at)) return at;
  }
}

/** Stretches of a text from an offset where one begins, in their order. */
export function* chunksFrom(text: string, start: number): Iterable<Span> {
  for (let at = start; at < text.length; ) {
    const end = chunkEnd(text, at);
    yield [at, end];
    at = end;
  }
}

const [TAB, LINE_FEED, FORM_FEED, RETURN, SPACE] = [9, 10, 12, 13, 32];
const [QUOTE, HASH, APOSTROPHE, BACKSLASH] = [34, 35, 39, 92];

/** An indented line, an empty one or a comment belongs to what stands above. */
function isBlank(character: number): boolean {
  return (
    character === SPACE ||
    character === TAB ||
    character === LINE_FEED ||
    character === RETURN ||
    character === FORM_FEED ||
    character === HASH
  );
}

const clause = /(?:else|elif|except|finally)\b|[)\]},.:=]/y;

function continues(text: string, at: number): boolean {
  clause.lastIndex = at;
  return clause.test(text);
}

const opener = /(?:async[ \t]+def|def|class|import)[ \t]|from[ \t]+[\w.]+[ \t]+import\b|@\w/y;

/** True where a line can only be the first of a statement, whatever is open above. */
function opens(text: string, at: number): boolean {
  opener.lastIndex = at;
  return opener.test(text);
}

/** Start of the line behind the one that begins at an offset, brackets and strings taken whole. */
function logicalLineEnd(text: string, start: number): { readonly end: number; readonly broken: boolean } {
  let depth = 0;
  for (let at = start; at < text.length; ) {
    switch (text.charCodeAt(at)) {
      case LINE_FEED:
        at++;
        if (depth === 0) return { end: at, broken: false };
        if (opens(text, at)) return { end: at, broken: true };
        break;
      case HASH:
        at = lineEnd(text, at);
        break;
      case QUOTE:
      case APOSTROPHE:
        at = stringEnd(text, at);
        break;
      case BACKSLASH:
        at += text.charCodeAt(at + 1) === RETURN && text.charCodeAt(at + 2) === LINE_FEED ? 3 : 2;
        break;
      case 40:
      case 91:
      case 123:
        depth++;
        at++;
        break;
      case 41:
      case 93:
      case 125:
        if (depth > 0) depth--;
        at++;
        break;
      default:
        at++;
    }
  }
  return { end: text.length, broken: false };
}

/** Offset of the line feed that ends a line. */
function lineEnd(text: string, at: number): number {
  const found = text.indexOf('\n', at);
  return found < 0 ? text.length : found;
}

/** Behind a string; one in single quotes ends with its line at the latest. */
function stringEnd(text: string, start: number): number {
  const quote = text.charCodeAt(start);
  const triple = text.charCodeAt(start + 1) === quote && text.charCodeAt(start + 2) === quote;
  for (let at = start + (triple ? 3 : 1); at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === BACKSLASH) {
      if (!triple && text.charCodeAt(at + 1) === RETURN) at++;
      at++;
    } else if (character === quote) {
      if (!triple) return at + 1;
      if (text.charCodeAt(at + 1) === quote && text.charCodeAt(at + 2) === quote) return at + 3;
    } else if (character === LINE_FEED && !triple) return at;
  }
  return text.length;
}
