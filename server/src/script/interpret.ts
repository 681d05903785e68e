/**
 * Interpreter for the part of Python that constructs networks: it runs `__init__` methods and factory functions on
 * known values, with loops, lists and helper methods, so that every layer gets its attribute path. Nothing else is
 * executed: unknown calls give `unknown`, a step budget ends runaway loops, both branches of an unknown choice are
 * taken.
 */
import { callMethod, callModuleMethod, callTextMethod } from './interpret-builtins';
import { callBuiltin, callPath } from './interpret-calls';
import {
  basesOf,
  bindParameters,
  classAttribute,
  inheritedAttribute,
  initialise,
  initialiseBase,
  isSuperCall,
  methodOf,
  ownerOf,
} from './interpret-classes';
import { comprehension } from './interpret-comprehension';
import { type Frame, MAXIMUM_DEPTH, type Machine, preferred, type World } from './interpret-frame';
import { operate, subscript } from './interpret-operators';
import { runBlock } from './interpret-statements';
import { ownTypes } from './interpret-types';
import {
  type Arguments,
  type ClassValue,
  constantValue,
  definedValue,
  type Environment,
  type FunctionValue,
  iterate,
  type ObjectValue,
  type Place,
  type PythonValue,
  textOf,
  truthOf,
  unknownValue,
} from './interpret-values';
import { type Binding, pathOf, type Scope, soleBinding, starPaths } from './names';
import { tensorOf } from './parameter-layers';
import type { CallExpression, Expression, FunctionStatement, Span, Statement } from './syntax';

/** Finds classes and functions that a file imports from the workspace. */
export interface Resolver {
  (path: string, file: string): PythonValue | undefined;
  /** True while a file that was asked for is not read yet: what was made meanwhile has to be made again. */
  readonly waits?: (() => boolean) | undefined;
}

/** Statements and calls one construction may take: far above ResNet-152, far below a second. */
const STEP_BUDGET = 60_000;

/**
 * Steps that a call of a constructor may take without making anything: checks, settings and initial values of base
 * classes are of no interest, and must not use up what the layers need.
 */
const FRUITLESS_STEPS = 1000;

/** Runs of one function inside itself behind a choice that is not known. */
const MAXIMUM_UNDECIDED = 3;

/** Steps of everything that one interpreter runs. */
const TOTAL_BUDGET = 3_000_000;

export class Interpreter implements Machine {
  private steps = 0;
  private total = 0;
  private depth = 0;
  /** Modules of libraries made so far. */
  private made = 0;
  /** True while the constructor of a class runs. */
  private constructing = false;
  /** Where the call that a constructor makes ends, unless it makes something. */
  private limit: { readonly steps: number; readonly made: number } | undefined;
  /** File whose code runs. */
  file = '';
  /** The call in the world's own file that runs, or led to what runs. */
  site: Span | undefined;
  undecided = 0;
  readonly knownBases = new Map<Scope, readonly PythonValue[]>();
  /** Functions that run now, and how many times. */
  private readonly running = new Map<FunctionValue['statement'], number>();
  /** Variables of modules whose values are being worked out. */
  private readonly reading = new Set<Binding>();

  /** @param world what surrounds a program that runs as a whole; without one, only what is asked for runs. */
  constructor(
    private readonly resolve: Resolver,
    readonly world: World | undefined = undefined,
  ) {}

  /** Runs the statements of a module from the top, with a budget of its own; its variables are in `globals` then. */
  runModule(
    statements: readonly Statement[],
    scope: Scope,
    { globals, file }: Pick<World, 'globals' | 'file'>,
  ): void {
    const { steps, site } = this;
    this.steps = 0;
    this.site = undefined;
    this.within(file, () =>
      runBlock(this, statements, { scope, environment: globals, file, self: undefined, owner: undefined }),
    );
    this.steps = steps;
    this.site = site;
  }

  private within<T>(file: string, run: () => T): T {
    const outside = this.file;
    this.file = file;
    const value = run();
    this.file = outside;
    return value;
  }

  /** Value of an expression at the top of a file. */
  evaluate(expression: Expression, scope: Scope, file: string): PythonValue {
    this.steps = 0;
    const environment = { names: new Map<string, PythonValue>(), outer: undefined };
    return this.value(expression, { scope, environment, file, self: undefined, owner: undefined });
  }

  /** An object of a class of the workspace, its constructor run. */
  instantiate(target: ClassValue, args: Arguments, origin: Place): ObjectValue {
    this.steps = 0;
    return this.construct(target, args, origin);
  }

  exhausted(): boolean {
    return ++this.steps > STEP_BUDGET || ++this.total > TOTAL_BUDGET || this.isFruitless();
  }

  private isFruitless(): boolean {
    return this.limit !== undefined && this.steps > this.limit.steps && this.made === this.limit.made;
  }

  /** What a function returns. */
  call(target: FunctionValue, args: Arguments): PythonValue {
    this.steps = 0;
    return this.run(target, args, undefined);
  }

  private find(path: string, file: string): PythonValue | undefined {
    const found = this.resolve(path, file);
    // Whatever follows is in vain.
    if (this.resolve.waits?.()) this.steps = Number.POSITIVE_INFINITY;
    return found;
  }

  operate(operator: string, left: PythonValue, right: PythonValue, span: Span): PythonValue {
    return this.world?.operate(operator, left, right, span) ?? operate(operator, left, right);
  }

  imported(path: string, file: string): PythonValue {
    return this.find(path, file) ?? { kind: 'path', path };
  }

  /** What a function returns to code that is running. */
  nested(target: FunctionValue, args: Arguments): PythonValue {
    return this.run(target, args, target.self?.class);
  }

  /** What a class inherits from. */
  bases(target: ClassValue): readonly PythonValue[] {
    return basesOf(this, target);
  }

  private construct(target: ClassValue, args: Arguments, origin: Place): ObjectValue {
    const object: ObjectValue = {
      kind: 'object',
      type: target.statement.name,
      class: target,
      attributes: new Map(),
      origin,
      args,
    };
    const { constructing, limit } = this;
    this.constructing = !this.world;
    this.limit = undefined;
    initialise(this, object, target, args);
    this.constructing = constructing;
    this.limit = limit;
    return object;
  }

  run(target: FunctionValue, args: Arguments, owner: ClassValue | undefined): PythonValue {
    const { statement } = target;
    if (this.depth >= MAXIMUM_DEPTH || this.steps > STEP_BUDGET) return unknownValue;
    // What calls itself where nobody knows whether it does would go on without end.
    const times = this.running.get(statement) ?? 0;
    if (this.undecided > 0 && times >= MAXIMUM_UNDECIDED) return unknownValue;
    const { limit } = this;
    if (this.constructing && !limit && !isConstructor(statement))
      this.limit = { steps: this.steps + FRUITLESS_STEPS, made: this.made };
    this.depth++;
    this.running.set(statement, times + 1);
    this.world?.entered(statement);
    const around = target.closure ?? this.world?.globalsOf(target.file);
    const environment: Environment = { names: new Map(), outer: around };
    const frame = { scope: target.scope, environment, file: target.file, self: target.self, owner };
    bindParameters(this, target, args, frame);
    const value = this.within(target.file, () =>
      'kind' in statement && statement.kind === 'lambda'
        ? this.value(statement.body, frame)
        : this.body(statement as FunctionStatement, frame),
    );
    this.depth--;
    this.running.set(statement, times);
    const wasCut = this.isFruitless();
    this.limit = limit;
    return wasCut ? unknownValue : value;
  }

  private body(statement: FunctionStatement, frame: Frame): PythonValue {
    const ending = runBlock(this, statement.body, frame);
    return ending?.kind === 'return' ? ending.value : constantValue(null);
  }

  value(expression: Expression, frame: Frame): PythonValue {
    if (this.exhausted()) return unknownValue;
    switch (expression.kind) {
      case 'constant':
        return constantValue(expression.value);
      case 'format': {
        const texts = expression.pieces.map((piece) =>
          typeof piece === 'string' ? piece : textOf(this.value(piece, frame)),
        );
        return texts.every((text) => text !== undefined) ? constantValue(texts.join('')) : unknownValue;
      }
      case 'name':
        return this.name(expression.name, expression, frame);
      case 'attribute':
        return this.attribute(expression, frame);
      case 'list':
      case 'tuple':
      case 'set':
        return { kind: 'list', items: expression.items.flatMap((item) => this.item(item, frame)) };
      case 'dict': {
        const entries = new Map<string, PythonValue>();
        for (const entry of expression.entries) {
          const value = this.value(entry.value, frame);
          const key = entry.key && textOf(this.value(entry.key, frame));
          if (key !== undefined) entries.set(key, value);
          else if (!entry.key && value.kind === 'dict')
            for (const [name, one] of value.entries) entries.set(name, one);
        }
        return { kind: 'dict', entries };
      }
      case 'unary': {
        const operand = this.value(expression.operand, frame);
        if (expression.operator === 'not') {
          const truth = truthOf(operand);
          return truth === undefined ? unknownValue : constantValue(!truth);
        }
        return expression.operator === '-'
          ? this.operate('-', constantValue(0), operand, expression.span)
          : operand;
      }
      case 'binary':
        return this.binary(expression, frame);
      case 'subscript': {
        const [index, ...more] = expression.indexes;
        const object = this.value(expression.object, frame);
        const found = this.world?.subscript(object, expression.indexes, expression.span);
        if (found) return found;
        if (!index || more.length > 0) return unknownValue;
        return subscript(object, index, (part) => this.value(part, frame));
      }
      case 'comprehension':
        return comprehension(this, expression, frame);
      case 'lambda':
        return {
          kind: 'function',
          statement: expression,
          scope: frame.scope,
          closure: frame.environment,
          self: undefined,
          file: frame.file,
        };
      case 'call':
        return this.callExpression(expression, frame);
      case 'slice':
        return unknownValue;
      case 'other':
        return expression.type === 'conditional_expression'
          ? this.conditional(expression.parts, frame)
          : unknownValue;
    }
  }

  /** `*items` inside a list. */
  private item(expression: Expression, frame: Frame): readonly PythonValue[] {
    if (expression.kind !== 'other' || expression.type !== 'list_splat')
      return [this.value(expression, frame)];
    const [inside] = expression.parts;
    return (inside && iterate(this.value(inside, frame))) ?? [unknownValue];
  }

  /** `body if test else other`. */
  private conditional(parts: readonly Expression[], frame: Frame): PythonValue {
    const [body, test, other] = parts;
    if (!body || !test || !other) return unknownValue;
    const truth = truthOf(this.value(test, frame));
    if (truth !== undefined) return this.value(truth ? body : other, frame);
    return preferred(this.value(body, frame), this.value(other, frame));
  }

  private binary(expression: Extract<Expression, { kind: 'binary' }>, frame: Frame): PythonValue {
    const { operator, left, right, span } = expression;
    const first = this.value(left, frame);
    if (operator !== 'and' && operator !== 'or')
      return this.operate(operator, first, this.value(right, frame), span);
    const truth = truthOf(first);
    if (truth === undefined) return preferred(first, this.value(right, frame));
    return truth === (operator === 'or') ? first : this.value(right, frame);
  }

  private name(name: string, expression: Expression, frame: Frame): PythonValue {
    for (let at: Environment | undefined = frame.environment; at; at = at.outer) {
      const found = at.names.get(name);
      if (found) return found;
    }
    const path = pathOf(expression, frame.scope);
    if (path !== undefined) return this.find(path, frame.file) ?? { kind: 'path', path };
    const binding = soleBinding(frame.scope, name);
    const { file } = frame;
    switch (binding?.kind) {
      case 'class':
      case 'function':
        return definedValue(binding, file);
      case 'variable':
        return binding.value && !this.isLocal(frame.scope, name)
          ? this.variable(binding, binding.value, frame)
          : unknownValue;
      default:
        return binding ? unknownValue : this.starred(name, frame);
    }
  }

  /** A name that a star import may have brought. */
  private starred(name: string, { scope, file }: Frame): PythonValue {
    for (const path of starPaths(scope, name)) {
      const found = this.find(path, file);
      if (found) return found;
      if (/^torch\.nn\.[A-Z]\w*$/.test(path)) return { kind: 'path', path };
    }
    return ownTypes.has(name) ? { kind: 'path', path: `builtins.${name}` } : unknownValue;
  }

  /** `x = f(x)` at the level of the module reads itself; such a variable has no value that is known. */
  private variable(binding: Binding, value: Expression, frame: Frame): PythonValue {
    if (this.reading.has(binding)) return unknownValue;
    this.reading.add(binding);
    const found = this.value(value, frame);
    this.reading.delete(binding);
    return found;
  }

  /** A local variable that has no value yet must not be looked up from its own later assignment. */
  private isLocal(scope: Scope, name: string): boolean {
    return scope.kind === 'function' && scope.names.has(name);
  }

  private attribute(expression: Extract<Expression, { kind: 'attribute' }>, frame: Frame): PythonValue {
    const object = this.value(expression.object, frame);
    const { attribute } = expression;
    switch (object.kind) {
      case 'path': {
        const path = `${object.path}.${attribute}`;
        return this.find(path, frame.file) ?? { kind: 'path', path };
      }
      case 'object': {
        const own = object.attributes.get(attribute);
        if (own) return own;
        const method = object.class && methodOf(this, object.class, attribute);
        if (method) return { ...method.function, self: object };
        if (object.class) return inheritedAttribute(this, object, object.class, attribute, frame);
        return this.world?.attribute(object, attribute) ?? unknownValue;
      }
      case 'class':
        return classAttribute(this, object, attribute, frame);
      default:
        return this.world?.attribute(object, attribute) ?? unknownValue;
    }
  }

  private callExpression(expression: CallExpression, frame: Frame): PythonValue {
    const args = this.arguments(expression, frame);
    const origin = { file: frame.file, span: expression.span };
    const { callee } = expression;
    if (frame.file === this.world?.file) this.site = expression.span;
    if (callee.kind === 'attribute') {
      if (isSuperCall(callee.object)) return this.callSuper(callee.attribute, args, frame);
      const object = this.value(callee.object, frame);
      const outside =
        object.kind !== 'path' && !(object.kind === 'object' && object.class)
          ? this.world?.method(object, callee.attribute, args, origin)
          : undefined;
      if (outside) return outside;
      const known =
        object.kind === 'list' || object.kind === 'dict'
          ? callMethod(object, callee.attribute, args)
          : object.kind === 'constant' && typeof object.value === 'string'
            ? callTextMethod(object.value, callee.attribute, args)
            : object.kind === 'object' && !(object.class && methodOf(this, object.class, callee.attribute))
              ? callModuleMethod(object, callee.attribute, args)
              : undefined;
      if (known) return known;
    }
    if (callee.kind === 'name') {
      const special = callBuiltin(callee.name, args, frame);
      if (special) return special;
    }
    return this.invoke(this.value(callee, frame), args, origin, frame);
  }

  private callSuper(method: string, args: Arguments, frame: Frame): PythonValue {
    const { self, owner } = frame;
    if (!self || !owner) return unknownValue;
    if (method === '__init__') {
      initialiseBase(this, self, owner, args);
      return constantValue(null);
    }
    for (const base of basesOf(this, owner)) {
      const found = base.kind === 'class' ? methodOf(this, base, method) : undefined;
      if (found) return this.run({ ...found.function, self }, args, found.owner);
    }
    return callModuleMethod(self, method, args) ?? unknownValue;
  }

  private invoke(target: PythonValue, args: Arguments, origin: Place, frame: Frame): PythonValue {
    switch (target.kind) {
      case 'class':
        if (this.depth >= MAXIMUM_DEPTH) return unknownValue;
        return this.world?.instantiate(target, args, origin) ?? this.construct(target, args, origin);
      case 'function': {
        const owner = target.self?.class && ownerOf(target, target.self.class, frame);
        return handedOut(this.run(target, args, owner), target, origin);
      }
      case 'partial': {
        const positional = [...target.args.positional, ...args.positional];
        const keywords = new Map([...target.args.keywords, ...args.keywords]);
        return this.invoke(target.target, { positional, keywords }, origin, frame);
      }
      case 'path': {
        const value =
          this.world?.call(target.path, args, origin) ??
          // What runs as a whole knows tensors of its own.
          (this.world ? undefined : tensorOf(target.path, args, origin)) ??
          callPath(target.path, args, origin);
        if (value.kind === 'object' && isModule(value)) this.made++;
        return value;
      }
      default: {
        const called = target.kind === 'object' && target.class && methodOf(this, target.class, '__call__');
        if (called) return this.run({ ...called.function, self: target }, args, called.owner);
        return this.world?.apply(target, args, origin) ?? unknownValue;
      }
    }
  }

  private arguments(expression: CallExpression, frame: Frame): Arguments {
    const positional: PythonValue[] = [];
    const keywords = new Map<string, PythonValue>();
    for (const argument of expression.args) {
      const value = this.value(argument.value, frame);
      if (argument.star === '*') positional.push(...(iterate(value) ?? [unknownValue]));
      else if (argument.star === '**') {
        if (value.kind === 'dict') for (const [name, one] of value.entries) keywords.set(name, one);
        else if (this.world) keywords.set('**', value);
      } else if (argument.keyword !== undefined) keywords.set(argument.keyword, value);
      else positional.push(value);
    }
    return { positional, keywords };
  }
}

/** A layer, or what holds layers. */
function isModule({ type, attributes }: ObjectValue): boolean {
  return type.startsWith('torch.nn.') || attributes.size > 0;
}

const constructors: ReadonlySet<string> = new Set(['__init__', '__new__', '__post_init__']);

function isConstructor(statement: FunctionValue['statement']): boolean {
  return statement.kind === 'function' && constructors.has(statement.name);
}

/** Notes the call on what its function made: `self.conv1 = conv3x3(…)`. */
function handedOut(value: PythonValue, { file, statement }: FunctionValue, call: Place): PythonValue {
  if (value.kind !== 'object') return value;
  const made = value.handedOut?.at(-1) ?? value.origin;
  const [start, end] = made.span;
  if (made.file === file && statement.span[0] <= start && end <= statement.span[1])
    value.handedOut = [...(value.handedOut ?? []), call];
  return value;
}
