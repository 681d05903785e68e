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
  const resolve: Resolver = (path, file) => {
    const key = `${file}\n${path}`;
    if (known.has(key)) return known.get(key);
    if (depth >= MAXIMUM_DEPTH) return undefined;
    // What asks for itself has no value.
    known.set(key, undefined);
    depth++;
    const found = find(path, file);
    depth--;
    // Lists and the like are changed by who gets them.
    if (!found || found.kind === 'class' || found.kind === 'function') known.set(key, found);
    else known.delete(key);
    return found;
  };
  const find: Resolver = (path, file) => {
    const level = /^\.*/.exec(path)?.[0].length ?? 0;
    const parts = path.slice(level).split('.');
    const folders = level > 0 ? [above(folderOf(file), level - 1)] : sources.roots(file);
    for (const folder of folders) {
      const found = inFolder(folder, parts);
      if (found) return found.value;
    }
    return undefined;
  };
  /** The value, if the module is in the folder at all: one of the same name further away is another one. */
  const inFolder = (
    folder: string,
    parts: readonly string[],
  ): { readonly value: PythonValue | undefined } | undefined => {
    const [first, ...rest] = parts;
    if (first === undefined) return undefined;
    const inside = `${folder}/${first}`;
    const file = `${inside}.py`;
    const package_ = `${inside}/__init__.py`;
    if (sources.isFolder(inside)) {
      const own = rest.length > 0 ? member(package_, rest) : undefined;
      if (own) return { value: own };
      // A file of the package before what a star may bring into it: stars make a package read all it consists of.
      const below = rest.length > 0 ? inFolder(inside, rest) : undefined;
      if (below) return below;
      if (sources.program(package_)) return { value: rest.length > 0 ? starred(package_, rest) : undefined };
    }
    if (!sources.program(file)) return undefined;
    return { value: rest.length > 0 ? (member(file, rest) ?? starred(file, rest)) : undefined };
  };
  /** A name at the top of a module that a star import may bring. */
  const starred = (file: string, [name, ...rest]: readonly string[]): PythonValue | undefined => {
    const program = sources.program(file);
    if (!program || name === undefined || lookUp(program.scope, name).length > 0) return undefined;
    for (const path of starPaths(program.scope, name)) {
      const found = resolve([path, ...rest].join('.'), file);
      if (found) return found;
    }
    return undefined;
  };
  /** A name that a module itself binds at its top. */
  const member = (file: string, [name, ...rest]: readonly string[]): PythonValue | undefined => {
    const program = sources.program(file);
    if (!program || name === undefined) return undefined;
    const bindings = lookUp(program.scope, name);
    const binding = bindings.at(-1);
    if (!binding) return undefined;
    if (binding.kind === 'import')
      return resolve(['.'.repeat(binding.level) + binding.path, ...rest].join('.'), file);
    return rest.length > 0 ? undefined : boundValue(name, binding, program, file);
  };
  const boundValue = (
    name: string,
    binding: Binding,
    program: Program,
    file: string,
  ): PythonValue | undefined => {
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
  };
  return resolve;
}

function folderOf(file: string): string {
  return file.slice(0, Math.max(0, file.lastIndexOf('/')));
}

function above(folder: string, levels: number): string {
  return levels === 0 ? folder : above(folderOf(folder), levels - 1);
}
