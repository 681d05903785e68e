/** Calls of what is outside a script: functions of Python itself, and functions and classes of libraries by their path. */
import {
  builtins,
  canonicalModule,
  construct,
  helperFunctions,
  libraryFunctions,
} from './interpret-builtins';
import type { Frame } from './interpret-frame';
import {
  type Arguments,
  constantValue,
  type Place,
  type PythonValue,
  textOf,
  unknownValue,
} from './interpret-values';

/** Calls a function of Python; undefined for other names, and where the script gives one another meaning. */
export function callBuiltin(name: string, args: Arguments, frame: Frame): PythonValue | undefined {
  if (frame.environment.names.has(name) || frame.scope.names.has(name)) return undefined;
  const [object, key, value] = args.positional;
  const text = key && textOf(key);
  if (name === 'setattr' && object?.kind === 'object' && text !== undefined && value) {
    object.attributes.set(text, value);
    return constantValue(null);
  }
  if (name === 'getattr' && object?.kind === 'object' && text !== undefined)
    return object.attributes.get(text) ?? value ?? unknownValue;
  return builtins[name]?.(args);
}

type PathCall = (args: Arguments, origin: Place) => PythonValue;

/** What is behind a path; a network calls the same few a hundred times. */
const pathCalls = new Map<string, PathCall>();

/** Scripts come and go with their paths. */
const MAXIMUM_PATHS = 2000;

/** Calls a function or class of a library: modules become objects, what is not known gives an unknown value. */
export function callPath(path: string, args: Arguments, origin: Place): PythonValue {
  let found = pathCalls.get(path);
  if (!found) {
    if (pathCalls.size >= MAXIMUM_PATHS) pathCalls.clear();
    found = pathCall(path);
    pathCalls.set(path, found);
  }
  return found(args, origin);
}

function pathCall(path: string): PathCall {
  const library =
    libraryFunctions[path] ??
    (path.startsWith('builtins.') ? builtins[path.slice('builtins.'.length)] : undefined);
  if (library) return library;
  if (path === 'functools.partial') return partial;
  const name = canonicalModule(path).split('.').pop() ?? '';
  const helper = helperFunctions[name];
  if (helper) return helper;
  return /^[A-Z]/.test(name) ? (args, origin) => construct(path, args, origin) : () => unknownValue;
}

function partial({ positional: [target, ...positional], keywords }: Arguments): PythonValue {
  return target ? { kind: 'partial', target, args: { positional, keywords } } : unknownValue;
}
