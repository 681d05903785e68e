/** S55: calibration on random numbers. */
import type { Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { calibrationReaders } from './calibration-readers';
import { isRandom, randomInputs } from './random-data';
import type { ScriptFacts, ScriptFinding, ScriptRule } from './script-rule';
import { stageEvents, stageOf } from './torch-life';

export const s55: ScriptRule<'S55'> = {
  code: 'S55',
  severity: 'warning',
  title: 'Calibrated on random numbers',
  documentation: {
    trigger:
      'A representative dataset (TensorFlow Lite) or a CalibrationDataReader yields random arrays and nothing else (also through attributes of the reader), or between `prepare` and `convert` the network runs only on `torch.rand` or `torch.randn`.',
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
  const readers = calibrationReaders(facts).map(({ getNext }) => getNext);
  const found = facts.program.functions
    .filter(({ statement }) => named.has(statement.name) || readers.includes(statement))
    .flatMap(({ statement, scope, class: owner }) => randomInputs(statement, scope, owner));
  if (found.length === 0 || takesNoise.test(facts.text)) return [];
  return found.map((call) => ({
    facts: { subject: facts.text.slice(...(call.kind === 'call' ? call.callee : call).span) },
    span: call.span,
  }));
}

/** Networks whose input is noise. */
const takesNoise = /\b\w*gan\b|latent|diffusion/i;

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
  if (isRandom(first.value, run.scope)) return first.value;
  if (first.value.kind !== 'name') return undefined;
  const bindings = run.scope.names.get(first.value.name) ?? [];
  const [only, ...more] = bindings;
  return only?.kind === 'variable' && more.length === 0 && only.value && isRandom(only.value, run.scope)
    ? only.value
    : undefined;
}
