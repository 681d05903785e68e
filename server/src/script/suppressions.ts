/**
 * Comments that silence findings: `# quantlens: ignore[S18, S24]` on the line of a finding or alone on the line above
 * it; `# quantlens: ignore` for all of them; the same with `ignore-file` anywhere for the whole file.
 */
import type { Comment, Span } from './syntax';

export interface Suppressions {
  /** True when a finding with this code at this place is silenced. */
  covers(code: string, span: Span): boolean;
  /** Comments that name a model: `# quantlens: model=resnet20.onnx`. */
  readonly models: readonly { readonly path: string; readonly span: Span }[];
}

interface Ignored {
  readonly line: number;
  /** Missing = all codes. */
  readonly codes: ReadonlySet<string> | undefined;
}

const DIRECTIVE =
  /^\s*quantlens:\s*(ignore-file|ignore|model)\b\s*(?:\[([^\]]*)\]|=\s*(?:"([^"]+)"|(\S+)))?/i;

/** Reads the comments of a script. */
export function suppressions(text: string, comments: readonly Comment[]): Suppressions {
  const lines = lineStarts(text);
  const ignored: Ignored[] = [];
  const whole: Ignored[] = [];
  const models: { path: string; span: Span }[] = [];
  for (const comment of comments) {
    const found = DIRECTIVE.exec(comment.text);
    if (!found) continue;
    const [, kind, list, quoted, bare] = found;
    const value = quoted ?? bare;
    const codes =
      list === undefined ? undefined : new Set(list.split(',').map((code) => code.trim().toUpperCase()));
    const line = lineOf(lines, comment.span[0]);
    if (kind?.toLowerCase() === 'model') {
      if (value !== undefined) models.push({ path: value, span: comment.span });
    } else if (kind?.toLowerCase() === 'ignore-file') whole.push({ line, codes });
    else {
      const alone = text.slice(lines[line] ?? 0, comment.span[0]).trim() === '';
      ignored.push({ line: alone ? line + 1 : line, codes });
    }
  }
  const names = ({ codes }: Ignored, code: string) => codes === undefined || codes.has(code);
  return {
    models,
    covers(code, span) {
      if (whole.some((one) => names(one, code))) return true;
      const first = lineOf(lines, span[0]);
      const last = lineOf(lines, Math.max(span[0], span[1] - 1));
      return ignored.some((one) => one.line >= first && one.line <= last && names(one, code));
    },
  };
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Index of the line that holds an offset. */
function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
