/** What `isinstance` says of values of the interpreter: Python's own types and classes of the workspace, as far as known. */
import { constantValue, type PythonValue, unknownValue } from './interpret-values';

/** Types of Python itself that are asked for by name. */
export const ownTypes: ReadonlySet<string> = new Set([
  'bool',
  'dict',
  'float',
  'int',
  'list',
  'set',
  'str',
  'tuple',
  'type',
]);

/** What `isinstance` says of Python's own types; unknown where a value may be of either, as lists stand for tuples. */
export function isInstance(value: PythonValue | undefined, types: PythonValue | undefined): PythonValue {
  const asked = types?.kind === 'list' ? types.items : [types];
  const own = value && typesOf(value);
  if (!own) return unknownValue;
  const answers = asked.map((one) => {
    if (one?.kind === 'path') return own(one.path);
    return one?.kind === 'class' && value.kind === 'object' && value.class?.statement === one.statement
      ? true
      : undefined;
  });
  if (answers.includes(true)) return constantValue(true);
  return answers.includes(undefined) ? unknownValue : constantValue(false);
}

/** Says of the path of a type whether a value is of it; undefined where nothing is known of the value. */
function typesOf(value: PythonValue): ((path: string) => boolean | undefined) | undefined {
  const among = (...names: readonly string[]) => {
    return (path: string) => names.includes(path.slice(path.lastIndexOf('.') + 1));
  };
  switch (value.kind) {
    case 'constant':
      if (value.value === null) return among('NoneType');
      if (typeof value.value === 'string') return among('str', 'Iterable', 'Sequence', 'Collection', 'Sized');
      if (typeof value.value === 'boolean') return among('bool', 'int', 'Integral', 'Number');
      return (path) =>
        Number.isInteger(value.value) ? anyNumber(path) : among('float', 'Real', 'Number')(path);
    case 'dict':
      return among('dict', 'OrderedDict', 'Mapping', 'MutableMapping', 'Iterable', 'Collection', 'Sized');
    case 'list':
      return (path) =>
        among('list', 'tuple', 'set')(path)
          ? undefined
          : among('Iterable', 'Sequence', 'Collection', 'Sized')(path);
    case 'class':
      return among('type');
    case 'function':
    case 'partial':
      return among('Callable', 'partial', 'FunctionType');
    case 'object':
      // Of a class that derives from nothing.
      return value.class?.statement.bases.length === 0 ? among() : undefined;
    default:
      return undefined;
  }
}

/** A number without fraction is an int or a float with nothing behind its point: `1.0` is not told from `1`. */
function anyNumber(path: string): boolean | undefined {
  const name = path.slice(path.lastIndexOf('.') + 1);
  if (name === 'int' || name === 'float' || name === 'Integral') return undefined;
  return name === 'Number' || name === 'Real';
}
