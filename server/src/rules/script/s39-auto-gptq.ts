/** S39: auto_gptq has a successor. */
import type { Statement } from '../../script/syntax';
import type { ScriptFinding, ScriptRule } from './script-rule';

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
    const found: ScriptFinding[] = [];
    const visit = (statements: readonly Statement[]) => {
      for (const statement of statements) {
        const modules =
          statement.kind === 'import'
            ? statement.modules.map(({ path }) => path)
            : statement.kind === 'from-import' && statement.level === 0
              ? [statement.module]
              : [];
        if (modules.some((path) => path.split('.')[0] === 'auto_gptq'))
          found.push({ facts: { subject: 'auto_gptq', instead: 'gptqmodel' }, span: statement.span });
        if ('body' in statement) visit(statement.body);
      }
    };
    visit(facts.program.module.statements);
    return found;
  },
};
