/** S55: calibration on random numbers. */
import { canonicalPath } from '../../script/catalog';
import { pathOf } from '../../script/names';
import type { Call, Unit } from '../../script/program';
import type { Expression, FunctionStatement } from '../../script/syntax';
import { inUnits, type ScriptFacts, type ScriptFinding, type ScriptRule } from './script-rule';
import { stageEvents, stageOf } from './torch-life';

const random = new Set([
  'numpy.random.rand',
  'numpy.random.randn',
  'numpy.random.random',
  'numpy.random.uniform',
  'numpy.random.normal',
  'torch.rand',
  'torch.randn',
  'torch.rand_like',
  'torch.randn_like',
  'tensorflow.random.normal',
  'tensorflow.random.uniform',
]);

export const s55: ScriptRule<'S55'> = {
  code: 'S55',
  severity: 'warning',
  title: 'Calibrated on random numbers',
  documentation: {
    trigger:
      'A representative dataset (TensorFlow Lite) or a CalibrationDataReader yields random arrays only, or between `prepare` and `convert` the network runs only on `torch.rand` or `torch.randn`.',
    why: 'Random inputs excite the network otherwise than real ones: ranges of all inner tensors are wrong, and accuracy with them.',
    remedy:
      'Use a hundred real samples. Without data, let Quantlens synthesise inputs from the network itself.',
    source: 'TensorFlow Lite, post-training quantization (representative dataset); seen in public scripts.',
  },
  check(facts) {
    return [...randomGenerators(facts), ...randomForwards(facts)];
  },
};

/** Generators that are handed over as representative dataset, and `get_next` of data readers. */
function randomGenerators(facts: ScriptFacts): readonly ScriptFinding[] {
  const named = new Set(
    [...facts.text.matchAll(/representative_dataset\s*=\s*(\w+)/g)].map(([, name]) => name ?? ''),
  );
  const generators = facts.program.functions.filter(
    ({ statement, class: owner }) =>
      named.has(statement.name) ||
      owner?.bases.some((base) => /CalibrationDataReader$/.test(facts.text.slice(...base.span))),
  );
  const found = generators.flatMap(({ statement }) => randomCallsIn(statement, facts));
  return found.length > 0 && takesNoise.test(facts.text) ? [] : found;
}

function randomCallsIn(statement: FunctionStatement, facts: ScriptFacts): readonly ScriptFinding[] {
  return inUnits(facts, randomCalls)
    .filter((call) => call.function === statement && !readsData(call))
    .map(({ expression }) => ({
      facts: { subject: facts.text.slice(...expression.callee.span) },
      span: expression.span,
    }));
}

function randomCalls({ calls }: Unit): readonly Call[] {
  return calls.filter((call) => isRandom(call.expression, call));
}

/** Networks whose input is noise. */
const takesNoise = /\b\w*gan\b|latent|diffusion/i;

/** Inside a loop over anything but a count, the random part stands beside real samples. */
function readsData({ loops }: Call): boolean {
  return loops.some(
    ({ iterable }) =>
      !(iterable.kind === 'call' && iterable.callee.kind === 'name' && iterable.callee.name === 'range'),
  );
}

function isRandom(expression: Expression, { scope }: Pick<Call, 'scope'>): boolean {
  if (expression.kind !== 'call') return false;
  const path = pathOf(expression.callee, scope);
  return path !== undefined && random.has(canonicalPath(path));
}

/** All forward passes of a calibration take fresh random tensors. */
function randomForwards(facts: ScriptFacts): readonly ScriptFinding[] {
  return stageEvents(facts).flatMap(({ stage, after }) => {
    const end = after.findIndex(({ call }) => stageOf(call)?.stage === 'convert');
    if (stage !== 'prepare' || end === -1) return [];
    const between = after.slice(0, end);
    if (between.some(({ role, opaque }) => role === 'argument' && opaque)) return [];
    const runs = between.filter(({ role }) => role === 'called');
    const all = runs.map(({ call }) => randomInput(call));
    if (runs.length === 0 || all.some((input) => input === undefined)) return [];
    return all.flatMap((input) =>
      input ? [{ facts: { subject: facts.text.slice(...input.span) }, span: input.span }] : [],
    );
  });
}

/** The random call that makes the input of a forward pass, directly or through a variable of the same function. */
function randomInput(run: Call): Expression | undefined {
  const [first] = run.expression.args;
  if (!first) return undefined;
  if (isRandom(first.value, run)) return first.value;
  if (first.value.kind !== 'name') return undefined;
  const bindings = run.scope.names.get(first.value.name) ?? [];
  const [only, ...more] = bindings;
  return only?.kind === 'variable' && more.length === 0 && only.value && isRandom(only.value, run)
    ? only.value
    : undefined;
}
