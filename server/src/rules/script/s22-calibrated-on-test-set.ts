/** S22: the set that reports accuracy is the set the ranges were made on. */

import type { Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { callsLike, type ScriptRule } from './script-rule';

const calibrates = /calib/i;
const evaluates = /^(eval|evaluate|test|validate|accuracy|get_accuracy|compute_accuracy|evaluate_model)$/i;

export const s22: ScriptRule<'S22'> = {
  code: 'S22',
  severity: 'hint',
  title: 'Calibrated on the set that is evaluated',
  aliases: ['methods S12'],
  documentation: {
    trigger:
      'In one function the same loader variable goes to a function named after calibration and to one named after evaluation.',
    why: 'Ranges fitted to the samples that are scored make the reported accuracy a little too good. (The PT2E tutorial does it.)',
    remedy: 'Calibrate on training or separate samples.',
    source: 'torchao pt2e_quant_ptq; LAPQ and others report on held-out labels.',
  },
  check(facts) {
    const calibrations = callsLike(facts, isCalibration);
    if (calibrations.length === 0) return [];
    const evaluations = callsLike(facts, isEvaluation);
    return calibrations.flatMap((call) => {
      const shared = loaders(call).find((loader) =>
        evaluations.some((other) => other.function === call.function && loaders(other).includes(loader)),
      );
      return shared === undefined ? [] : [{ facts: { subject: shared }, span: call.nameSpan }];
    });
  },
};

function isCalibration({ name, receiver }: Call): boolean {
  return receiver === undefined && calibrates.test(name);
}

function isEvaluation({ name, receiver }: Call): boolean {
  return receiver === undefined && evaluates.test(name);
}

/** Variables among the arguments whose name says that they hold data. */
function loaders(call: Call): readonly string[] {
  return call.expression.args.flatMap(({ value }) => {
    const name = variable(value);
    return name !== undefined && /(loader|data|dataset|_dl|images)/i.test(name) ? [name] : [];
  });
}

function variable(expression: Expression): string | undefined {
  return expression.kind === 'name' ? expression.name : undefined;
}
