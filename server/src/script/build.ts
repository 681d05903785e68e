/** Syntax tree of tree-sitter-python → statements as plain data. Broken code keeps what could be read inside it. */
import type { Node } from 'web-tree-sitter';
import {
  callArguments,
  endOf,
  expression,
  meaningful,
  parameters,
  recordSpans,
  spanOf,
} from './build-expressions';
import { type Piece, PieceStore } from './reuse';
import type { Comment, Expression, Span, Statement } from './syntax';

/** What is being built now: one text at a time, one stretch of it after the other. */
let source = '';
let origin = 0;
let store = new PieceStore([]);

/** A stretch of a text with its syntax tree. */
export interface Stretch {
  readonly root: Node;
  /** Where it begins in the text. */
  readonly start: number;
}

/** Builds the statements of stretches; those that `found` knows of earlier texts are not built again but moved. */
export function buildPieces(
  stretches: readonly Stretch[],
  text: string,
  found: PieceStore,
): readonly { readonly pieces: readonly Piece[]; readonly complete: boolean }[] {
  source = text;
  store = found;
  // First what stood on its own before; only then is it clear which statements may be taken from inside others.
  const known = stretches.map(({ root, start }) => {
    startAt(start);
    return root.namedChildren.map((node) => ({ node, piece: knownPiece(node) }));
  });
  return stretches.map(({ root, start }, at) => {
    startAt(start);
    const pieces = (known[at] ?? []).map(({ node, piece }) => piece ?? newPiece(node));
    return { pieces, complete: !root.hasError };
  });
}

/** The same for one stretch of a text of which nothing is known, in steps: other texts may be built in between. */
export function* pieceSteps(
  { root, start }: Stretch,
  text: string,
): Generator<void, { readonly pieces: readonly Piece[]; readonly complete: boolean }> {
  const own = new PieceStore([]);
  const resume = () => {
    source = text;
    store = own;
    startAt(start);
  };
  const pieces: Piece[] = [];
  for (const node of root.namedChildren) {
    resume();
    const isLong = node.type === 'class_definition' && node.endIndex - node.startIndex > LONG;
    if (isLong) pieces.push(yield* classSteps(node, resume));
    else pieces.push(newPiece(node));
  }
  return { pieces, complete: !root.hasError };
}

/** Characters from which on a class is built statement by statement. */
const LONG = 6000;

function* classSteps(node: Node, resume: () => void): Generator<void, Piece> {
  const piece = store.open(node.type, textOf(node), origin + node.startIndex, !node.hasError);
  const body: Statement[] = [];
  for (const inside of meaningful(node.childForFieldName('body') ?? node)) {
    body.push(...statement(inside));
    yield;
    resume();
  }
  piece.comments = node.descendantsOfType('comment').map(comment);
  store.close(piece, [classOf(node, [], body)]);
  return piece;
}

function startAt(offset: number): void {
  origin = offset;
  recordSpans(store.span, offset);
}

function knownPiece(node: Node): Piece | undefined {
  const { type } = node;
  if (type === 'comment' || node.hasError) return undefined;
  return store.findOuter(type, textOf(node), origin + node.startIndex);
}

function newPiece(node: Node): Piece {
  let comments: readonly Comment[] = [];
  const piece = store.build(node.type, textOf(node), origin + node.startIndex, !node.hasError, () => {
    comments = (node.type === 'comment' ? [node] : node.descendantsOfType('comment')).map(comment);
    return node.type === 'comment' ? [] : built(node);
  });
  piece.comments = comments;
  return piece;
}

function textOf(node: Node): string {
  return source.slice(origin + node.startIndex, origin + node.endIndex);
}

function comment(node: Node): Comment {
  return { text: node.text.slice(1), span: spanOf(node) };
}

function block(node: Node | null): readonly Statement[] {
  return node ? meaningful(node).flatMap(statement) : [];
}

/** A statement inside another. */
function statement(node: Node): readonly Statement[] {
  const { type } = node;
  if (type === 'block') return block(node);
  const start = origin + node.startIndex;
  const text = textOf(node);
  const whole = !node.hasError;
  const known = whole ? store.findNested(type, text, start) : undefined;
  if (!known) return store.build(type, text, start, whole, () => built(node)).statements;
  store.adopt(known);
  return known.statements;
}

function built(node: Node): readonly Statement[] {
  const build = builders[node.type];
  return build ? build(node) : [unknown(node)];
}

/** Not read further, but calls and blocks inside it are seen. */
function unknown(node: Node): Statement {
  const expressions: Expression[] = [];
  const body: Statement[] = [];
  for (const child of meaningful(node)) {
    if (child.type === 'block') body.push(...block(child));
    else if (child.type in builders || child.type.endsWith('_clause')) body.push(...statement(child));
    else expressions.push(expression(child));
  }
  return { kind: 'other', type: node.type, expressions, body, span: spanOf(node) };
}

const builders: Readonly<Record<string, (node: Node) => readonly Statement[]>> = {
  import_statement: (node) => [
    {
      kind: 'import',
      modules: meaningful(node).map((child) => {
        const alias = child.childForFieldName('alias')?.text;
        const path = (child.childForFieldName('name') ?? child).text;
        return alias ? { path, alias } : { path };
      }),
      span: spanOf(node),
    },
  ],
  import_from_statement: fromImport,
  future_import_statement: () => [],
  expression_statement: (node) => {
    const [first, ...more] = meaningful(node);
    const span = spanOf(node);
    if (!first) return [];
    if (more.length === 0) return simple(first, span);
    return [
      { kind: 'expression', value: { kind: 'tuple', items: [first, ...more].map(expression), span }, span },
    ];
  },
  return_statement: (node) => {
    const value = meaningful(node)[0];
    return [{ kind: 'return', ...(value && { value: expression(value) }), span: spanOf(node) }];
  },
  if_statement: ifStatement,
  for_statement: (node) => [
    {
      kind: 'for',
      target: field(node, 'left'),
      iterable: field(node, 'right'),
      body: block(node.childForFieldName('body')),
      orElse: orElse(node),
      span: spanOf(node),
    },
  ],
  while_statement: (node) => [
    {
      kind: 'while',
      test: field(node, 'condition'),
      body: block(node.childForFieldName('body')),
      orElse: orElse(node),
      span: spanOf(node),
    },
  ],
  with_statement: (node) => [
    {
      kind: 'with',
      items: node.descendantsOfType('with_item').flatMap((item) => {
        const inside = enclosingWith(item)?.id === node.id ? item.childForFieldName('value') : null;
        return inside ? [withItem(inside)] : [];
      }),
      body: block(node.childForFieldName('body')),
      span: spanOf(node),
    },
  ],
  try_statement: (node) => [
    {
      kind: 'try',
      body: block(node.childForFieldName('body')),
      handlers: clauses(node, 'except_clause', 'except_group_clause').map(lastBlock),
      orElse: orElse(node),
      finally: clauses(node, 'finally_clause').flatMap(lastBlock),
      span: spanOf(node),
    },
  ],
  function_definition: (node) => definition(node, []),
  class_definition: (node) => definition(node, []),
  decorated_definition: (node) => {
    const inside = node.childForFieldName('definition');
    const decorators = clauses(node, 'decorator').flatMap((one) => meaningful(one).map(expression));
    return inside ? definition(inside, decorators) : [];
  },
  pass_statement: () => [],
  break_statement: (node) => [unknown(node)],
  continue_statement: (node) => [unknown(node)],
  block: (node) => block(node),
};

function field(node: Node, name: string): Expression {
  const child = node.childForFieldName(name);
  return child ? expression(child) : { kind: 'other', type: 'missing', parts: [], span: endOf(node) };
}

/** An expression statement holds an assignment, an augmented one, or an expression. */
function simple(node: Node, span: Span): readonly Statement[] {
  if (node.type === 'augmented_assignment') {
    const operator = node.childForFieldName('operator')?.text.replace(/=$/, '') ?? '';
    return [{ kind: 'assign', targets: [field(node, 'left')], value: field(node, 'right'), operator, span }];
  }
  if (node.type !== 'assignment') return [{ kind: 'expression', value: expression(node), span }];
  const targets: Expression[] = [];
  let current: Node | null = node;
  while (current?.type === 'assignment') {
    targets.push(field(current, 'left'));
    current = current.childForFieldName('right');
  }
  return [{ kind: 'assign', targets, ...(current && { value: expression(current) }), span }];
}

function fromImport(node: Node): readonly Statement[] {
  const source = node.childForFieldName('module_name');
  const prefix = source?.type === 'relative_import' ? source.namedChildren[0]?.text.trim() : undefined;
  const dotted = source?.type === 'relative_import' ? source.namedChildren[1] : source;
  const names = node.childrenForFieldName('name').map((child) => {
    const alias = child.childForFieldName('alias')?.text;
    const name = (child.childForFieldName('name') ?? child).text;
    return { name, ...(alias && { alias }), span: spanOf(child) };
  });
  return [
    {
      kind: 'from-import',
      module: dotted?.text ?? '',
      level: prefix?.replaceAll(/[^.]/g, '').length ?? 0,
      names,
      star: clauses(node, 'wildcard_import').length > 0,
      span: spanOf(node),
    },
  ];
}

/** The chain of `elif` and `else` clauses nests from the right. */
function ifStatement(node: Node): readonly Statement[] {
  let rest: readonly Statement[] = [];
  for (const clause of node.childrenForFieldName('alternative').reverse()) {
    if (clause.type === 'else_clause') rest = lastBlock(clause);
    else rest = [branch(clause, rest)];
  }
  return [branch(node, rest)];
}

function branch(node: Node, rest: readonly Statement[]): Statement {
  return {
    kind: 'if',
    test: field(node, 'condition'),
    body: block(node.childForFieldName('consequence')),
    orElse: rest,
    span: spanOf(node),
  };
}

function orElse(node: Node): readonly Statement[] {
  return clauses(node, 'else_clause').flatMap(lastBlock);
}

function clauses(node: Node, ...types: readonly string[]): readonly Node[] {
  return node.namedChildren.filter((child) => types.includes(child.type));
}

function lastBlock(clause: Node): readonly Statement[] {
  return clauses(clause, 'block').flatMap(block);
}

function enclosingWith(node: Node): Node | null {
  let current = node.parent;
  while (current && current.type !== 'with_statement') current = current.parent;
  return current;
}

function withItem(value: Node): { context: Expression; target?: Expression } {
  const alias = value.type === 'as_pattern' ? value.childForFieldName('alias') : null;
  return { context: expression(value), ...(alias && { target: expression(alias) }) };
}

function definition(node: Node, decorators: readonly Expression[]): readonly Statement[] {
  const body = block(node.childForFieldName('body'));
  return [
    node.type === 'class_definition' ? classOf(node, decorators, body) : functionOf(node, decorators, body),
  ];
}

function classOf(node: Node, decorators: readonly Expression[], body: readonly Statement[]): Statement {
  const list = node.childForFieldName('superclasses');
  return { kind: 'class', ...definedIn(node, decorators, body), bases: list ? callArguments(list) : [] };
}

function functionOf(node: Node, decorators: readonly Expression[], body: readonly Statement[]): Statement {
  const list = node.childForFieldName('parameters');
  return { kind: 'function', ...definedIn(node, decorators, body), parameters: list ? parameters(list) : [] };
}

function definedIn(node: Node, decorators: readonly Expression[], body: readonly Statement[]) {
  const name = node.childForFieldName('name');
  const nameSpan = name ? spanOf(name) : spanOf(node);
  return { name: name?.text ?? '', nameSpan, decorators, body, span: spanOf(node) };
}
