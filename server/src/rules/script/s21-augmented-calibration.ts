/** S21: calibration on augmented or shuffled samples. */

import { lookUp, pathOf, type Scope, soleBinding } from '../../script/names';
import { argument, argumentValue, type Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { parts } from '../../script/syntax';
import { booleanOf } from '../../script/values';
import type { ScriptFinding, ScriptRule } from './script-rule';
import { stageEvents, stageOf } from './torch-life';

export const s21: ScriptRule<'S21'> = {
  code: 'S21',
  severity: 'hint',
  title: 'Calibration on augmented or shuffled data',
  aliases: ['methods S09'],
  documentation: {
    trigger:
      'Between `prepare` and `convert` the network runs over a DataLoader of the same file that shuffles, or whose dataset has random transforms.',
    why: 'Ranges should come from what the deployed network sees, and the same ranges should come out twice. (The official tutorial calibrates on its augmented training set.)',
    remedy: 'Calibrate with the transforms of inference and `shuffle=False`.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode".',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ stage, after }) => {
      if (stage !== 'prepare') return [];
      const end = after.findIndex(({ call }) => stageOf(call)?.stage === 'convert');
      const between = end === -1 ? [] : after.slice(0, end);
      return between.flatMap(({ call, role }) => (role === 'called' ? loaderFindings(call) : []));
    });
  },
};

function loaderFindings(run: Call): readonly ScriptFinding[] {
  const iterable = run.loops.at(-1)?.iterable;
  const loader = iterable && constructionOf(unwrapped(iterable), run.scope);
  if (
    !loader ||
    !/^torch\.utils\.data\.(dataloader\.)?DataLoader$/.test(pathOf(loader.callee, run.scope) ?? '')
  )
    return [];
  const call = { expression: loader, scope: run.scope };
  const shuffled = booleanOf(argumentValue(call, 'shuffle', 2)) === true;
  const dataset = argument(call, 'dataset', 0);
  const augmented = dataset && dataset !== 'hidden' ? randomTransform(dataset.value, run.scope) : undefined;
  const subject = augmented ?? (shuffled ? 'shuffle=True' : undefined);
  return subject === undefined ? [] : [{ facts: { subject }, span: run.expression.span }];
}

/** `enumerate(loader)` and `tqdm(loader)` loop over the loader. */
function unwrapped(expression: Expression): Expression {
  const [first] = expression.kind === 'call' ? expression.args : [];
  return expression.kind === 'call' && expression.callee.kind === 'name' && first ? first.value : expression;
}

function constructionOf(expression: Expression, scope: Scope) {
  const binding = expression.kind === 'name' ? soleBinding(scope, expression.name) : undefined;
  const value = binding?.kind === 'variable' ? binding.value : expression;
  return value?.kind === 'call' ? value : undefined;
}

const MAXIMUM_DEPTH = 12;

/** Name of a random transform somewhere in what a dataset is made of. */
function randomTransform(expression: Expression, scope: Scope, depth = 0): string | undefined {
  if (depth > MAXIMUM_DEPTH) return undefined;
  if (expression.kind === 'call') {
    const path = pathOf(expression.callee, scope) ?? '';
    const name = path.slice(path.lastIndexOf('.') + 1);
    if (path.includes('transforms') && /^(Random|ColorJitter|AutoAugment|TrivialAugment)/.test(name))
      return name;
  }
  if (expression.kind === 'name') {
    const [only, ...more] = lookUp(scope, expression.name);
    return only?.kind === 'variable' && only.value && more.length === 0
      ? randomTransform(only.value, scope, depth + 1)
      : undefined;
  }
  for (const part of parts(expression)) {
    const found = randomTransform(part, scope, depth + 1);
    if (found) return found;
  }
  return undefined;
}
