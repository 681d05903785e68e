/**
 * Comments that silence findings in a recipe: `// quantlens: ignore[M01, R03]`. On a line with content it speaks of
 * that line, alone on its line of the next one, above the opening brace of the whole file. Without brackets: all codes.
 */
import { createScanner } from 'jsonc-parser';

/** One comment: the stretch of text it speaks of. */
export interface Ignore {
  /** Codes it silences; missing = all. */
  readonly codes?: readonly string[];
  /** Character offsets [start, end). */
  readonly span: readonly [number, number];
  readonly whole: boolean;
}

const pattern = /\bquantlens:\s*ignore\b(?:\s*\[([^\]]*)\])?/;

/** Numbers of jsonc-parser's `SyntaxKind`, a const enum that isolated modules cannot import. */
const token = { lineBreak: 14, trivia: 15, lineComment: 12, blockComment: 13, end: 17 };

/** All such comments of a recipe's text, in order. */
export function readIgnores(text: string): readonly Ignore[] {
  if (!text.includes('quantlens:')) return [];
  const scanner = createScanner(text, false);
  const ignores: Ignore[] = [];
  let seenContent = false;
  let lineHasContent = false;
  for (let kind: number = scanner.scan(); kind !== token.end; kind = scanner.scan()) {
    if (kind === token.lineBreak) lineHasContent = false;
    else if (kind === token.lineComment || kind === token.blockComment) {
      const match = pattern.exec(scanner.getTokenValue());
      if (!match) continue;
      const codes = match[1]?.split(/[\s,]+/).filter((code) => code !== '');
      const offset = scanner.getTokenOffset();
      ignores.push({
        ...(codes === undefined ? {} : { codes }),
        span: seenContent
          ? lineSpan(text, lineHasContent ? offset : nextLine(text, offset))
          : [0, text.length],
        whole: !seenContent,
      });
    } else if (kind !== token.trivia) {
      seenContent = true;
      lineHasContent = true;
    }
  }
  return ignores;
}

/** The line that holds an offset. */
function lineSpan(text: string, offset: number): readonly [number, number] {
  const end = text.indexOf('\n', offset);
  return [text.lastIndexOf('\n', offset - 1) + 1, end < 0 ? text.length : end];
}

function nextLine(text: string, offset: number): number {
  const end = text.indexOf('\n', offset);
  return end < 0 ? text.length : end + 1;
}
