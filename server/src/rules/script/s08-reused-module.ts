/** S08: one module object for two places of a quantized network. */
import type { Span } from '../../script/syntax';
import { expressionsIn, quantizedForwards, selfAttribute } from './quantized-modules';
import type { ScriptFinding, ScriptRule } from './script-rule';

/** Modules without numbers of their own may be used again. */
const harmless = /^(quant|dequant|dropout|drop|pool|maxpool|avgpool|max_pool|avg_pool|flatten|up|upsample)/i;

export const s08: ScriptRule<'S08'> = {
  code: 'S08',
  severity: 'warning',
  title: 'One module used twice in a quantized forward',
  documentation: {
    trigger:
      'In `forward` of a module, in a file that quantizes eagerly with QuantStub: the same `self.module` is called at two places.',
    why: 'A module has one observer. Used twice it sees both distributions mixed, and one scale must serve two tensors.',
    remedy: 'Create one module per place, also for ReLU.',
    source: 'PyTorch documentation, quantization: "layers are not reused" is a precondition of eager mode.',
  },
  check(facts) {
    return quantizedForwards(facts).flatMap((forward) => {
      const places = new Map<string, Span[]>();
      for (const expression of expressionsIn(forward.body)) {
        const name = expression.kind === 'call' ? selfAttribute(expression.callee) : undefined;
        if (name === undefined || expression.kind !== 'call' || harmless.test(name)) continue;
        const known = places.get(name);
        if (known) known.push(expression.callee.span);
        else places.set(name, [expression.callee.span]);
      }
      return [...places].flatMap(([name, spans]): ScriptFinding[] => {
        const [, second] = spans;
        // Alternatives of a choice are not two uses; only the plain sequence of a function is certain.
        const chosen = forward.body.some(({ kind }) => kind === 'if');
        return second && !chosen
          ? [{ facts: { subject: `self.${name}`, detail: spans.length }, span: second }]
          : [];
      });
    });
  },
};
