/** Comprehensions of lists, sets and dictionaries; generators are taken as the list of what they yield. */
import { type Frame, isPair, type Machine } from './interpret-frame';
import { assign } from './interpret-statements';
import { iterate, type PythonValue, textOf, truthOf, unknownValue } from './interpret-values';
import type { Expression } from './syntax';

type Comprehension = Extract<Expression, { kind: 'comprehension' }>;

/** The list or dictionary that a comprehension makes. */
export function comprehension(machine: Machine, expression: Comprehension, frame: Frame): PythonValue {
  const items = comprehend(machine, expression, 0, frame);
  if (!isPair(expression.element)) return { kind: 'list', items };
  const entries = new Map<string, PythonValue>();
  for (const item of items) {
    const [key, value] = item.kind === 'list' ? item.items : [];
    const name = key && textOf(key);
    if (name === undefined || !value) return unknownValue;
    entries.set(name, value);
  }
  return { kind: 'dict', entries };
}

function comprehend(machine: Machine, expression: Comprehension, level: number, frame: Frame): PythonValue[] {
  const loop = expression.loops[level];
  if (!loop) {
    const kept = expression.conditions.every((test) => truthOf(machine.value(test, frame)) !== false);
    if (!kept) return [];
    const { element } = expression;
    if (!isPair(element)) return [machine.value(element, frame)];
    return [{ kind: 'list', items: element.parts.map((part) => machine.value(part, frame)) }];
  }
  const items = iterate(machine.value(loop.iterable, frame));
  return (items ?? (machine.world ? [unknownValue] : [])).flatMap((item) => {
    assign(machine, loop.target, item, frame);
    return comprehend(machine, expression, level + 1, frame);
  });
}
