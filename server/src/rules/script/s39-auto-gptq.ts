/** S39: auto_gptq has a successor. */
import type { Unit } from '../../script/program';
import { type Statement, statementsIn } from '../../script/syntax';
import { inUnits, type ScriptRule } from './script-rule';

export const s39: ScriptRule<'S39'> = {
  code: 'S39',
  severity: 'information',
  title: 'auto_gptq is replaced by gptqmodel',
  deprecated: true,
  documentation: {
    trigger: '`auto_gptq` is imported.',
    why: 'The package is no longer developed; Transformers and Optimum move to gptqmodel.',
    remedy: 'Use `gptqmodel`, or `GPTQConfig` of Transformers.',
    source: 'Transformers documentation, GPTQ.',
  },
  check(facts) {
    return inUnits(facts, gptqImports).map(({ span }) => ({
      facts: { subject: 'auto_gptq', instead: 'gptqmodel' },
      span,
    }));
  },
};

function gptqImports({ statement, imports }: Unit): readonly Statement[] {
  if (!imports.has('auto_gptq')) return [];
  return [...statementsIn([statement])].filter((one) =>
    importsFrom(one).some((path) => path.split('.')[0] === 'auto_gptq'),
  );
}

function importsFrom(statement: Statement): readonly string[] {
  if (statement.kind === 'import') return statement.modules.map(({ path }) => path);
  return statement.kind === 'from-import' && statement.level === 0 ? [statement.module] : [];
}
