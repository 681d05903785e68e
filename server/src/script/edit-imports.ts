/**
 * Imports that inserted code needs, merged with those a script has: a name joins the statement that imports from its
 * module, what is there already is not imported twice, the rest follows the imports on top. Plain text edits.
 */
import type { FromImportStatement, ImportStatement, Module, Span, Statement } from './syntax';

/** `import module`, `import module as x`, or `from module import name as x, …`. */
export interface NeededImport {
  readonly module: string;
  readonly names?: readonly ImportedName[];
  readonly as?: string;
}

export interface ImportedName {
  readonly name: string;
  readonly as?: string;
}

/** A parsed script, or anything that has its text and syntax. */
export interface ImportTarget {
  readonly text: string;
  readonly module: Module;
}

/** Replaces text between two offsets. */
export interface OffsetEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Edits that make the needed names known to code at an offset; none when all are.
 * @param before only imports in front of this offset count, and edits stay in front of it: cells of a notebook run in
 *   their order.
 * @returns edits that do not overlap, in the order of the text.
 */
export function importEdits(
  target: ImportTarget,
  needed: readonly NeededImport[],
  before = Number.POSITIVE_INFINITY,
): readonly OffsetEdit[] {
  const present = importsOf(target.module.statements, before);
  const joined = new Map<FromImportStatement, string[]>();
  const added = new Map<number, string[]>();
  const addLine = (module: string, line: string) => {
    const at = placeFor(target, module, before);
    const lines = added.get(at) ?? [];
    if (!lines.includes(line)) lines.push(line);
    added.set(at, lines);
  };
  for (const { module, names, as } of needed) {
    if (!names) {
      if (localName(present, module, undefined, as) === undefined)
        addLine(module, `import ${module}${as === undefined ? '' : ` as ${as}`}`);
      continue;
    }
    const missing = names.filter(
      (one) => localName(present, module, one.name, one.as ?? one.name) === undefined,
    );
    if (missing.length === 0) continue;
    const host = target.module.statements.find(
      (one): one is FromImportStatement =>
        one.kind === 'from-import' && isFrom(one, module) && one.names.length > 0 && one.span[1] <= before,
    );
    if (!host) addLine(module, `from ${module} import ${missing.map(written).join(', ')}`);
    else {
      const texts = joined.get(host) ?? [];
      for (const one of missing) if (!texts.includes(written(one))) texts.push(written(one));
      joined.set(host, texts);
    }
  }
  const edits = [...joined].map(([host, texts]): OffsetEdit => {
    const at = host.names.at(-1)?.span[1] ?? host.span[1];
    return { start: at, end: at, text: texts.map((text) => `, ${text}`).join('') };
  });
  const lineBreak = target.text.includes('\r\n') ? '\r\n' : '\n';
  for (const [at, lines] of added) {
    const opensLine = at === 0 || target.text[at - 1] === '\n';
    const text = lines.map((line) => (opensLine ? line + lineBreak : lineBreak + line)).join('');
    edits.push({ start: at, end: at, text });
  }
  return edits.sort((one, other) => one.start - other.start);
}

/**
 * Name under which a script knows a module, or a name of it, at its top level: `np` for `numpy`; undefined where it
 * does not. Inserted code that asks first reads like the script around it.
 */
export function importedAs(
  target: Pick<ImportTarget, 'module'>,
  module: string,
  name?: string,
  before = Number.POSITIVE_INFINITY,
): string | undefined {
  return localName(importsOf(target.module.statements, before), module, name, undefined, true);
}

type AnyImport = ImportStatement | FromImportStatement;

/** Imports that certainly run before an offset; a `try` around them changes nothing. */
function importsOf(statements: readonly Statement[], before: number): readonly AnyImport[] {
  return statements.flatMap((statement): readonly AnyImport[] => {
    if (statement.span[0] >= before) return [];
    if (statement.kind === 'import' || statement.kind === 'from-import') return [statement];
    return statement.kind === 'try' ? importsOf(statement.body, before) : [];
  });
}

/** @param any accept every local name, the last one wins; otherwise only the one given, or the module's own. */
function localName(
  present: readonly AnyImport[],
  module: string,
  name: string | undefined,
  as: string | undefined,
  any = false,
): string | undefined {
  const found = present.flatMap((statement): readonly string[] => {
    if (statement.kind === 'import') {
      return name !== undefined
        ? []
        : statement.modules.flatMap(({ path, alias }) => {
            if (alias !== undefined) return path === module ? [alias] : [];
            return path === module || path.startsWith(`${module}.`) ? [module] : [];
          });
    }
    const [from, wanted] = name === undefined ? splitPath(module) : [module, name];
    if (!isFrom(statement, from)) return [];
    return statement.names.filter((one) => one.name === wanted).map((one) => one.alias ?? one.name);
  });
  return any ? found.at(-1) : found.find((local) => local === (as ?? module));
}

function splitPath(module: string): readonly [string, string] {
  const dot = module.lastIndexOf('.');
  return [module.slice(0, Math.max(dot, 0)), module.slice(dot + 1)];
}

function isFrom(statement: FromImportStatement, module: string): boolean {
  return statement.level === 0 && module !== '' && statement.module === module;
}

function written({ name, as }: ImportedName): string {
  return as === undefined || as === name ? name : `${name} as ${as}`;
}

/** Behind the last import on top, of the same package if there is one; else below what must come first in a file. */
function placeFor({ text, module: { statements } }: ImportTarget, module: string, before: number): number {
  const head: Statement[] = [];
  for (const statement of statements) {
    if (statement.span[1] > before || isBlock(statement)) break;
    if (isImport(statement)) head.push(statement);
  }
  const root = module.split('.')[0] ?? module;
  const same = head.findLast((one) => rootsOf(one).includes(root));
  const last = same ?? head.at(-1);
  if (!last) return Math.min(startOfCode(text, statements), before);
  return Math.min(lineEndBehind(text, statements, last.span), before);
}

/** Imports behind these are no longer the head of a file. A `try` or `if` there is what chooses between imports. */
function isBlock(statement: Statement): boolean {
  return ['function', 'class', 'for', 'while', 'with'].includes(statement.kind);
}

function isImport(statement: Statement): boolean {
  if (statement.kind === 'try') return statement.body.length > 0 && statement.body.every(isImport);
  return statement.kind === 'import' || statement.kind === 'from-import';
}

function rootsOf(statement: Statement): readonly string[] {
  if (statement.kind === 'import') return statement.modules.map(({ path }) => path.split('.')[0] ?? path);
  return statement.kind === 'from-import' && statement.level === 0
    ? [statement.module.split('.')[0] ?? statement.module]
    : [];
}

/** Start of the line below a statement; what shares its line, and a string that begins there, stay whole. */
function lineEndBehind(text: string, statements: readonly Statement[], span: Span): number {
  let at = lineEnd(text, span[1]);
  for (const { span: other } of statements)
    if (other[0] >= span[1] && other[0] < at && other[1] > at) at = lineEnd(text, other[1]);
  return at;
}

function lineEnd(text: string, from: number): number {
  const found = text.indexOf('\n', from);
  return found < 0 ? text.length : found + 1;
}

/** Below the line that starts the program, its comments, its documentation and what it takes from the future. */
function startOfCode(text: string, statements: readonly Statement[]): number {
  const [first] = statements;
  const isDocumentation =
    first?.kind === 'expression' &&
    first.value.kind === 'constant' &&
    typeof first.value.value === 'string' &&
    /^(?:[ \t]*(?:#.*)?\r?\n)*$/.test(text.slice(0, first.span[0]));
  let at = isDocumentation ? lineEnd(text, first.span[1]) : 0;
  const skipped = /^(?:[ \t]*(?:#.*)?\r?\n)+|^from\s+__future__\s+import\s*(?:\([^)]*\)|.*)[^\n]*(?:\n|$)/;
  for (;;) {
    const found = skipped.exec(text.slice(at));
    if (!found || found[0] === '') break;
    at += found[0].length;
  }
  // Comments right above the code speak of it, except those a file starts with.
  const above = /(?<![^\n])(?:[ \t]*#.*\n)+$/.exec(text.slice(0, at));
  return above && above.index > 0 ? above.index : at;
}
