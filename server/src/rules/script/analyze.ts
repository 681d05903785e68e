/**
 * One script from text to findings: parse, read, judge, leave out what comments silence. Incremental: hand the last
 * result in, and only what changed is parsed again. For editor and command line alike.
 */
import { atOnce } from '../../engine/base/steps';
import type { Issue } from '../../protocol/issues';
import { flowsOf } from '../../script/flow';
import { type ModuleTree, moduleTrees } from '../../script/module-tree';
import type { ParsedScript, PythonParser } from '../../script/parser';
import type { Pins } from '../../script/pins';
import { type Program, readProgram } from '../../script/program';
import { type Suppressions, suppressions } from '../../script/suppressions';
import { type RuledFinding, scriptFindingSteps } from './index';
import type { ScriptEdit, ScriptFacts, ScriptTarget } from './script-rule';

export interface ScriptSettings {
  /** Severity per code: `error | warning | information | hint | off`. */
  readonly severities?: Readonly<Record<string, string>>;
  readonly target?: ScriptTarget;
  /** Versions of libraries that the project states. */
  readonly pins?: Pins;
}

export interface AnalyzedScript {
  readonly file: string;
  readonly text: string;
  readonly settings: ScriptSettings;
  readonly program: Program;
  readonly suppressions: Suppressions;
  /** In the order of the text, silenced ones left out. Empty for files that import no framework. */
  readonly findings: readonly RuledFinding[];
  /** Networks the script constructs; made when first asked for. */
  trees(): readonly ModuleTree[];
  readonly parsed: ParsedScript;
}

/**
 * @param file name for places in other files; need not exist.
 * @param previous result for an earlier text of the same file; it is used up.
 */
export function analyzeScript(
  parser: PythonParser,
  file: string,
  text: string,
  settings: ScriptSettings = {},
  previous?: AnalyzedScript,
): AnalyzedScript {
  return atOnce(analysisSteps(parser, file, text, settings, previous));
}

/** {@link analyzeScript} in steps; once begun, it has to be gone through to the end. */
export function* analysisSteps(
  parser: PythonParser,
  file: string,
  text: string,
  settings: ScriptSettings = {},
  previous?: AnalyzedScript,
): Generator<void, AnalyzedScript> {
  const parsed = parser.parse(text, previous?.parsed);
  yield;
  const program = readProgram(parsed.module, previous?.program);
  yield;
  const silenced = suppressions(text, parsed.module.comments);
  const trees = once(() => moduleTrees({ file, program }));
  const facts: ScriptFacts = {
    text,
    program,
    target: settings.target,
    ...(settings.pins && { pins: settings.pins }),
    flows: once(() => flowsOf(program)),
    trees,
  };
  const found = yield* scriptFindingSteps(facts, settings.severities);
  const findings = found.filter(({ rule, finding }) => !silenced.covers(rule.code, finding.span));
  return { file, text, settings, program, suppressions: silenced, findings, trees, parsed };
}

/** Findings as issues that name the file. */
export function scriptIssues(script: AnalyzedScript): readonly Issue[] {
  return script.findings.map(({ issue }) => ({ ...issue, anchor: { ...issue.anchor, path: script.file } }));
}

/**
 * Edits of the safe fixes of all findings, last place first; a fix that overlaps an earlier one is left for the next time.
 * @param fits says which edits can be made; a fix with another one is left out.
 */
export function safeEdits(
  script: AnalyzedScript,
  fits: (edit: ScriptEdit) => boolean = () => true,
): { readonly edits: readonly ScriptEdit[]; readonly applied: number } {
  const edits: ScriptEdit[] = [];
  let applied = 0;
  for (const { finding } of script.findings) {
    const { fix } = finding;
    if (!fix?.safe || !fix.edits.every(fits)) continue;
    if (fix.edits.some((edit) => edits.some((other) => overlap(edit, other)))) continue;
    edits.push(...fix.edits);
    applied++;
  }
  return { edits: edits.sort((one, other) => other.span[0] - one.span[0]), applied };
}

/** Text with the safe fixes of all findings applied. */
export function applySafeFixes(script: AnalyzedScript): { readonly text: string; readonly applied: number } {
  const { edits, applied } = safeEdits(script);
  const text = edits.reduce(
    (result, edit) => result.slice(0, edit.span[0]) + edit.text + result.slice(edit.span[1]),
    script.text,
  );
  return { text, applied };
}

function overlap(one: ScriptEdit, other: ScriptEdit): boolean {
  return one.span[0] <= other.span[1] && other.span[0] <= one.span[1];
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
