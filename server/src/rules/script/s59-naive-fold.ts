/** S59: BatchNormalization folded with batch statistics before fake quantization. */
import type { ScriptRule } from './script-rule';

export const s59: ScriptRule<'S59'> = {
  code: 'S59',
  severity: 'information',
  title: 'BatchNorm folded with batch statistics in training',
  aliases: ['methods S04'],
  documentation: {
    trigger:
      'A `forward` divides a weight by a standard deviation it computes from the batch (`.var(` or `.std(`) and fake-quantizes it, and its class nowhere uses running statistics.',
    why: 'The scale of the weight jumps with every batch, and the quantizer with it. Scaling by σ_batch/σ_running before and undoing it after keeps the quantized weight steady.',
    remedy: 'Fold with running statistics and correct by σ_batch/σ; freeze them late.',
    source: 'Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.2.',
  },
  check(facts) {
    return facts.program.classes.flatMap(({ statement }) => {
      const text = facts.text.slice(...statement.span);
      if (/running_(var|std)/.test(text)) return [];
      return statement.body.flatMap((method) => {
        if (method.kind !== 'function' || method.name !== 'forward') return [];
        const body = facts.text.slice(...method.span);
        const folds =
          /\.(var|std)\(/.test(body) && /weight[\w.\s]*[*/]/.test(body) && /fake_?quant/i.test(body);
        return folds ? [{ facts: { subject: statement.name }, span: method.nameSpan }] : [];
      });
    });
  },
};
