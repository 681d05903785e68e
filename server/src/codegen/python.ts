/** Python source from data: literals, lists and comments in lines of at most 88 characters, as Black writes them. */
import type { CodeNote } from './code-plan';

export const WIDTH = 88;

/** A string literal that Python reads back as the same text. */
export function quote(text: string): string {
  const escaped = [...text].map((character) => {
    const code = character.codePointAt(0) ?? 0;
    if (character === '\\' || character === '"') return `\\${character}`;
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (code < 32 || code === 127) return `\\x${code.toString(16).padStart(2, '0')}`;
    // Lone surrogates cannot stand in a source file.
    if (code >= 0xd800 && code <= 0xdfff) return `\\u${code.toString(16)}`;
    return character;
  });
  return `"${escaped.join('')}"`;
}

/** A number literal; whole numbers stay whole. */
export function number(value: number): string {
  if (Number.isNaN(value)) return 'float("nan")';
  return Number.isFinite(value) ? String(value) : `float("${value > 0 ? '' : '-'}inf")`;
}

export function boolean(value: boolean): string {
  return value ? 'True' : 'False';
}

/**
 * `head` + opening + items + closing, on one line where it fits, else an item a line.
 * @param indent of the line that `head` stands on.
 */
export function bracketed(
  head: string,
  items: readonly string[],
  [open, close]: readonly [string, string],
  indent = '',
  tail = '',
): string {
  const line = `${indent}${head}${open}${items.join(', ')}${close}${tail}`;
  if (items.length === 0 || (line.length <= WIDTH && !line.includes('\n'))) return line;
  const inner = items.map((item) => `${indent}    ${item.replaceAll('\n', `\n${indent}    `)},`);
  return [`${indent}${head}${open}`, ...inner, `${indent}${close}${tail}`].join('\n');
}

/** A list of strings. */
export function strings(head: string, values: readonly string[], indent = ''): string {
  return bracketed(head, values.map(quote), ['[', ']'], indent);
}

/** Head of a loop over strings. */
export function looping(variable: string, values: readonly string[]): string {
  return bracketed(`for ${variable} in `, values.map(quote), ['[', ']'], '', ':');
}

/** A call; arguments an item a line where they do not fit. */
export function call(callee: string, args: readonly string[], indent = ''): string {
  return bracketed(callee, args, ['(', ')'], indent);
}

/** `from module import a, b`, sorted. */
export function importing(module: string, names: readonly string[]): string {
  const sorted = [...new Set(names)].sort();
  const line = `from ${module} import ${sorted.join(', ')}`;
  return line.length <= WIDTH ? line : bracketed(`from ${module} import `, sorted, ['(', ')']);
}

/** Comment lines of a text, broken at blanks. */
export function comment(text: string, indent = ''): string {
  const lines: string[] = [];
  let line = '';
  // A line break in a name of the model would end the comment.
  for (const word of clean(text).split(' ')) {
    if (line !== '' && `${indent}# ${line} ${word}`.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => `${indent}# ${one}`.trimEnd()).join('\n');
}

/** Text without control characters and characters that end a line or reorder it. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu, '?');
}

/** What the other tool cannot do, as comments. */
export function noteLines(notes: readonly CodeNote[], indent = ''): readonly string[] {
  return notes.map(({ what, instead, layers }) => {
    const named = layers.slice(0, MAXIMUM_NAMES).join(', ');
    const more = layers.length > MAXIMUM_NAMES ? ` and ${layers.length - MAXIMUM_NAMES} more` : '';
    return comment(`Note: ${layers.length === 0 ? '' : `${named}${more}: `}${what}: ${instead}.`, indent);
  });
}

const MAXIMUM_NAMES = 6;

/** Lines of a docstring: nothing in it ends it. */
export function docstring(lines: readonly string[]): string {
  const safe = lines.map((line) => clean(line).replaceAll('\\', '/').replaceAll('"', "'"));
  const [first = '', ...others] = safe;
  if (others.length === 0) return `"""${first}"""`;
  return [`"""${first}`, '', ...others, '"""'].join('\n');
}

/** Blocks of top-level code, functions and classes apart by two lines. */
export function file(blocks: readonly (string | readonly string[])[]): string {
  const texts = blocks
    .map((block) => (typeof block === 'string' ? block : block.join('\n')))
    .filter((block) => block !== '');
  return `${texts
    .map((block, index) => {
      const spaced = isDefinition(block) || isDefinition(texts[index - 1] ?? '');
      return `${index === 0 ? '' : spaced ? '\n\n\n' : '\n\n'}${block}`;
    })
    .join('')}\n`;
}

function isDefinition(block: string): boolean {
  return /^(def|class|@)/.test(block);
}

/** Lines one level further in. */
export function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? line : `    ${line}`))
    .join('\n');
}
