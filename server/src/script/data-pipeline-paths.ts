/** Paths in the world of a script's data: `os.path`, `pathlib` and `/` between them. */
import { libraryObject, pathTextIn, pathType } from './data-pipeline-values';
import {
  type Arguments,
  constantValue,
  type ObjectValue,
  type Place,
  type PythonValue,
} from './interpret-values';

/** Functions that make paths. */
export function pathCall(path: string, args: Arguments, origin: Place): PythonValue | undefined {
  switch (path) {
    case 'os.path.join':
      return joinedPath(args.positional, origin, true);
    case 'os.path.abspath':
    case 'os.path.realpath':
    case 'os.path.normpath':
    case 'os.fspath':
      return args.positional[0];
    case 'os.path.dirname': {
      const text = pathTextIn(args.positional[0]);
      return text === undefined ? undefined : constantValue(parentOf(text));
    }
    case 'pathlib.Path':
    case 'pathlib.PurePath':
      return joinedPath(args.positional, origin);
    default:
      return undefined;
  }
}

/**
 * One path of several parts; undefined where they are no path, or not all of them are known.
 * @param asText a string, as `os.path.join` gives it; else a path object.
 */
export function joinedPath(
  parts: readonly PythonValue[],
  origin: Place,
  asText = false,
): PythonValue | undefined {
  const texts = parts.map(pathTextIn);
  const isPath =
    asText || parts.length === 1 || parts.some((part) => part.kind === 'object' && part.type === pathType);
  if (!isPath || parts.length === 0 || texts.some((text) => text === undefined)) return undefined;
  const joined = texts
    .map((text) => text ?? '')
    .reduce((before, text) =>
      /^([/\\]|[A-Za-z]:)/.test(text) ? text : `${before.replace(/[/\\]$/, '')}/${text}`,
    );
  const text = constantValue(joined);
  return asText ? text : libraryObject(pathType, origin, { positional: [text], keywords: new Map() });
}

/** Methods and attributes of a path object. */
export function pathMethod(
  object: ObjectValue,
  name: string,
  args: Arguments,
  origin: Place,
): PythonValue | undefined {
  const text = pathTextIn(object) ?? '';
  const made = (path: string) =>
    libraryObject(pathType, origin, { positional: [constantValue(path)], keywords: new Map() });
  switch (name) {
    case 'parent':
      return made(parentOf(text));
    case 'resolve':
    case 'absolute':
    case 'expanduser':
      return object;
    case 'joinpath':
      return joinedPath([object, ...args.positional], origin);
    case 'as_posix':
      return constantValue(text);
    default:
      return undefined;
  }
}

function parentOf(path: string): string {
  const at = Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\'));
  return at < 0 ? '.' : path.slice(0, Math.max(at, 1));
}
