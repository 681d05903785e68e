/**
 * What names mean: imports with their aliases, definitions, variables, per scope. A dotted path such as
 * `torch.nn.Conv2d` is found for `nn.Conv2d` whatever the aliases; what is ambiguous has no path.
 */
import { pythonBuiltins } from './builtins';
import { frameworks } from './catalog';
import {
  blocks,
  type ClassStatement,
  type Expression,
  type FunctionStatement,
  type Module,
  type Span,
  type Statement,
} from './syntax';

export type Binding =
  | { readonly kind: 'import'; readonly path: string; readonly level: number }
  | { readonly kind: 'function'; readonly statement: FunctionStatement; readonly scope: Scope }
  | { readonly kind: 'class'; readonly statement: ClassStatement; readonly scope: Scope }
  | { readonly kind: 'parameter'; readonly default?: Expression }
  /** `value` is missing for loop variables, unpacked ones and the like. */
  | { readonly kind: 'variable'; readonly value?: Expression; readonly span: Span };

/** Names of a module, class or function. */
export interface Scope {
  readonly kind: 'module' | 'class' | 'function';
  readonly parent: Scope | undefined;
  /** Every binding of a name, in the order of the text. */
  readonly names: ReadonlyMap<string, readonly Binding[]>;
  readonly statement: FunctionStatement | ClassStatement | undefined;
  /** Modules imported with a star, leading dots included; they may define any name. */
  readonly stars: readonly string[];
  /** Scopes of the functions and classes defined in here. */
  readonly inner: ReadonlyMap<FunctionStatement | ClassStatement, Scope>;
}

interface OpenScope extends Scope {
  readonly names: Map<string, Binding[]>;
  readonly stars: string[];
  readonly inner: Map<FunctionStatement | ClassStatement, Scope>;
  /** Scopes of an earlier text while this one is bound. */
  before: ReadonlyMap<FunctionStatement | ClassStatement, Scope> | undefined;
  /** Of a module: the statements at its top that bind a name, in the order of the text. */
  definers: Map<string, Statement[]>;
  /** The one of them that is bound now. */
  binding: Statement | undefined;
}

const moduleScopes = new WeakMap<Scope, OpenScope>();

/**
 * Binds all names of a program.
 * @param earlier scope of an earlier text of the file: it becomes that of this one, and the scopes of functions and
 *   classes that are the same statements still stay what they are.
 */
export function bind(module: Module, earlier?: Scope): Scope {
  const scope = (earlier && moduleScopes.get(earlier)) ?? open('module', undefined, undefined);
  moduleScopes.set(scope, scope);
  scope.before = new Map(scope.inner);
  scope.names.clear();
  scope.inner.clear();
  scope.stars.length = 0;
  scope.definers = new Map();
  for (const statement of module.statements) {
    scope.binding = statement;
    bindStatement(statement, scope);
  }
  scope.before = undefined;
  scope.binding = undefined;
  return scope;
}

function open(kind: Scope['kind'], parent: Scope | undefined, statement: Scope['statement']): OpenScope {
  return {
    kind,
    parent,
    statement,
    names: new Map(),
    stars: [],
    inner: new Map(),
    before: undefined,
    definers: new Map(),
    binding: undefined,
  };
}

function bindBlock(statements: readonly Statement[], scope: OpenScope): void {
  for (const statement of statements) bindStatement(statement, scope);
}

function bindStatement(statement: Statement, scope: OpenScope): void {
  switch (statement.kind) {
    case 'import':
      for (const { path, alias } of statement.modules) {
        const first = path.split('.')[0] ?? path;
        add(scope, alias ?? first, { kind: 'import', path: alias ? path : first, level: 0 });
      }
      return;
    case 'from-import':
      if (statement.star) scope.stars.push('.'.repeat(statement.level) + statement.module);
      for (const { name, alias } of statement.names) {
        const path = statement.module === '' ? name : `${statement.module}.${name}`;
        add(scope, alias ?? name, { kind: 'import', path, level: statement.level });
      }
      return;
    case 'function':
    case 'class': {
      const known = scope.before?.get(statement);
      const inner = known ?? bindInside(statement, scope);
      scope.inner.set(statement, inner);
      add(
        scope,
        statement.name,
        statement.kind === 'function'
          ? { kind: 'function', statement, scope: inner }
          : { kind: 'class', statement, scope: inner },
      );
      return;
    }
    case 'assign':
      for (const target of statement.targets)
        bindTarget(target, scope, statement.operator === undefined ? statement.value : undefined);
      return;
    case 'for':
      bindTarget(statement.target, scope, undefined);
      break;
    case 'with':
      for (const item of statement.items) if (item.target) bindTarget(item.target, scope, undefined);
      break;
    default:
  }
  for (const inside of blocks(statement)) bindBlock(inside, scope);
}

/** Scope of a function or class. */
function bindInside(statement: FunctionStatement | ClassStatement, around: Scope): Scope {
  const scope = open(statement.kind, around, statement);
  if (statement.kind === 'function')
    for (const { name, default: value } of statement.parameters)
      add(scope, name, { kind: 'parameter', ...(value && { default: value }) });
  bindBlock(statement.body, scope);
  return scope;
}

function bindTarget(target: Expression, scope: OpenScope, value: Expression | undefined): void {
  if (target.kind === 'name')
    add(scope, target.name, { kind: 'variable', ...(value && { value }), span: target.span });
  if (target.kind !== 'tuple' && target.kind !== 'list') return;
  const values = value && (value.kind === 'tuple' || value.kind === 'list') ? value.items : undefined;
  const pairwise = values?.length === target.items.length ? values : undefined;
  target.items.forEach((item, index) => {
    bindTarget(item, scope, pairwise?.[index]);
  });
}

function add(scope: OpenScope, name: string, binding: Binding): void {
  const known = scope.names.get(name);
  if (known) known.push(binding);
  else scope.names.set(name, [binding]);
  if (!scope.binding) return;
  const definers = scope.definers.get(name);
  if (!definers) scope.definers.set(name, [scope.binding]);
  else if (definers.at(-1) !== scope.binding) definers.push(scope.binding);
}

/** Statements at the top of a program by the names they bind there, in the order of the text. */
export function definers(scope: Scope): ReadonlyMap<string, readonly Statement[]> {
  return moduleScopes.get(scope)?.definers ?? new Map();
}

/** All bindings of a name as seen from a scope, by Python's rule: class scopes are not seen from their functions. */
export function lookUp(scope: Scope, name: string): readonly Binding[] {
  for (let current: Scope | undefined = scope; current; current = current.parent) {
    if (current.kind === 'class' && current !== scope) continue;
    const found = current.names.get(name);
    if (found) return found;
  }
  return [];
}

/** Paths that a name may have which nothing binds, by the star imports of its module; the last import counts most. */
export function starPaths(scope: Scope, name: string): readonly string[] {
  if (lookUp(scope, name).length > 0) return [];
  let module = scope;
  while (module.parent) module = module.parent;
  return module.stars.toReversed().map((star) => (/[^.]$/.test(star) ? `${star}.${name}` : `${star}${name}`));
}

/** The only binding of a name, or undefined when there is none or more than one. */
export function soleBinding(scope: Scope, name: string): Binding | undefined {
  const found = lookUp(scope, name);
  return found.length === 1 ? found[0] : undefined;
}

/** Depth to which aliases are followed: `a = b; b = c; …`. */
const MAXIMUM_ALIASES = 8;

/**
 * Dotted path of an expression: `nn.Conv2d` → `torch.nn.Conv2d`. Alternatives of a `try … except ImportError` that
 * agree on the last part, and are not of two frameworks, give the first of them. A name that nothing binds is of the
 * only star import, if that is a framework's. Undefined for anything that is not certainly an imported name.
 */
export function pathOf(expression: Expression, scope: Scope, depth = 0): string | undefined {
  if (depth > MAXIMUM_ALIASES) return undefined;
  if (expression.kind === 'attribute') {
    const object = pathOf(expression.object, scope, depth);
    return object === undefined ? undefined : `${object}.${expression.attribute}`;
  }
  if (expression.kind !== 'name') return undefined;
  const bindings = lookUp(scope, expression.name);
  const paths = bindings.map((binding) => pathOfBinding(binding, scope, depth));
  const [first, ...others] = paths;
  if (bindings.length === 0) return starPathOf(expression.name, scope);
  if (first === undefined) return undefined;
  const last = lastPart(first);
  const agree = (path: string | undefined) =>
    path !== undefined && lastPart(path) === last && mayBeSame(path, first);
  return others.every(agree) ? first : undefined;
}

/** With two star imports either may define the name, with one of the user's own modules anything may. */
function starPathOf(name: string, scope: Scope): string | undefined {
  if (pythonBuiltins.has(name) || /(Error|Exception|Warning)$/.test(name)) return undefined;
  const [path, other] = starPaths(scope, name);
  return path !== undefined && other === undefined && frameworks.has(path.split('.')[0] ?? '')
    ? path
    : undefined;
}

function pathOfBinding(binding: Binding, scope: Scope, depth: number): string | undefined {
  if (binding.kind === 'import') return '.'.repeat(binding.level) + binding.path;
  if (binding.kind === 'variable' && binding.value) {
    const { value } = binding;
    return value.kind === 'name' || value.kind === 'attribute' ? pathOf(value, scope, depth + 1) : undefined;
  }
  return undefined;
}

/** False for two frameworks that only share a name: `quantize_dynamic` of torch and of onnxruntime. */
function mayBeSame(one: string, other: string): boolean {
  const [first, second] = [one, other].map((path) => path.split('.')[0] ?? '');
  if (first === undefined || second === undefined) return true;
  if (!frameworks.has(first) || !frameworks.has(second)) return true;
  return first.slice(0, FAMILY) === second.slice(0, FAMILY);
}

/** `torch` and `torchao`, `tensorflow` and `tensorflow_model_optimization` begin alike. */
const FAMILY = 5;

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** The class or function of this program that an expression names, if there is just one. */
export function definitionOf(
  expression: Expression,
  scope: Scope,
): Extract<Binding, { kind: 'class' | 'function' }> | undefined {
  if (expression.kind !== 'name') return undefined;
  const binding = soleBinding(scope, expression.name);
  return binding?.kind === 'class' || binding?.kind === 'function' ? binding : undefined;
}
