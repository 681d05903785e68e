/** Findings of one script or notebook for `lint`, with places a terminal and an editor can jump to. */
import * as fs from 'node:fs';
import { type Issue, issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { pythonParser } from '../lsp/python-parser';
import { analyzeScript, applySafeFixes, type ScriptSettings, scriptIssues } from '../rules/script/analyze';
import { joinCells, readNotebook } from '../script/notebook';

/** True for files that `lint` reads as scripts. */
export function isScript(file: string): boolean {
  return /\.(py|ipynb)$/.test(file);
}

export interface ScriptLint {
  readonly issues: readonly Issue[];
  /** Text that the spans of the issues refer to: of a notebook the program made of its cells. */
  readonly text: string;
  /** Fixes applied and written. */
  readonly fixed: number;
}

/** Rounds of fixing: a fix may make room for one that overlapped it. */
const MAXIMUM_ROUNDS = 8;

/**
 * @param fix write the text with all safe fixes applied back to the file; notebooks are left as they are.
 * Issues: `file-unreadable`, `format-unknown` for a notebook that is none.
 */
export async function lintScript(
  file: string,
  settings: ScriptSettings,
  fix: boolean,
): Promise<Outcome<ScriptLint>> {
  const parser = await pythonParser();
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    return fail(issue('file-unreadable', { path: file, reason: reasonOf(error) }, { path: file }));
  }
  const notebook = file.endsWith('.ipynb');
  if (notebook) {
    const cells = readNotebook(text);
    if (!cells)
      return fail(issue('format-damaged', { path: file, offset: 0, reason: 'no notebook' }, { path: file }));
    text = joinCells(cells).text;
  }
  let script = analyzeScript(parser, file, text, settings);
  let fixed = 0;
  for (let round = 0; fix && !notebook && round < MAXIMUM_ROUNDS; round++) {
    const { text: better, applied } = applySafeFixes(script);
    if (applied === 0) break;
    fixed += applied;
    script = analyzeScript(parser, file, better, settings, script);
  }
  if (fixed > 0) fs.writeFileSync(file, script.text);
  const result = { issues: scriptIssues(script), text: script.text, fixed };
  script.parsed.dispose();
  return ok(result);
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
