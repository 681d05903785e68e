/** S23: calibration that records gradients. */
import type { ScriptRule } from './script-rule';
import { stageEvents, stageOf } from './torch-life';

export const s23: ScriptRule<'S23'> = {
  code: 'S23',
  severity: 'information',
  title: 'Calibration outside no_grad',
  documentation: {
    trigger: 'A network is run between `prepare` and `convert`, and the file never turns gradients off.',
    why: 'Every calibration batch keeps its activations for a backward pass that never comes: memory and time.',
    remedy: 'Calibrate inside `with torch.inference_mode():`.',
    source: 'torchao pt2e_quant_ptq.',
  },
  check(facts) {
    if (
      /no_grad|inference_mode|set_grad_enabled|requires_grad_?\(?\s*=?\s*False|\.backward\(/.test(facts.text)
    )
      return [];
    return stageEvents(facts).flatMap(({ stage, after }) => {
      if (stage !== 'prepare') return [];
      const end = after.findIndex(({ call }) => stageOf(call)?.stage === 'convert');
      const run = after.slice(0, Math.max(0, end)).find(({ role }) => role === 'called');
      return run ? [{ facts: { subject: run.call.name }, span: run.call.expression.span }] : [];
    });
  },
};
