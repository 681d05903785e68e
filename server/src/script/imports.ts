/**
 * Classes, functions and constants that a script imports from other files of its workspace: relative imports, packages
 * and what their `__init__` hands on, star imports. Files are asked for by path; where they come from is not known here.
 */
import { Interpreter, type Resolver } from './interpret';
import { definedValue, type PythonValue } from './interpret-values';
import { type Binding, lookUp, starPaths } from './names';
import type { Program } from './program';
import type { Expression } from './syntax';

/** The files of a workspace, as far as imports need them. Paths have forward slashes. */
export interface ScriptSources {
  /** A Python file, read; undefined where there is none. */
  program(file: string): Program | undefined;
  isFolder(path: string): boolean;
  /** True while a file that was asked for is not read yet. */
  readonly waits?: () => boolean;
  /** Folders in which absolute imports of a file are looked for, nearest first. */
  roots(file: string): readonly string[];
}

/** Value of a variable at the top of a file. */
export type VariableReader = (
  variable: { readonly name: string; readonly value: Expression | undefined },
  program: Program,
  file: string,
  resolve: Resolver,
) => PythonValue | undefined;

/** What its own statement makes of it, without anything that ran before. */
const alone: VariableReader = ({ value }, { scope }, file, resolve) =>
  value && new Interpreter(resolve).evaluate(value, scope, file);

/** Imports of imports that are followed. */
const MAXIMUM_DEPTH = 12;

/** Finds what imported paths stand for. One for one state of the workspace: answers are remembered. */
export function workspaceResolver(sources: ScriptSources, variable: VariableReader = alone): Resolver {
  const known = new Map<string, PythonValue | undefined>();
  let depth = 0;
  const resolve = (path: string, file: string): PythonValue | undefined => {
    const key = `${file}\n${path}`;
    if (known.has(key)) return known.get(key);
    if (depth >= MAXIMUM_DEPTH || sources.waits?.()) return undefined;
    // What asks for itself has no value.
    known.set(key, undefined);
    depth++;
    const found = pathValue(imports, path, file);
    depth--;
    if (isLasting(found) && !sources.waits?.()) known.set(key, found);
    else known.delete(key);
    return found;
  };
  const resolver: Resolver = Object.assign(resolve, { waits: sources.waits });
  const imports: Imports = { sources, variable, resolve: resolver };
  return resolver;
}

/** What finding a value needs. */
interface Imports {
  readonly sources: ScriptSources;
  readonly variable: VariableReader;
  readonly resolve: Resolver;
}

/** Lists and the like are changed by who gets them. */
function isLasting(value: PythonValue | undefined): boolean {
  return !value || value.kind === 'class' || value.kind === 'function';
}

function pathValue(imports: Imports, path: string, file: string): PythonValue | undefined {
  const level = /^\.*/.exec(path)?.[0].length ?? 0;
  const parts = path.slice(level).split('.');
  const folders = level > 0 ? [above(folderOf(file), level - 1)] : imports.sources.roots(file);
  for (const folder of folders) {
    const found = inFolder(imports, folder, parts);
    if (found) return found.value;
  }
  return undefined;
}

/** The value, if the module is in the folder at all: one of the same name further away is another one. */
function inFolder(
  imports: Imports,
  folder: string,
  parts: readonly string[],
): { readonly value: PythonValue | undefined } | undefined {
  const { sources } = imports;
  const [first, ...rest] = parts;
  if (first === undefined) return undefined;
  const inside = `${folder}/${first}`;
  if (sources.isFolder(inside)) {
    const found = inPackage(imports, inside, rest);
    if (found) return found;
  }
  const file = `${inside}.py`;
  if (!sources.program(file)) return undefined;
  return {
    value: rest.length > 0 ? (member(imports, file, rest) ?? starred(imports, file, rest)) : undefined,
  };
}

/** A file of the package before what a star may bring into it: stars make a package read all it consists of. */
function inPackage(
  imports: Imports,
  folder: string,
  rest: readonly string[],
): { readonly value: PythonValue | undefined } | undefined {
  const file = `${folder}/__init__.py`;
  const own = rest.length > 0 ? member(imports, file, rest) : undefined;
  if (own) return { value: own };
  const below = rest.length > 0 ? inFolder(imports, folder, rest) : undefined;
  if (below) return below;
  if (!imports.sources.program(file)) return undefined;
  return { value: rest.length > 0 ? starred(imports, file, rest) : undefined };
}

/** A name at the top of a module that a star import may bring. */
function starred(
  { sources, resolve }: Imports,
  file: string,
  [name, ...rest]: readonly string[],
): PythonValue | undefined {
  const program = sources.program(file);
  if (!program || name === undefined || lookUp(program.scope, name).length > 0) return undefined;
  for (const path of starPaths(program.scope, name)) {
    const found = resolve([path, ...rest].join('.'), file);
    if (found) return found;
  }
  return undefined;
}

/** A name that a module itself binds at its top. */
function member(imports: Imports, file: string, [name, ...rest]: readonly string[]): PythonValue | undefined {
  const program = imports.sources.program(file);
  if (!program || name === undefined) return undefined;
  const binding = lookUp(program.scope, name).at(-1);
  if (!binding) return undefined;
  if (binding.kind === 'import')
    return imports.resolve(['.'.repeat(binding.level) + binding.path, ...rest].join('.'), file);
  return rest.length > 0 ? undefined : boundValue(imports, name, binding, { program, file });
}

function boundValue(
  { variable, resolve }: Imports,
  name: string,
  binding: Binding,
  { program, file }: { readonly program: Program; readonly file: string },
): PythonValue | undefined {
  switch (binding.kind) {
    case 'class':
    case 'function':
      return definedValue(binding, file);
    case 'variable': {
      const value = variable({ name, value: binding.value }, program, file, resolve);
      return value?.kind === 'unknown' ? undefined : value;
    }
    default:
      return undefined;
  }
}

function folderOf(file: string): string {
  return file.slice(0, Math.max(0, file.lastIndexOf('/')));
}

function above(folder: string, levels: number): string {
  return levels === 0 ? folder : above(folderOf(folder), levels - 1);
}
