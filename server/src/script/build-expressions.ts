/** Syntax tree of tree-sitter-python → expressions as plain data. Node names are those of its grammar.js. */
import type { Node } from 'web-tree-sitter';
import type { Argument, Expression, Parameter, Span } from './syntax';

type MakeSpan = (start: number, end: number) => Span;

let makeSpan: MakeSpan = (start, end) => [start, end];
let origin = 0;

/**
 * Has every span made by `make`, so that what is built can be moved later.
 * @param start of what is built in the whole text.
 */
export function recordSpans(make: MakeSpan, start: number): void {
  makeSpan = make;
  origin = start;
}

export function spanOf(node: Node): Span {
  return makeSpan(origin + node.startIndex, origin + node.endIndex);
}

/** The place behind a node, where something is missing. */
export function endOf(node: Node): Span {
  const end = origin + node.endIndex;
  return makeSpan(end, end);
}

/** Children that carry meaning; comments may stand anywhere. */
export function meaningful(node: Node): readonly Node[] {
  return node.namedChildren.filter((child) => child.type !== 'comment');
}

/** Levels of nesting that are read; deeper is no code a person wrote, and the stack ends somewhere. */
const MAXIMUM_NESTING = 300;
let nesting = 0;

/** Builds one expression; what is unknown becomes `other` with its parts. */
export function expression(node: Node): Expression {
  if (nesting >= MAXIMUM_NESTING) return { kind: 'other', type: node.type, parts: [], span: spanOf(node) };
  nesting++;
  try {
    const build = builders[node.type];
    return build ? build(node) : other(node);
  } finally {
    nesting--;
  }
}

/** Empty when the field is missing, as in broken code. */
function field(node: Node, name: string): Expression {
  const child = node.childForFieldName(name);
  return child ? expression(child) : missing(node);
}

function missing(node: Node): Expression {
  return { kind: 'other', type: 'missing', parts: [], span: endOf(node) };
}

function other(node: Node): Expression {
  return { kind: 'other', type: node.type, parts: meaningful(node).map(expression), span: spanOf(node) };
}

const builders: Readonly<Record<string, (node: Node) => Expression>> = {
  identifier: (node) => ({ kind: 'name', name: node.text, span: spanOf(node) }),
  integer: number,
  float: number,
  true: (node) => ({ kind: 'constant', value: true, span: spanOf(node) }),
  false: (node) => ({ kind: 'constant', value: false, span: spanOf(node) }),
  none: (node) => ({ kind: 'constant', value: null, span: spanOf(node) }),
  string,
  concatenated_string: (node) => {
    return joined(meaningful(node).flatMap(stringPieces), spanOf(node));
  },
  attribute: (node) => {
    const attribute = node.childForFieldName('attribute');
    return {
      kind: 'attribute',
      object: field(node, 'object'),
      attribute: attribute?.text ?? '',
      attributeSpan: attribute ? spanOf(attribute) : endOf(node),
      span: spanOf(node),
    };
  },
  call,
  list: sequence('list'),
  list_pattern: sequence('list'),
  tuple: sequence('tuple'),
  tuple_pattern: sequence('tuple'),
  pattern_list: sequence('tuple'),
  expression_list: sequence('tuple'),
  set: sequence('set'),
  dictionary: (node) => ({
    kind: 'dict',
    entries: meaningful(node).map((entry) =>
      entry.type === 'pair'
        ? { key: field(entry, 'key'), value: field(entry, 'value') }
        : { value: inner(entry) },
    ),
    span: spanOf(node),
  }),
  unary_operator: (node) => ({
    kind: 'unary',
    operator: node.childForFieldName('operator')?.text ?? '',
    operand: field(node, 'argument'),
    span: spanOf(node),
  }),
  not_operator: (node) => ({
    kind: 'unary',
    operator: 'not',
    operand: field(node, 'argument'),
    span: spanOf(node),
  }),
  binary_operator: binary,
  boolean_operator: binary,
  comparison_operator: comparison,
  subscript: (node) => ({
    kind: 'subscript',
    object: field(node, 'value'),
    indexes: node.childrenForFieldName('subscript').map(expression),
    span: spanOf(node),
  }),
  slice,
  list_comprehension: comprehension,
  set_comprehension: comprehension,
  dictionary_comprehension: comprehension,
  generator_expression: comprehension,
  lambda: (node) => {
    const list = node.childForFieldName('parameters');
    return {
      kind: 'lambda',
      parameters: list ? parameters(list) : [],
      body: field(node, 'body'),
      span: spanOf(node),
    };
  },
  parenthesized_expression: inner,
  await: inner,
  as_pattern: inner,
  as_pattern_target: inner,
};

/** The first expression inside a wrapper. */
function inner(node: Node): Expression {
  const child = meaningful(node)[0];
  return child ? expression(child) : missing(node);
}

function sequence(kind: 'list' | 'tuple' | 'set'): (node: Node) => Expression {
  return (node) => ({ kind, items: meaningful(node).map(expression), span: spanOf(node) });
}

function number(node: Node): Expression {
  const value = numberOf(node.text);
  return value === undefined ? other(node) : { kind: 'constant', value, span: spanOf(node) };
}

/** Python numerals: underscores, hexadecimal, octal, binary; complex ones have no value. */
function numberOf(text: string): number | undefined {
  const value = Number(text.replaceAll('_', ''));
  return Number.isNaN(value) ? undefined : value;
}

function string(node: Node): Expression {
  return joined(stringPieces(node), spanOf(node));
}

/** Text of a string and the expressions interpolated in it; escapes stay as written, save quotes and backslashes. */
function stringPieces(node: Node): readonly (string | Expression)[] {
  const raw = /^[a-z]*r/i.test(node.text);
  return node.namedChildren.flatMap((child): (string | Expression)[] => {
    if (child.type === 'interpolation') return [field(child, 'expression')];
    if (child.type !== 'string_content') return [];
    return [raw ? child.text : child.text.replace(/\\(['"\\])/g, '$1')];
  });
}

/** Without an interpolation it is a constant. */
function joined(pieces: readonly (string | Expression)[], span: Span): Expression {
  return pieces.every((piece) => typeof piece === 'string')
    ? { kind: 'constant', value: pieces.join(''), span }
    : { kind: 'format', pieces, span };
}

function binary(node: Node): Expression {
  return {
    kind: 'binary',
    operator: node.childForFieldName('operator')?.text ?? '',
    left: field(node, 'left'),
    right: field(node, 'right'),
    span: spanOf(node),
  };
}

/** `a < b <= c` keeps its operands only; `a == b` is a binary expression. */
function comparison(node: Node): Expression {
  const [left, right, ...more] = meaningful(node);
  const operators = node.childrenForFieldName('operators');
  if (!left || !right || more.length > 0 || operators.length === 0) return other(node);
  return {
    kind: 'binary',
    operator: operators.map((operator) => operator.text).join(' '),
    left: expression(left),
    right: expression(right),
    span: spanOf(node),
  };
}

/** The colons tell which of the three parts a child is. */
function slice(node: Node): Expression {
  const names = ['start', 'stop', 'step'] as const;
  const found: Partial<Record<(typeof names)[number], Expression>> = {};
  let at = 0;
  for (const child of node.children) {
    const name = names[at];
    if (child.type === ':') at++;
    else if (name && child.isNamed && child.type !== 'comment') found[name] = expression(child);
  }
  return { kind: 'slice', ...found, span: spanOf(node) };
}

function comprehension(node: Node): Expression {
  const children = meaningful(node);
  return {
    kind: 'comprehension',
    element: field(node, 'body'),
    loops: children
      .filter((child) => child.type === 'for_in_clause')
      .map((child) => ({ target: field(child, 'left'), iterable: field(child, 'right') })),
    conditions: children.filter((child) => child.type === 'if_clause').map(inner),
    span: spanOf(node),
  };
}

function call(node: Node): Expression {
  const list = node.childForFieldName('arguments');
  return {
    kind: 'call',
    callee: field(node, 'function'),
    args: list ? callArguments(list) : [],
    argsSpan: list ? spanOf(list) : endOf(node),
    span: spanOf(node),
  };
}

/** Arguments of a call or bases of a class. `f(x for x in y)` has the generator itself as its list. */
export function callArguments(list: Node): readonly Argument[] {
  if (list.type === 'generator_expression') return [{ value: expression(list), span: spanOf(list) }];
  return meaningful(list).map((child) => {
    const span = spanOf(child);
    switch (child.type) {
      case 'keyword_argument':
        return { keyword: child.childForFieldName('name')?.text ?? '', value: field(child, 'value'), span };
      case 'list_splat':
        return { star: '*', value: inner(child), span };
      case 'dictionary_splat':
        return { star: '**', value: inner(child), span };
      default:
        return { value: expression(child), span };
    }
  });
}

/** Parameters of a function or lambda; the separators `/` and `*` are left out. */
export function parameters(list: Node): readonly Parameter[] {
  return meaningful(list).flatMap((child): Parameter[] => {
    const name =
      child.type === 'identifier' ? child : (child.childForFieldName('name') ?? child.namedChild(0));
    const value = child.childForFieldName('value');
    const type = child.childForFieldName('type')?.namedChild(0);
    const parameter = {
      ...(value && { default: expression(value) }),
      ...(type && { annotation: expression(type) }),
    };
    switch (child.type) {
      case 'identifier':
      case 'default_parameter':
      case 'typed_default_parameter':
        return name ? [{ name: name.text, ...parameter }] : [];
      case 'list_splat_pattern':
        return name ? [{ name: name.text, star: '*' }] : [];
      case 'dictionary_splat_pattern':
        return name ? [{ name: name.text, star: '**' }] : [];
      case 'typed_parameter': {
        const star = { list_splat_pattern: '*', dictionary_splat_pattern: '**' } as const;
        const kind = name && name.type in star ? star[name.type as keyof typeof star] : undefined;
        const text = (kind ? name?.namedChild(0) : name)?.text;
        return text ? [{ name: text, ...(kind && { star: kind }), ...parameter }] : [];
      }
      default:
        return [];
    }
  });
}
