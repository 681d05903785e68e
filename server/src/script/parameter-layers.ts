/**
 * Layers that a class of the workspace makes of bare parameters: `self.weight = nn.Parameter(torch.empty(inputs, outputs))`
 * that its `forward` hands to `F.linear`, `torch.addmm`, `@` or a convolution as it is. Hugging Face writes its `Conv1D`
 * so. What is computed from a parameter first is no layer: nobody would know what a file holds of it.
 */
import { type Arguments, numberIn, type ObjectValue, type Place, type PythonValue } from './interpret-values';
import { pathOf, type Scope } from './names';
import { argument } from './program';
import type { FunctionStatement } from './syntax';
import { blocks, type CallExpression, type Expression, expressionsOf, parts, type Statement } from './syntax';

/** Type of a tensor of known sizes, and of what makes a parameter of it. */
export const tensorType = 'torch.Tensor';
const parameterTypes: ReadonlySet<string> = new Set(['torch.nn.Parameter', 'torch.nn.parameter.Parameter']);

const tensorMakers: ReadonlySet<string> = new Set(
  ['empty', 'zeros', 'ones', 'rand', 'randn', 'Tensor', 'FloatTensor'].map((name) => `torch.${name}`),
);

type WeightArgument = readonly [keyword: string, position: number];

/** Functions that take a weight, by where they take it. */
const weightArguments: ReadonlyMap<string, WeightArgument> = new Map<string, WeightArgument>([
  ['torch.addmm', ['mat2', 2]],
  ['torch.matmul', ['other', 1]],
  ['torch.mm', ['mat2', 1]],
  ...['linear', 'embedding', 'conv1d', 'conv2d', 'conv3d'].map((name): [string, WeightArgument] => [
    `torch.nn.functional.${name}`,
    ['weight', 1],
  ]),
]);

/** A layer made of a parameter. */
export interface ParameterLayer {
  /** Attribute of its module. */
  readonly name: string;
  readonly parameter: ObjectValue;
  readonly shape: readonly (number | null)[] | undefined;
}

/** The tensor that a call makes whose arguments are its sizes. */
export function tensorOf(path: string, args: Arguments, origin: Place): ObjectValue | undefined {
  if (!tensorMakers.has(path)) return undefined;
  return { kind: 'object', type: tensorType, class: undefined, attributes: new Map(), origin, args };
}

export function isParameter(value: PythonValue): value is ObjectValue {
  return value.kind === 'object' && parameterTypes.has(value.type);
}

/** Layers of a module, given what its class runs; in the order of assignment. */
export function parameterLayers(
  module: ObjectValue,
  forward: { readonly statement: FunctionStatement; readonly scope: Scope },
): readonly ParameterLayer[] {
  const weights = weightsIn(forward.statement, forward.scope);
  return [...module.attributes].flatMap(([name, parameter]) =>
    isParameter(parameter) && weights.has(name) ? [{ name, parameter, shape: shapeOf(parameter) }] : [],
  );
}

const knownWeights = new WeakMap<FunctionStatement, ReadonlySet<string>>();

/** Attributes of its own object that a function uses as weights. */
function weightsIn(statement: FunctionStatement, scope: Scope): ReadonlySet<string> {
  const known = knownWeights.get(statement);
  if (known) return known;
  const self = statement.parameters[0]?.name ?? 'self';
  const found = new Set<string>();
  const visit = (expression: Expression) => {
    const weight = weightOf(expression, scope);
    const name = weight && ownAttribute(weight, self);
    if (name !== undefined) found.add(name);
    for (const part of parts(expression)) visit(part);
  };
  const visitAll = (statements: readonly Statement[]) => {
    for (const one of statements) {
      for (const expression of expressionsOf(one)) visit(expression);
      for (const block of blocks(one)) visitAll(block);
    }
  };
  visitAll(statement.body);
  knownWeights.set(statement, found);
  return found;
}

/** What an expression multiplies or convolves its input with. */
function weightOf(expression: Expression, scope: Scope): Expression | undefined {
  if (expression.kind === 'binary') return expression.operator === '@' ? expression.right : undefined;
  if (expression.kind !== 'call') return undefined;
  const place = weightArguments.get(pathOf(expression.callee, scope) ?? '');
  const given = place && argument({ expression }, ...place);
  return given === undefined || given === 'hidden' ? undefined : given.value;
}

/** `weight` of `self.weight`, `self.weight.t()`, `self.weight.T`. */
function ownAttribute(expression: Expression, self: string): string | undefined {
  const plain = turnedOf(expression) ?? expression;
  return plain.kind === 'attribute' && plain.object.kind === 'name' && plain.object.name === self
    ? plain.attribute
    : undefined;
}

function turnedOf(expression: Expression): Expression | undefined {
  if (expression.kind === 'attribute' && expression.attribute === 'T') return expression.object;
  if (expression.kind !== 'call' || expression.args.length > 0) return undefined;
  const { callee }: CallExpression = expression;
  return callee.kind === 'attribute' && callee.attribute === 't' ? callee.object : undefined;
}

/** Sizes of the tensor that a parameter is made of. */
function shapeOf({ args }: ObjectValue): ParameterLayer['shape'] {
  const data = args.positional[0] ?? args.keywords.get('data');
  if (data?.kind !== 'object' || data.type !== tensorType) return undefined;
  const [first, ...others] = data.args.positional;
  const sizes = first?.kind === 'list' && others.length === 0 ? first.items : data.args.positional;
  return sizes.length === 0 ? undefined : sizes.map((size) => numberIn(size) ?? null);
}
