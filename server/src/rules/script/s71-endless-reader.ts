/** S71: a data reader that never ends. */
import { definitionOf, pathOf } from '../../script/names';
import { type Expression, parts, type Statement, statementsIn } from '../../script/syntax';
import { type CalibrationReader, calibrationReaders } from './calibration-readers';
import { type ScriptFacts, type ScriptRule, textAt } from './script-rule';

export const s71: ScriptRule<'S71'> = {
  code: 'S71',
  severity: 'error',
  title: 'Calibration reader without an end',
  documentation: {
    trigger:
      '`get_next` of a CalibrationDataReader is a straight line that returns a dictionary and reads no state of the object: it can neither return None nor run out. Or it returns from within a loop over a list that the object holds: the next call begins with the first sample again.',
    why: 'The calibrator asks until it gets None. It never does: memory fills with the outputs of ever more runs.',
    remedy: 'Count the samples and return None after the last one.',
    source: 'onnxruntime, python/tools/quantization/calibrate.py, collect_data; seen in public scripts.',
  },
  check(facts) {
    return calibrationReaders(facts).flatMap((reader) => {
      const { getNext } = reader;
      const found = { facts: { subject: getNext.name }, span: getNext.nameSpan };
      if (neverEnds(getNext.body)) return [found];
      const list = beginsAnew(facts, reader);
      if (!list) return [];
      return [{ ...found, facts: { ...found.facts, detail: textAt(facts, list.span) } }];
    });
  },
};

function neverEnds(body: readonly Statement[]): boolean {
  const last = body.at(-1);
  if (last?.kind !== 'return' || last.value?.kind !== 'dict' || last.value.entries.length === 0) return false;
  return isStraight(body.slice(0, -1)) && !asks(last.value);
}

function isStraight(body: readonly Statement[]): boolean {
  return body.every(
    (statement) =>
      (statement.kind === 'assign' || statement.kind === 'expression') &&
      !(statement.value && asks(statement.value)),
  );
}

/** The list that every call goes through from its beginning; an iterator would go on where it was. */
function beginsAnew(facts: ScriptFacts, { statement, getNext }: CalibrationReader): Expression | undefined {
  const at = getNext.body.findIndex(({ kind }) => kind === 'for');
  const loop = getNext.body[at];
  if (loop?.kind !== 'for' || !isStraight(getNext.body.slice(0, at))) return undefined;
  const last = loop.body.at(-1);
  if (last?.kind !== 'return' || last.value?.kind !== 'dict' || asks(last.value)) return undefined;
  if (!isStraight(loop.body.slice(0, -1))) return undefined;
  const { iterable } = loop;
  const isCounted =
    iterable.kind === 'call' && iterable.callee.kind === 'name' && iterable.callee.name === 'enumerate';
  const over = isCounted ? iterable.args[0]?.value : iterable;
  if (over?.kind !== 'attribute' || over.object.kind !== 'name' || over.object.name !== 'self')
    return undefined;
  const name = textAt(facts, over.span);
  const given = [...statementsIn(statement.body)].flatMap((one) =>
    one.kind === 'assign' && one.targets.some(({ span }) => textAt(facts, span) === name) ? [one] : [],
  );
  const isList = ({ value, operator }: (typeof given)[number]) =>
    operator === undefined && value !== undefined && isCollection(facts, value);
  return given.length > 0 && given.every(isList) ? over : undefined;
}

/** True for what begins anew with every loop over it. */
function isCollection(facts: ScriptFacts, value: Expression): boolean {
  if (['list', 'tuple', 'set', 'dict'].includes(value.kind)) return true;
  // A generator stands in parentheses.
  if (value.kind === 'comprehension') return /^[[{]/.test(textAt(facts, value.span));
  if (value.kind !== 'call') return false;
  const { scope } = facts.program;
  const { callee } = value;
  if (callee.kind === 'name' && definitionOf(callee, scope) === undefined && builtins.has(callee.name))
    return true;
  return collections.test(pathOf(callee, scope) ?? '');
}

const builtins: ReadonlySet<string> = new Set(['list', 'tuple', 'sorted', 'range']);
const collections =
  /^(glob\.glob|os\.listdir|torch\.utils\.data\.(dataloader\.)?DataLoader|numpy\.(load|stack|array|asarray|random\.\w+))$/;

/** `self.samples`, `next(…)`: what may run out. Names and shapes of inputs may be read. */
function asks(expression: Expression): boolean {
  if (expression.kind === 'name') return expression.name === 'self' || expression.name === 'next';
  if (
    expression.kind === 'attribute' &&
    expression.object.kind === 'name' &&
    expression.object.name === 'self'
  )
    return !/name|shape|size/i.test(expression.attribute);
  return [...parts(expression)].some(asks);
}
