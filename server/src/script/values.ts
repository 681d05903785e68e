/** Folding of simple constants: literals, arithmetic on them, names bound once, lists and dictionaries of those. */
import { pathOf, type Scope, soleBinding } from './names';
import type { Expression } from './syntax';

/** What an expression is known to be. Unknown stays unknown. */
export type Value =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'none' }
  | { readonly kind: 'list'; readonly items: readonly Value[] }
  /** Keys that are not strings are left out; `open` when a `**other` is inside. */
  | { readonly kind: 'dict'; readonly entries: ReadonlyMap<string, Value>; readonly open: boolean }
  /** An imported name: `torch.qint8`. */
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'unknown' };

const unknown: Value = { kind: 'unknown' };
const MAXIMUM_DEPTH = 16;

/** Value of an expression as seen from a scope. Loops, branches and calls give `unknown`. */
export function evaluate(expression: Expression, scope: Scope, depth = 0): Value {
  if (depth > MAXIMUM_DEPTH) return unknown;
  const inside = (part: Expression) => evaluate(part, scope, depth + 1);
  switch (expression.kind) {
    case 'constant':
      return constant(expression.value);
    case 'name': {
      const path = pathOf(expression, scope);
      if (path !== undefined) return { kind: 'path', path };
      const binding = soleBinding(scope, expression.name);
      return binding?.kind === 'variable' && binding.value ? inside(binding.value) : unknown;
    }
    case 'attribute': {
      const path = pathOf(expression, scope);
      return path === undefined ? unknown : { kind: 'path', path };
    }
    case 'list':
    case 'tuple':
    case 'set':
      return { kind: 'list', items: expression.items.map(inside) };
    case 'dict': {
      const entries = new Map<string, Value>();
      let open = false;
      for (const entry of expression.entries) {
        const key = entry.key && inside(entry.key);
        if (key?.kind === 'string') entries.set(key.value, inside(entry.value));
        else open ||= key === undefined || key.kind === 'unknown';
      }
      return { kind: 'dict', entries, open };
    }
    case 'unary': {
      const operand = inside(expression.operand);
      if (expression.operator === 'not' && operand.kind === 'boolean')
        return { kind: 'boolean', value: !operand.value };
      if (operand.kind !== 'number') return unknown;
      if (expression.operator === '-') return { kind: 'number', value: -operand.value };
      return expression.operator === '+' ? operand : unknown;
    }
    case 'binary':
      return binary(expression.operator, inside(expression.left), inside(expression.right));
    default:
      return unknown;
  }
}

function constant(value: number | string | boolean | null): Value {
  if (value === null) return { kind: 'none' };
  switch (typeof value) {
    case 'number':
      return { kind: 'number', value };
    case 'string':
      return { kind: 'string', value };
    default:
      return { kind: 'boolean', value };
  }
}

function binary(operator: string, left: Value, right: Value): Value {
  if (left.kind === 'string' && right.kind === 'string' && operator === '+')
    return { kind: 'string', value: left.value + right.value };
  if (left.kind === 'list' && right.kind === 'list' && operator === '+')
    return { kind: 'list', items: [...left.items, ...right.items] };
  if (left.kind !== 'number' || right.kind !== 'number') return unknown;
  const result = arithmetic[operator]?.(left.value, right.value);
  return result === undefined || !Number.isFinite(result) ? unknown : { kind: 'number', value: result };
}

/** Operators on numbers; Python's floor division and modulo follow the sign of the divisor. */
export const arithmetic: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '//': (a, b) => Math.floor(a / b),
  '%': (a, b) => a - b * Math.floor(a / b),
  '**': (a, b) => a ** b,
};

/** Number of a value, or undefined. */
export function numberOf(value: Value | undefined): number | undefined {
  return value?.kind === 'number' ? value.value : undefined;
}

export function stringOf(value: Value | undefined): string | undefined {
  return value?.kind === 'string' ? value.value : undefined;
}

export function booleanOf(value: Value | undefined): boolean | undefined {
  return value?.kind === 'boolean' ? value.value : undefined;
}

export function pathOfValue(value: Value | undefined): string | undefined {
  return value?.kind === 'path' ? value.path : undefined;
}
