/** Findings of one script or notebook for `lint`, with places a terminal and an editor can jump to. */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type Issue, issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { writeText } from '../engine/export/write';
import { pythonParser } from '../lsp/python-parser';
import { pinsAround } from '../lsp/script-pins';
import {
  type AnalyzedScript,
  analyzeScript,
  applySafeFixes,
  type ScriptSettings,
  safeEdits,
  scriptIssues,
} from '../rules/script/analyze';
import { cellSpan, joinCells, type NotebookProgram, readNotebook } from '../script/notebook';
import type { PythonParser } from '../script/parser';
import { offsetsIn, withCells } from './notebook-file';

/** True for files that `lint` reads as scripts. */
export function isScript(file: string): boolean {
  return /\.(py|ipynb)$/.test(file);
}

export interface ScriptLint {
  readonly issues: readonly Issue[];
  /** Text of the file, as it is now. */
  readonly text: string;
  /** Where a span of an issue stands: `12:5`, or `cell 3:2:5` of a notebook. */
  readonly place: (span: readonly [number, number]) => string;
  /** Span in the text of the file: of a notebook, in its JSON. */
  readonly inFile: (span: readonly [number, number]) => readonly [number, number];
  /** Name of the code cell of a notebook that a span begins in: `cell 3`. */
  readonly cell?: (span: readonly [number, number]) => string | undefined;
  /** Fixes applied and written. */
  readonly fixed: number;
}

/** Rounds of fixing: a fix may make room for one that overlapped it. */
const MAXIMUM_ROUNDS = 8;

/** What is larger is data, not a script. */
const MAXIMUM_BYTES = 16 * 2 ** 20;

/**
 * @param fix write the text with all safe fixes applied back to the file; of a notebook only the cells that change.
 * Issues: `file-unreadable`, `format-limit`, `format-damaged` for a notebook that is none,
 * those of {@link writeText}.
 */
export async function lintScript(
  file: string,
  settings: ScriptSettings,
  fix: boolean,
): Promise<Outcome<ScriptLint>> {
  const parser = await pythonParser();
  const notebook = file.endsWith('.ipynb');
  let bytes: Buffer;
  try {
    const { size } = fs.statSync(file);
    // Outputs of notebooks are not parsed.
    const limit = notebook ? 16 * MAXIMUM_BYTES : MAXIMUM_BYTES;
    if (size > limit) {
      const facts = { path: file, what: 'its size in bytes', value: size, limit };
      return fail(issue('format-limit', facts, { path: file }));
    }
    bytes = fs.readFileSync(file);
  } catch (error) {
    return fail(issue('file-unreadable', { path: file, reason: reasonOf(error) }, { path: file }));
  }
  const text = bytes.toString('utf8');
  const cells = notebook ? readNotebook(text) : undefined;
  if (notebook && !cells)
    return fail(issue('format-damaged', { path: file, offset: 0, reason: 'no notebook' }, { path: file }));
  // Text in another encoding would not come back as it was.
  const canFix = fix && Buffer.from(text, 'utf8').equals(bytes);
  const result = cells
    ? lintCells(parser, file, text, cells, settings, canFix)
    : lintText(parser, file, text, settings, canFix);
  if (result.fixed === 0) return ok(result);
  // The script is what is repaired: there is no other source to spare.
  const written = await writeText(file, result.text, []);
  return written.value ? ok(result) : fail(...written.issues);
}

function lintText(
  parser: PythonParser,
  file: string,
  text: string,
  settings: ScriptSettings,
  fix: boolean,
): ScriptLint {
  let script = analyzeScript(parser, file, text, { ...settings, pins: pinsAround(path.resolve(file)) });
  let fixed = 0;
  for (let round = 0; fix && round < MAXIMUM_ROUNDS; round++) {
    const { text: better, applied } = applySafeFixes(script);
    if (applied === 0) break;
    fixed += applied;
    script = analyzeScript(parser, file, better, script.settings, script);
  }
  script.parsed.dispose();
  const result = script.text;
  return {
    issues: scriptIssues(script),
    text: result,
    place: ([start]) => placeIn(result, start),
    inFile: (span) => span,
    fixed,
  };
}

function lintCells(
  parser: PythonParser,
  file: string,
  json: string,
  cells: readonly string[],
  settings: ScriptSettings,
  fix: boolean,
): ScriptLint {
  let texts = cells;
  let program = joinCells(texts);
  let script = analyzeScript(parser, file, program.text, {
    ...settings,
    pins: pinsAround(path.resolve(file)),
  });
  let fixed = 0;
  for (let round = 0; fix && round < MAXIMUM_ROUNDS; round++) {
    const { applied, better } = fixedCells(script, program, texts);
    if (applied === 0) break;
    fixed += applied;
    texts = better;
    program = joinCells(texts);
    script = analyzeScript(parser, file, program.text, script.settings, script);
  }
  script.parsed.dispose();
  const text = fixed > 0 ? withCells(json, texts) : json;
  const offsetIn = offsetsIn(text);
  return {
    issues: scriptIssues(script),
    text,
    place: (span) => {
      const found = cellSpan(program, [span[0], span[0]]);
      if (!found) return placeIn(program.text, span[0]);
      return `cell ${found.cell + 1}:${placeIn(texts[found.cell] ?? '', found.span[0])}`;
    },
    inFile: (span) => {
      const found = cellSpan(program, span) ?? cellSpan(program, [span[0], span[0]]);
      const start = (found && offsetIn(found.cell, found.span[0])) ?? 0;
      return [start, (found && offsetIn(found.cell, found.span[1])) ?? start];
    },
    cell: (span) => {
      const found = cellSpan(program, [span[0], span[0]]);
      return found && `cell ${found.cell + 1}`;
    },
    fixed,
  };
}

/** Texts of the cells after one round of fixing; a fix that does not lie in cells entirely is left out. */
function fixedCells(
  script: AnalyzedScript,
  program: NotebookProgram,
  texts: readonly string[],
): { readonly better: readonly string[]; readonly applied: number } {
  const { edits, applied } = safeEdits(script, ({ span }) => cellSpan(program, span) !== undefined);
  const better = [...texts];
  for (const edit of edits) {
    const found = cellSpan(program, edit.span);
    const cell = found && better[found.cell];
    if (!found || cell === undefined) continue;
    better[found.cell] = cell.slice(0, found.span[0]) + edit.text + cell.slice(found.span[1]);
  }
  return { better, applied };
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `12:5` of an offset, both counted from 1, as problem matchers read them. */
export function placeIn(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return `${line}:${offset - before.lastIndexOf('\n')}`;
}
