/** Whether the inputs that a function of a script hands out are random numbers and nothing else. */
import { canonicalPath } from '../../script/catalog';
import { lookUp, pathOf, type Scope } from '../../script/names';
import {
  type ClassStatement,
  type Expression,
  type FunctionStatement,
  type Statement,
  statementsIn,
} from '../../script/syntax';
import { ownStatements, yieldedValues } from './generators';

const random = new Set([
  'numpy.random.rand',
  'numpy.random.randn',
  'numpy.random.random',
  'numpy.random.random_sample',
  'numpy.random.uniform',
  'numpy.random.normal',
  'torch.rand',
  'torch.randn',
  'torch.rand_like',
  'torch.randn_like',
  'tensorflow.random.normal',
  'tensorflow.random.uniform',
]);

/** True for a call that makes a random array. */
export function isRandom(expression: Expression, scope: Scope): boolean {
  if (expression.kind !== 'call') return false;
  const path = pathOf(expression.callee, scope);
  return path !== undefined && random.has(canonicalPath(path));
}

/** Where values come from: the random calls, or `other` as soon as anything else than constants goes in. */
type Source = readonly Expression[] | 'other';

interface Place {
  readonly scope: Scope;
  readonly body: readonly Statement[];
  /** Class of a method: what its methods assign to `self`. */
  readonly owner: ClassStatement | undefined;
}

const MAXIMUM_DEPTH = 12;

/**
 * Random calls that make all inputs a generator yields, or a `get_next` returns. Empty when a part of them comes from
 * anywhere else: random values beside real samples are no random samples.
 */
export function randomInputs(
  statement: FunctionStatement,
  scope: Scope,
  owner?: ClassStatement,
): readonly Expression[] {
  const place: Place = { scope, body: statement.body, owner };
  const yielded = yieldedValues(statement.body);
  const returned = ownStatements(statement.body).flatMap((one) =>
    one.kind === 'return' && one.value ? [one.value] : [],
  );
  const found = joined((yielded.length > 0 ? yielded : returned).map((value) => sourceOf(value, place, 0)));
  return found === 'other' ? [] : [...new Set(found)];
}

function joined(sources: readonly Source[]): Source {
  const all: Expression[] = [];
  for (const source of sources) {
    if (source === 'other') return 'other';
    all.push(...source);
  }
  return all;
}

function sourceOf(value: Expression, place: Place, depth: number): Source {
  if (depth > MAXIMUM_DEPTH) return 'other';
  const inside = (part: Expression) => sourceOf(part, place, depth + 1);
  switch (value.kind) {
    case 'constant':
      return [];
    case 'list':
    case 'tuple':
      return joined(value.items.map(inside));
    case 'dict':
      return joined(value.entries.map((entry) => inside(entry.value)));
    case 'binary':
      return joined([inside(value.left), inside(value.right)]);
    case 'unary':
      return inside(value.operand);
    case 'subscript':
      return inside(value.object);
    case 'comprehension':
      return inside(value.element);
    case 'call':
      return sourceOfCall(value, place, depth);
    case 'name':
      return noise.test(value.name) ? 'other' : sourceOfName(value.name, place, depth);
    case 'attribute':
      return sourceOfAttribute(value, place, depth);
    default:
      return 'other';
  }
}

/** Inputs of generating networks: for them random numbers are real samples. */
const noise = /^z$|noise|latent/i;
/** Built-in functions that hand their argument on. */
const handsOn = /^(iter|next|list|tuple|enumerate)$/;

function sourceOfCall(call: Extract<Expression, { kind: 'call' }>, place: Place, depth: number): Source {
  if (isRandom(call, place.scope)) return [call];
  const { callee, args } = call;
  const [first] = args;
  // numpy.float32(x), tf.cast(x, …): the result is made of the first argument. np.load("x") is not: it has no random part.
  if (pathOf(callee, place.scope) !== undefined || (callee.kind === 'name' && handsOn.test(callee.name))) {
    const source = first ? sourceOf(first.value, place, depth + 1) : 'other';
    return source === 'other' || source.length === 0 ? 'other' : source;
  }
  return callee.kind === 'attribute' ? sourceOf(callee.object, place, depth + 1) : 'other';
}

function sourceOfName(name: string, place: Place, depth: number): Source {
  const bindings = lookUp(place.scope, name);
  if (bindings.length === 0) return 'other';
  return joined(
    bindings.map((binding): Source => {
      if (binding.kind !== 'variable') return 'other';
      if (binding.value) return sourceOf(binding.value, place, depth + 1);
      const loop = [...statementsIn(place.body)].find(
        (one) => one.kind === 'for' && one.target.kind === 'name' && one.target.name === name,
      );
      return loop?.kind === 'for' ? sourceOf(loop.iterable, place, depth + 1) : 'other';
    }),
  );
}

/** What methods of the class assign to `self.name`. */
function sourceOfAttribute(
  { object, attribute }: Extract<Expression, { kind: 'attribute' }>,
  place: Place,
  depth: number,
): Source {
  const { owner } = place;
  if (!owner || object.kind !== 'name' || object.name !== 'self') return 'other';
  const assigned = owner.body.flatMap((method) => {
    const scope = method.kind === 'function' ? place.scope.parent?.inner.get(method) : undefined;
    if (method.kind !== 'function' || !scope) return [];
    return ownStatements(method.body).flatMap((one) => {
      const isOwn =
        one.kind === 'assign' &&
        one.targets.some((target) => target.kind === 'attribute' && target.attribute === attribute);
      return isOwn && one.value && !one.operator ? [{ value: one.value, scope, body: method.body }] : [];
    });
  });
  if (assigned.length === 0) return 'other';
  return joined(assigned.map(({ value, scope, body }) => sourceOf(value, { scope, body, owner }, depth + 1)));
}
