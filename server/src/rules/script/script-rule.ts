/**
 * A finding on training scripts: id, default severity, what/why/source, a check over the program, and an edit where a
 * safe one exists. One rule a file, one line in `rules/script/index.ts`. Data-flow rules stay silent unless sure.
 */
import { issue } from '../../engine/base/issue';
import type { Issue, ScriptCode, ScriptFindingFacts, Severity } from '../../protocol/issues';
import { canonicalPath } from '../../script/catalog';
import type { Flow } from '../../script/flow';
import type { ModuleTree } from '../../script/module-tree';
import { type Pin, type Pins, pinsInScript } from '../../script/pins';
import type { Call, Program, Unit } from '../../script/program';
import { type Span, type Statement, statementsIn } from '../../script/syntax';

/** Where the network shall run; rules that depend on it are silent without. */
export const scriptTargets = ['x86-avx2', 'x86-avx512', 'x86-vnni', 'arm64', 'cuda', 'tensorrt'] as const;
export type ScriptTarget = (typeof scriptTargets)[number];

/** What a rule sees of a script. Flows and trees are made when a rule first asks. */
export interface ScriptFacts {
  readonly text: string;
  readonly program: Program;
  readonly target: ScriptTarget | undefined;
  /** Versions of libraries that the project around the script states. */
  readonly pins?: Pins;
  flows(): readonly Flow[];
  trees(): readonly ModuleTree[];
}

/** Replaces a stretch of the text. */
export interface ScriptEdit {
  readonly span: Span;
  readonly text: string;
}

export interface ScriptFix {
  /** Imperative, for the menu: "Use torch.ao.quantization.prepare". */
  readonly title: string;
  readonly edits: readonly ScriptEdit[];
  /** Safe fixes keep what the program computes, or only make it do what it states; `lint --fix` applies these. */
  readonly safe: boolean;
}

export interface ScriptFinding {
  readonly facts: ScriptFindingFacts;
  /** What to underline. */
  readonly span: Span;
  readonly severity?: Severity;
  readonly fix?: ScriptFix;
}

export interface ScriptRule<C extends ScriptCode = ScriptCode> {
  readonly code: C;
  readonly severity: Severity;
  /** One line for settings and documentation. */
  readonly title: string;
  readonly documentation: {
    readonly trigger: string;
    readonly why: string;
    readonly remedy: string;
    readonly source: string;
  };
  /** Shown struck through. */
  readonly deprecated?: boolean;
  /** Ids of the methods table that this rule covers too. */
  readonly aliases?: readonly string[];
  check(facts: ScriptFacts): readonly ScriptFinding[];
}

/** The versions of a library that a script, else its project, asks for; undefined where nothing is said. */
export function pinOf({ text, pins }: ScriptFacts, library: string): Pin | undefined {
  return pinsInScript(text).get(library) ?? pins?.get(library);
}

/** A finding as an issue; its span is the anchor. */
export function scriptIssue(rule: ScriptRule, finding: ScriptFinding): Issue {
  return issue(rule.code, finding.facts, { span: finding.span }, finding.severity ?? rule.severity);
}

/** Calls of the named functions, by canonical path, in the order of the text. */
export function callsOf(facts: ScriptFacts, ...paths: readonly string[]): readonly Call[] {
  const index = callIndex(facts.program);
  const [only, ...others] = paths;
  if (only !== undefined && others.length === 0) return index.get(only) ?? [];
  const found = paths.flatMap((path) => index.get(path) ?? []);
  return found.sort((one, other) => one.expression.span[1] - other.expression.span[1]);
}

/**
 * What `find` gives of each statement at the top of a script, asked again only of those that changed.
 * @param find one function for good, not one per check; it looks at nothing but the unit, and gives parts of its syntax,
 *   not offsets: the unit may move.
 */
export function inUnits<T>(facts: Pick<ScriptFacts, 'program'>, find: (unit: Unit) => readonly T[]): T[] {
  return facts.program.units.flatMap((unit) => kept(find, unit, () => find(unit)));
}

/** The same for each flow. */
export function inFlows<T>(facts: Pick<ScriptFacts, 'flows'>, find: (flow: Flow) => readonly T[]): T[] {
  return facts.flows().flatMap((flow) => kept(find, flow, () => find(flow)));
}

/**
 * Calls that fit, in the order of the text, asked again only in what changed.
 * @param fits one function for good; it looks at the call's names, path and syntax, not at offsets.
 */
export function callsLike(
  facts: Pick<ScriptFacts, 'program'>,
  fits: (call: Call) => boolean,
): readonly Call[] {
  return facts.program.units.flatMap((unit) => kept(fits, unit, () => unit.calls.filter(fits)));
}

/** Every statement of a script, the outer before the inner, in the order of the text. */
export function allStatements(facts: Pick<ScriptFacts, 'program'>): readonly Statement[] {
  return inUnits(facts, statementsOfUnit);
}

function statementsOfUnit({ statement }: Unit): readonly Statement[] {
  return [...statementsIn([statement])];
}

/** What is known of a unit or flow, by the function that found it. */
const keptOf = new WeakMap<object, Map<object, unknown>>();

function kept<T>(find: object, key: object, make: () => readonly T[]): readonly T[] {
  let known = keptOf.get(key);
  if (!known) {
    known = new Map();
    keptOf.set(key, known);
  }
  const before = known.get(find);
  // Only results of this very function are kept under it.
  if (before !== undefined) return before as readonly T[];
  const found = make();
  // Most find nothing.
  known.set(find, found.length === 0 ? nothing : found);
  return found;
}

const nothing: readonly never[] = [];

const callIndexes = new WeakMap<Program, ReadonlyMap<string, readonly Call[]>>();

/** Calls by canonical path; every rule asks, so it is made once per program. */
function callIndex(program: Program): ReadonlyMap<string, readonly Call[]> {
  const known = callIndexes.get(program);
  if (known) return known;
  const index = new Map<string, Call[]>();
  for (const [path, call] of inUnits({ program }, pathsInUnit)) {
    const calls = index.get(path);
    if (calls) calls.push(call);
    else index.set(path, [call]);
  }
  callIndexes.set(program, index);
  return index;
}

function pathsInUnit({ calls }: Unit): readonly (readonly [path: string, call: Call])[] {
  return calls.flatMap((call) =>
    call.path === undefined ? [] : [[canonicalPath(call.path), call] as const],
  );
}

/** A stretch of the script as it is written. */
export function textAt(facts: ScriptFacts, span: Span): string {
  return facts.text.slice(span[0], span[1]);
}

/** Edit that adds a keyword argument at the end of a call's list; keeps a trailing comma and line breaks. */
export function addArgument(facts: ScriptFacts, call: Call, text: string): ScriptEdit {
  const { args, argsSpan } = call.expression;
  const last = args.at(-1);
  if (!last) return { span: [argsSpan[0] + 1, argsSpan[0] + 1], text };
  const rest = facts.text.slice(last.span[1], argsSpan[1]);
  const comma = /^\s*,/.exec(rest);
  const at = last.span[1] + (comma?.[0].length ?? 0);
  const lineBreak = /\r?\n[ \t]*$/.exec(facts.text.slice(argsSpan[0], last.span[0]))?.[0];
  const separator = lineBreak ?? ' ';
  return { span: [at, at], text: `${comma ? '' : ','}${separator}${text}${comma ? ',' : ''}` };
}

/**
 * Edit that takes one element out of a written list of arguments or items, with the comma that goes with it.
 * @param elements spans of all elements, in order.
 * @param end offset of the closing bracket.
 */
export function removeElement(
  facts: ScriptFacts,
  elements: readonly Span[],
  at: number,
  end: number,
): ScriptEdit | undefined {
  const [element, previous, next] = [elements[at], elements[at - 1], elements[at + 1]];
  if (!element) return undefined;
  if (next) return { span: [element[0], next[0]], text: '' };
  const comma = /^\s*,/.exec(facts.text.slice(element[1], end))?.[0].length ?? 0;
  if (!previous) return { span: [element[0], element[1] + comma], text: '' };
  const before = facts.text.slice(previous[1], element[0]);
  const lineBreak = before.search(/\r?\n[ \t]*$/);
  // On a line of its own the element leaves with the line; the comma before it, and a comment there, stay.
  if (lineBreak !== -1 && before.slice(0, lineBreak).includes(','))
    return { span: [previous[1] + lineBreak, element[1] + comma], text: '' };
  return { span: [previous[1], element[1]], text: '' };
}

/** Edit that takes an argument out of a call. */
export function removeArgument(
  facts: ScriptFacts,
  { expression: { args, argsSpan } }: Pick<Call, 'expression'>,
  keyword: string,
): ScriptEdit | undefined {
  const at = args.findIndex((one) => one.keyword === keyword);
  const spans = args.map(({ span }) => span);
  return at === -1 ? undefined : removeElement(facts, spans, at, argsSpan[1] - 1);
}
