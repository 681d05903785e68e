/** Comments that silence a finding: where they go, so that the program stays the same. */

import type { AnalyzedScript } from '../../../rules/script/analyze';
import type { ScriptEdit } from '../../../rules/script/script-rule';
import type { ParsedScript } from '../../../script/parser';
import type { Span } from '../../convert';

const directive = (kind: string) => new RegExp(`^\\s*quantlens:\\s*${kind}\\s*\\[([^\\]]*)\\]`, 'i');
const onLine = directive('ignore');
const inFile = directive('ignore-file');

/** Edit that silences a code at a place; undefined where no comment can stand. */
export function ignoreHere(script: AnalyzedScript, code: string, span: Span): ScriptEdit | undefined {
  const first = lineAt(script.text, span[0]);
  const last = lineAt(script.text, Math.max(span[0], span[1] - 1));
  for (const line of first[0] === last[0] ? [first] : [last, first]) {
    const comment = commentOn(script, line);
    const added = comment && addedTo(comment, onLine, code);
    if (added) return added;
    if (!comment && canEndWithComment(script.parsed, line))
      return { span: [line[1], line[1]], text: `  # quantlens: ignore[${code}]` };
  }
  return aboveLine(script, code, first);
}

/** Edit that silences a code in the whole file. */
export function ignoreInFile(script: AnalyzedScript, code: string, from = 0): ScriptEdit {
  for (const comment of script.parsed.module.comments) {
    const added = comment.span[0] >= from ? addedTo(comment, inFile, code) : undefined;
    if (added) return added;
  }
  return onTop(script, `quantlens: ignore-file[${code}]`, from);
}

/** A comment in the first line, below what the system reads there. */
export function onTop(script: AnalyzedScript, comment: string, from: number): ScriptEdit {
  const head = /^(?:#!.*(?:\r?\n|$))?(?:#.*coding[:=].*(?:\r?\n|$))?/.exec(script.text.slice(from));
  const at = from + (head?.[0].length ?? 0);
  return { span: [at, at], text: `# ${comment}${newline(script.text)}` };
}

/** A comment alone on the line above silences as well; between the lines of a backslash or a string none can stand. */
function aboveLine(script: AnalyzedScript, code: string, line: Span): ScriptEdit | undefined {
  const { text } = script;
  if (line[0] > 0) {
    const above = lineAt(text, line[0] - 1);
    const comment = commentOn(script, above);
    const alone = comment && text.slice(above[0], comment.span[0]).trim() === '';
    const added = alone ? addedTo(comment, onLine, code) : undefined;
    if (added) return added;
    if (!canEndWithComment(script.parsed, above)) return undefined;
  }
  const indent = /^[ \t]*/.exec(text.slice(line[0], line[1]))?.[0] ?? '';
  return { span: [line[0], line[0]], text: `${indent}# quantlens: ignore[${code}]${newline(text)}` };
}

function addedTo(
  comment: { readonly text: string; readonly span: Span },
  pattern: RegExp,
  code: string,
): ScriptEdit | undefined {
  const found = pattern.exec(comment.text);
  if (!found) return undefined;
  // The comment's text is what follows its number sign.
  const textStart = comment.span[1] - comment.text.length;
  const at = textStart + found.index + found[0].length - 1;
  return { span: [at, at], text: (found[1] ?? '').trim() === '' ? code : `, ${code}` };
}

function commentOn({ parsed }: AnalyzedScript, line: Span) {
  return parsed.module.comments.find(({ span }) => line[0] <= span[0] && span[0] <= line[1]);
}

/** False inside a string and behind a backslash. */
function canEndWithComment(parsed: ParsedScript, line: Span): boolean {
  return !/\\[ \t]*$/.test(parsed.text.slice(line[0], line[1])) && !parsed.insideString(line[1]);
}

/** The line that holds an offset, without its end. */
function lineAt(text: string, offset: number): Span {
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const found = text.indexOf('\n', offset);
  const end = found < 0 ? text.length : found;
  return [start, end > start && text[end - 1] === '\r' ? end - 1 : end];
}

function newline(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n';
}
