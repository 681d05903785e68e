/** Where a block for a network goes in a script, and what the script calls the network there. */
import { lookUp, type Scope } from '../script/names';
import type { Call } from '../script/program';
import {
  blocks,
  type ClassStatement,
  type Expression,
  type FunctionStatement,
  type Span,
  type Statement,
} from '../script/syntax';
import { type ExportUse, exportsOf } from './insert-exports';
import { definitionIn, type InsertScript, type NetworkMaker, networkMakers } from './insert-networks';

export interface Place {
  /** The network as code calls it there: `model`, `self.net`, `trainer.net`. */
  readonly model: string;
  /** Class of the network, if one of the workspace. */
  readonly className: string | undefined;
  /** The export behind which the block goes. */
  readonly exported: ExportUse | undefined;
  readonly scope: Scope;
  /** Class around it. */
  readonly class: ClassStatement | undefined;
  /** The object that holds the network, and its class: `trainer` of `trainer.net`. */
  readonly holder?: { readonly name: string; readonly class: ClassStatement };
  /** End of the line behind which, or start of the line in front of which, the block goes. */
  readonly at: number;
  readonly isBehind: boolean;
  /** White space in front of the statements there. */
  readonly indent: string;
}

/** Spans of the text that speak of a network for which a block can be inserted: classes, exports, other variables. */
export function networkSpans(script: InsertScript): readonly Span[] {
  const { classes } = script.program;
  const makers = networkMakers(script);
  const exports = exportsOf(script);
  const exported = new Set(exports.map(({ model }) => model));
  const owners = classes.filter(({ statement }) =>
    makers.some(({ className }) => className === statement.name),
  );
  const names = new Set(owners.map(({ statement }) => statement.name));
  const variables = makers.filter(
    ({ className, name }) => !(className !== undefined && names.has(className)) && !exported.has(name),
  );
  return [
    ...owners.map(({ statement }) => statement.nameSpan),
    ...exports.filter(({ handed }) => !handed).map(({ call }) => call.nameSpan),
    ...variables.map(({ call }) => call.nameSpan),
  ]
    .filter(([start]) => placeAt(script, start) !== undefined)
    .sort(([one], [other]) => one - other);
}

/** The best place for the network that an offset speaks of. */
export function placeAt(script: InsertScript, offset: number): Place | undefined {
  return placesAt(script, offset)[0];
}

/**
 * Places for the network that an offset speaks of, best first: of an export call, the statement that makes it, or the
 * name of its class. Behind an export, at the end of the block that makes it, where what holds it is made.
 */
export function placesAt(script: InsertScript, offset: number): readonly Place[] {
  const { text, program } = script;
  const exports = exportsOf(script);
  const makers = networkMakers(script);
  const here = exports.find(({ call, handed }) => !handed && covers(text, call.statement.span, offset));
  if (here) {
    const callers = exports.filter(
      ({ handed, call }) => handed && callee(script, call) === here.call.function,
    );
    return [here, ...callers].flatMap((use) => behindExport(script, use, makers) ?? []);
  }
  const owner = program.classes.find(({ statement }) => covers(text, statement.nameSpan, offset));
  const meant = owner
    ? makers.filter(({ className }) => className === owner.statement.name).sort(byHandedOut)
    : makers.filter(({ call }) => covers(text, call.statement.span, offset));
  const family = [...meant, ...makers.filter((one) => !meant.includes(one) && comesFrom(one, meant))];
  return family.flatMap((maker) => placesOf(script, maker, exports, makers));
}

/** What a function hands out is trained where it is used: those come last. */
function byHandedOut(one: NetworkMaker, other: NetworkMaker): number {
  return other.through.length - one.through.length;
}

function comesFrom({ through }: NetworkMaker, makers: readonly NetworkMaker[]): boolean {
  return makers.some(({ call }) => call.function !== undefined && through.includes(call.function));
}

function callee(script: InsertScript, { expression, scope }: Call): FunctionStatement | undefined {
  const definition = definitionIn(script, expression.callee, scope);
  return definition?.kind === 'function' ? definition.statement : undefined;
}

function placesOf(
  script: InsertScript,
  maker: NetworkMaker,
  exports: readonly ExportUse[],
  makers: readonly NetworkMaker[],
): readonly Place[] {
  const { call, name } = maker;
  // What is exported in the same function is trained by then.
  const later = exports.filter(
    (use) =>
      use.model === name &&
      (name.startsWith('self.')
        ? use.call.class === call.class
        : use.call.function === call.function && use.call.loops.every((loop) => call.loops.includes(loop))),
  );
  const behind = later.flatMap((use) => behindExport(script, use, makers) ?? []);
  const held = name.startsWith('self.') ? heldPlaces(script, maker, exports, makers) : [];
  return [...behind, ...held, ...(atEnd(script, maker) ?? [])];
}

/** Where objects of the class that keeps a network are made, then the last method that uses it. */
function heldPlaces(
  script: InsertScript,
  { call, name, className }: NetworkMaker,
  exports: readonly ExportUse[],
  makers: readonly NetworkMaker[],
): readonly Place[] {
  const holder = call.class;
  if (!holder) return [];
  const attribute = name.slice('self.'.length);
  return script.program.calls.flatMap((made): readonly Place[] => {
    const { statement, expression, scope } = made;
    const definition = definitionIn(script, expression.callee, scope);
    const target = statement.kind === 'assign' ? statement.targets[0] : undefined;
    if (definition?.statement !== holder || target?.kind !== 'name') return [];
    const model = `${target.name}.${attribute}`;
    const kept = { holder: { name: target.name, class: holder } };
    const behind = exports
      .filter((use) => use.model === model && use.call.function === made.function)
      .flatMap((use) => behindExport(script, use, makers) ?? []);
    const last = atEnd(script, { call: made, name: model, className, through: [] }) ?? [];
    return [...behind, ...last].map((place) => ({ ...place, className, ...kept }));
  });
}

/** On the lines of a span. */
function covers(text: string, [start, end]: Span, offset: number): boolean {
  const first = text.lastIndexOf('\n', start - 1) + 1;
  const newline = text.indexOf('\n', end);
  return first <= offset && offset <= (newline < 0 ? text.length : newline);
}

function behindExport(
  script: InsertScript,
  exported: ExportUse,
  makers: readonly NetworkMaker[],
): Place | undefined {
  const { call, model } = exported;
  if (model === undefined) return undefined;
  const maker = makers.find(({ name }) => name === model);
  const end = lineBehind(script.text, call.statement);
  const indent = indentOf(script.text, call.statement);
  if (end === undefined || indent === undefined) return undefined;
  const className = maker?.className;
  const { scope, class: around } = call;
  return { model, className, exported, scope, class: around, at: end, isBehind: true, indent };
}

/** Behind the last statement of the block that makes the network, in front of what leaves it. */
function atEnd(script: InsertScript, { call, name, className }: NetworkMaker): readonly Place[] | undefined {
  const around = blockOf(script.program.module.statements, call.statement);
  const last = around?.at(-1);
  if (!last) return undefined;
  const indent = indentOf(script.text, last);
  if (indent === undefined) return undefined;
  const { scope, class: owner } = call;
  const common = { model: name, className, exported: undefined, scope, class: owner, indent };
  if (leaves(last) && last !== call.statement)
    return [{ ...common, at: script.text.lastIndexOf('\n', last.span[0] - 1) + 1, isBehind: false }];
  const end = lineBehind(script.text, last);
  return end === undefined ? undefined : [{ ...common, at: end, isBehind: true }];
}

/** `return`, and calls that end the program. */
function leaves(statement: Statement): boolean {
  if (statement.kind === 'return') return true;
  const value = statement.kind === 'expression' ? statement.value : undefined;
  if (value?.kind !== 'call') return false;
  const { callee: called } = value;
  const name =
    called.kind === 'name' ? called.name : called.kind === 'attribute' ? called.attribute : undefined;
  return name !== undefined && /^_?(exit|quit)$/.test(name);
}

function blockOf(statements: readonly Statement[], wanted: Statement): readonly Statement[] | undefined {
  if (statements.includes(wanted)) return statements;
  for (const one of statements) {
    if (one.span[0] > wanted.span[0] || wanted.span[1] > one.span[1]) continue;
    for (const inside of blocks(one)) {
      const found = blockOf(inside, wanted);
      if (found) return found;
    }
  }
  return undefined;
}

/** End of the line on which a statement ends; undefined when another one follows on that line. */
function lineBehind(text: string, { span }: Statement): number | undefined {
  const end = text.slice(0, span[1]).trimEnd().length;
  const newline = text.indexOf('\n', end);
  const lineEnd = newline < 0 ? text.length : newline;
  if (!/^[ \t]*(#.*)?\r?$/.test(text.slice(end, lineEnd))) return undefined;
  return text[lineEnd - 1] === '\r' ? lineEnd - 1 : lineEnd;
}

/** White space in front of a statement; undefined when it does not begin its line. */
function indentOf(text: string, { span }: Statement): string | undefined {
  const start = text.lastIndexOf('\n', span[0] - 1) + 1;
  const before = text.slice(start, span[0]);
  return /^[ \t]*$/.test(before) ? before : undefined;
}

/** A name that nothing at a place has yet. */
export function freeName({ scope }: Pick<Place, 'scope'>, wanted: string): string {
  let name = wanted;
  while (lookUp(scope, name).length > 0) name = `${name}_`;
  return name;
}

/** The text of a plain name. */
export function nameOf(expression: Expression): string {
  return expression.kind === 'name' ? expression.name : '';
}
