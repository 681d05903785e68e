/**
 * Texts and paths that a script makes of constants: literals and names bound once, sums and f-strings of them,
 * `os.path.join`, `pathlib` with `/`, and options of argparse at their defaults.
 */
import { definitionOf, pathOf, soleBinding } from './names';
import { argumentValue, type Call, type Program } from './program';
import type { CallExpression, Expression } from './syntax';
import { evaluate, stringOf } from './values';

const MAXIMUM_DEPTH = 16;

/** Functions that join their arguments to a path. */
const joins: ReadonlySet<string> = new Set([
  'os.path.join',
  'posixpath.join',
  'ntpath.join',
  'pathlib.Path',
  'pathlib.PurePath',
  'pathlib.PosixPath',
  'pathlib.PurePosixPath',
]);

/** Functions and methods that give the path they are given, or one that leads to the same place. */
const keeps: ReadonlySet<string> = new Set([
  'str',
  'os.fspath',
  'os.path.abspath',
  'os.path.realpath',
  'os.path.normpath',
  'os.path.expanduser',
]);
const keepingMethods = /^(resolve|absolute|as_posix|expanduser|strip)$/;

/** The place an expression is looked at from. */
type At = Pick<Call, 'scope'>;

/**
 * Text of a path that is certainly this one; undefined where it is computed. `__file__` counts as a file in the folder
 * of the script, which relative paths start from.
 */
export function pathText(
  expression: Expression,
  at: At,
  program: Pick<Program, 'calls'>,
  depth = 0,
): string | undefined {
  if (depth > MAXIMUM_DEPTH) return undefined;
  const inside = (part: Expression) => pathText(part, at, program, depth + 1);
  const whole = stringOf(evaluate(expression, at.scope));
  if (whole !== undefined) return whole;
  switch (expression.kind) {
    case 'name': {
      if (expression.name === '__file__') return SCRIPT;
      const binding = soleBinding(at.scope, expression.name);
      return binding?.kind === 'variable' && binding.value ? inside(binding.value) : undefined;
    }
    case 'format':
      return allOf(
        expression.pieces.map((piece) => (typeof piece === 'string' ? piece : inside(piece))),
        '',
      );
    case 'binary': {
      const [left, right] = [inside(expression.left), inside(expression.right)];
      if (expression.operator === '/') return joined([left, right]);
      return expression.operator === '+' ? allOf([left, right], '') : undefined;
    }
    case 'attribute': {
      if (expression.attribute === 'parent') return parentOf(inside(expression.object));
      return optionDefault(expression.object, expression.attribute, at, program);
    }
    case 'call':
      return callText(expression, at, inside);
    default:
      return undefined;
  }
}

/** Stands for the script itself in paths. */
const SCRIPT = './__file__';

function callText(
  { callee, args }: CallExpression,
  { scope }: At,
  inside: (part: Expression) => string | undefined,
): string | undefined {
  const path = pathOf(callee, scope) ?? (callee.kind === 'name' ? callee.name : undefined);
  const given = args.every(({ keyword, star }) => keyword === undefined && star === undefined)
    ? args.map(({ value }) => inside(value))
    : [undefined];
  const [first] = given;
  if (path !== undefined) {
    if (callee.kind === 'name' && definitionOf(callee, scope)) return undefined;
    if (joins.has(path)) return given.length === 0 ? '.' : joined(given);
    if (path === 'os.getcwd' || path === 'pathlib.Path.cwd') return '.';
    if (path === 'os.path.dirname') return parentOf(first);
    return keeps.has(path) ? first : undefined;
  }
  if (callee.kind !== 'attribute') return undefined;
  const object = inside(callee.object);
  if (callee.attribute === 'joinpath') return joined([object, ...given]);
  if (callee.attribute === 'with_suffix' && object !== undefined && first !== undefined)
    return object.replace(/(?<=[^/\\.])\.[^./\\]*$/, '') + first;
  return keepingMethods.test(callee.attribute) ? object : undefined;
}

/** Default of `args.NAME` where `args` comes from `parse_args()` and one option of the script has this name. */
function optionDefault(
  object: Expression,
  name: string,
  { scope }: At,
  { calls }: Pick<Program, 'calls'>,
): string | undefined {
  const binding = object.kind === 'name' ? soleBinding(scope, object.name) : undefined;
  // Functions are often handed the options under the same name.
  const isOptions =
    binding === undefined || binding.kind !== 'variable' || !binding.value
      ? object.kind === 'name' && /^(args|opts?|options|flags|params|hparams|config|cfg)$/i.test(object.name)
      : binding.value.kind === 'call' &&
        binding.value.callee.kind === 'attribute' &&
        /^parse(_known)?_args$/.test(binding.value.callee.attribute);
  if (!isOptions) return undefined;
  const options = calls.filter((call) => call.name === 'add_argument' && namesOption(call, name));
  const [only, ...more] = options;
  return only && more.length === 0 ? stringOf(argumentValue(only, 'default')) : undefined;
}

/** `add_argument('-o', '--save-dir')` is `args.save_dir`: what `dest` says, else the first long name. */
function namesOption(call: Call, name: string): boolean {
  const stated = stringOf(argumentValue(call, 'dest'));
  if (stated !== undefined) return stated === name;
  const written = call.expression.args.flatMap(({ keyword, value }) =>
    keyword === undefined ? (stringOf(evaluate(value, call.scope)) ?? []) : [],
  );
  const long = written.find((one) => one.startsWith('--')) ?? written[0];
  return long?.replace(/^-+/, '').replaceAll('-', '_') === name;
}

function allOf(parts: readonly (string | undefined)[], separator: string): string | undefined {
  return parts.every((part) => part !== undefined) ? parts.join(separator) : undefined;
}

/** A later part that starts at the root takes the place of what is before it. */
function joined(parts: readonly (string | undefined)[]): string | undefined {
  const known = parts.filter((part) => part !== undefined);
  if (known.length !== parts.length) return undefined;
  const root = known.findLastIndex((part) => /^([/\\]|[A-Za-z]:)/.test(part));
  return known
    .slice(Math.max(0, root))
    .filter((part) => part !== '')
    .map((part, at, all) => (at < all.length - 1 ? part.replace(/(?<=.)[/\\]+$/, '') : part))
    .join('/');
}

function parentOf(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const parts = path.replace(/[/\\]+$/, '').split(/[/\\]/);
  if (parts.at(-1) === '..') return `${path}/..`;
  if (parts.length === 1 && parts[0] === '.') return '..';
  return parts.length > 1 ? parts.slice(0, -1).join('/') || '/' : '.';
}
