/**
 * Python syntax as plain data: what the analyser of training scripts needs of a program, no more. Offsets are UTF-16
 * indexes into the text. Code that does not parse becomes `other`, with whatever could be read inside it.
 */

/** Start and end offset, end exclusive. */
export type Span = readonly [start: number, end: number];

export interface Argument {
  /** Missing for a positional argument. */
  readonly keyword?: string;
  /** `*args` and `**kwargs` hide what is passed. */
  readonly star?: '*' | '**';
  readonly value: Expression;
  readonly span: Span;
}

export interface NameExpression {
  readonly kind: 'name';
  readonly name: string;
  readonly span: Span;
}

export interface AttributeExpression {
  readonly kind: 'attribute';
  readonly object: Expression;
  readonly attribute: string;
  readonly attributeSpan: Span;
  readonly span: Span;
}

export interface CallExpression {
  readonly kind: 'call';
  readonly callee: Expression;
  readonly args: readonly Argument[];
  /** Of the parenthesised argument list. */
  readonly argsSpan: Span;
  readonly span: Span;
}

export interface ConstantExpression {
  readonly kind: 'constant';
  readonly value: number | string | boolean | null;
  readonly span: Span;
}

/** An f-string: literal text and expressions in turn. */
export interface FormatExpression {
  readonly kind: 'format';
  readonly pieces: readonly (string | Expression)[];
  readonly span: Span;
}

/** List, tuple or set. */
export interface SequenceExpression {
  readonly kind: 'list' | 'tuple' | 'set';
  readonly items: readonly Expression[];
  readonly span: Span;
}

export interface DictionaryExpression {
  readonly kind: 'dict';
  /** A `**other` inside has no key. */
  readonly entries: readonly { readonly key?: Expression; readonly value: Expression }[];
  readonly span: Span;
}

export interface UnaryExpression {
  readonly kind: 'unary';
  readonly operator: string;
  readonly operand: Expression;
  readonly span: Span;
}

/** Arithmetic, comparison and boolean operators alike. */
export interface BinaryExpression {
  readonly kind: 'binary';
  readonly operator: string;
  readonly left: Expression;
  readonly right: Expression;
  readonly span: Span;
}

export interface SubscriptExpression {
  readonly kind: 'subscript';
  readonly object: Expression;
  readonly indexes: readonly Expression[];
  readonly span: Span;
}

/** `start:stop:step` inside a subscript. */
export interface SliceExpression {
  readonly kind: 'slice';
  readonly start?: Expression;
  readonly stop?: Expression;
  readonly step?: Expression;
  readonly span: Span;
}

/** `[element for target in iterable if …]` and its relatives. */
export interface ComprehensionExpression {
  readonly kind: 'comprehension';
  readonly element: Expression;
  readonly loops: readonly { readonly target: Expression; readonly iterable: Expression }[];
  readonly conditions: readonly Expression[];
  readonly span: Span;
}

export interface LambdaExpression {
  readonly kind: 'lambda';
  readonly parameters: readonly Parameter[];
  readonly body: Expression;
  readonly span: Span;
}

/** Anything else; its parts are still visited. */
export interface OtherExpression {
  readonly kind: 'other';
  readonly type: string;
  readonly parts: readonly Expression[];
  readonly span: Span;
}

export type Expression =
  | NameExpression
  | AttributeExpression
  | CallExpression
  | ConstantExpression
  | FormatExpression
  | SequenceExpression
  | DictionaryExpression
  | UnaryExpression
  | BinaryExpression
  | SubscriptExpression
  | SliceExpression
  | ComprehensionExpression
  | LambdaExpression
  | OtherExpression;

export interface Parameter {
  readonly name: string;
  readonly star?: '*' | '**';
  readonly default?: Expression;
  readonly annotation?: Expression;
}

export interface ImportStatement {
  readonly kind: 'import';
  /** `import a.b as c`: path `a.b`, alias `c`. */
  readonly modules: readonly { readonly path: string; readonly alias?: string }[];
  readonly span: Span;
}

export interface FromImportStatement {
  readonly kind: 'from-import';
  readonly module: string;
  /** Number of leading dots. */
  readonly level: number;
  readonly names: readonly { readonly name: string; readonly alias?: string; readonly span: Span }[];
  readonly star: boolean;
  readonly span: Span;
}

export interface AssignStatement {
  readonly kind: 'assign';
  /** `a = b = value` has two. A declaration `a: int` has no value. */
  readonly targets: readonly Expression[];
  readonly value?: Expression;
  /** `+` of `+=`. */
  readonly operator?: string;
  readonly span: Span;
}

export interface ExpressionStatement {
  readonly kind: 'expression';
  readonly value: Expression;
  readonly span: Span;
}

export interface ReturnStatement {
  readonly kind: 'return';
  readonly value?: Expression;
  readonly span: Span;
}

export interface IfStatement {
  readonly kind: 'if';
  readonly test: Expression;
  readonly body: readonly Statement[];
  /** `elif` is an `if` in here. */
  readonly orElse: readonly Statement[];
  readonly span: Span;
}

export interface ForStatement {
  readonly kind: 'for';
  readonly target: Expression;
  readonly iterable: Expression;
  readonly body: readonly Statement[];
  readonly orElse: readonly Statement[];
  readonly span: Span;
}

export interface WhileStatement {
  readonly kind: 'while';
  readonly test: Expression;
  readonly body: readonly Statement[];
  readonly orElse: readonly Statement[];
  readonly span: Span;
}

export interface WithStatement {
  readonly kind: 'with';
  readonly items: readonly { readonly context: Expression; readonly target?: Expression }[];
  readonly body: readonly Statement[];
  readonly span: Span;
}

export interface TryStatement {
  readonly kind: 'try';
  readonly body: readonly Statement[];
  readonly handlers: readonly (readonly Statement[])[];
  readonly orElse: readonly Statement[];
  readonly finally: readonly Statement[];
  readonly span: Span;
}

export interface FunctionStatement {
  readonly kind: 'function';
  readonly name: string;
  readonly nameSpan: Span;
  readonly parameters: readonly Parameter[];
  readonly decorators: readonly Expression[];
  readonly body: readonly Statement[];
  readonly span: Span;
}

export interface ClassStatement {
  readonly kind: 'class';
  readonly name: string;
  readonly nameSpan: Span;
  readonly bases: readonly Argument[];
  readonly decorators: readonly Expression[];
  readonly body: readonly Statement[];
  readonly span: Span;
}

/** `del`, `raise`, `assert`, `global`, `match`, broken code. */
export interface OtherStatement {
  readonly kind: 'other';
  readonly type: string;
  readonly expressions: readonly Expression[];
  readonly body: readonly Statement[];
  readonly span: Span;
}

export type Statement =
  | ImportStatement
  | FromImportStatement
  | AssignStatement
  | ExpressionStatement
  | ReturnStatement
  | IfStatement
  | ForStatement
  | WhileStatement
  | WithStatement
  | TryStatement
  | FunctionStatement
  | ClassStatement
  | OtherStatement;

export interface Comment {
  /** Without the hash sign. */
  readonly text: string;
  readonly span: Span;
}

export interface Module {
  readonly statements: readonly Statement[];
  readonly comments: readonly Comment[];
  /** False when some of the code did not parse. */
  readonly complete: boolean;
}

/** The expressions directly inside one. */
export function* parts(expression: Expression): Iterable<Expression> {
  switch (expression.kind) {
    case 'name':
    case 'constant':
      return;
    case 'attribute':
      yield expression.object;
      return;
    case 'call':
      yield expression.callee;
      for (const argument of expression.args) yield argument.value;
      return;
    case 'format':
      for (const piece of expression.pieces) if (typeof piece !== 'string') yield piece;
      return;
    case 'list':
    case 'tuple':
    case 'set':
      yield* expression.items;
      return;
    case 'dict':
      for (const entry of expression.entries) {
        if (entry.key) yield entry.key;
        yield entry.value;
      }
      return;
    case 'unary':
      yield expression.operand;
      return;
    case 'binary':
      yield expression.left;
      yield expression.right;
      return;
    case 'subscript':
      yield expression.object;
      yield* expression.indexes;
      return;
    case 'slice':
      if (expression.start) yield expression.start;
      if (expression.stop) yield expression.stop;
      if (expression.step) yield expression.step;
      return;
    case 'comprehension':
      for (const loop of expression.loops) {
        yield loop.target;
        yield loop.iterable;
      }
      yield* expression.conditions;
      yield expression.element;
      return;
    case 'lambda':
      for (const parameter of expression.parameters) if (parameter.default) yield parameter.default;
      yield expression.body;
      return;
    case 'other':
      yield* expression.parts;
  }
}

/** The blocks of statements directly inside one, in the order they run. */
export function blocks(statement: Statement): readonly (readonly Statement[])[] {
  switch (statement.kind) {
    case 'if':
    case 'for':
    case 'while':
      return [statement.body, statement.orElse];
    case 'with':
    case 'function':
    case 'class':
    case 'other':
      return [statement.body];
    case 'try':
      return [statement.body, ...statement.handlers, statement.orElse, statement.finally];
    default:
      return [];
  }
}

/**
 * Every statement of a block and of the blocks inside it, the outer before the inner, in the order of the text.
 * @param enters which statements are looked into; all when it is left out.
 */
export function* statementsIn(
  statements: readonly Statement[],
  enters: (statement: Statement) => boolean = () => true,
): Iterable<Statement> {
  for (const statement of statements) {
    yield statement;
    if (enters(statement)) for (const inside of blocks(statement)) yield* statementsIn(inside, enters);
  }
}

/** The expressions that belong to a statement itself, not to the statements inside it, in the order they run. */
export function expressionsOf(statement: Statement): readonly Expression[] {
  switch (statement.kind) {
    case 'assign':
      return statement.value ? [statement.value, ...statement.targets] : statement.targets;
    case 'expression':
      return [statement.value];
    case 'return':
      return statement.value ? [statement.value] : [];
    case 'if':
    case 'while':
      return [statement.test];
    case 'for':
      return [statement.iterable, statement.target];
    case 'with':
      return statement.items.flatMap(({ context, target }) => (target ? [context, target] : [context]));
    case 'function':
      return [
        ...statement.decorators,
        ...statement.parameters.flatMap((parameter) => (parameter.default ? [parameter.default] : [])),
      ];
    case 'class':
      return [...statement.decorators, ...statement.bases.map((base) => base.value)];
    case 'other':
      return statement.expressions;
    default:
      return [];
  }
}
