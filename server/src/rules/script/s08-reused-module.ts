/** S08: one module object for two places of a quantized network. */
import { pathOf } from '../../script/names';
import type { FunctionStatement, Span } from '../../script/syntax';
import { ownStatements } from './generators';
import { expressionsIn, quantizedForwards, selfAttribute } from './quantized-modules';
import type { ScriptFacts, ScriptFinding, ScriptRule } from './script-rule';

/** Modules without numbers of their own may be used again. */
const harmless = /^(quant|dequant|dropout|drop|pool|maxpool|avgpool|max_pool|avg_pool|flatten|up|upsample)/i;

export const s08: ScriptRule<'S08'> = {
  code: 'S08',
  severity: 'warning',
  title: 'One module used twice in a quantized forward',
  documentation: {
    trigger:
      'In `forward` of a module, in a file that quantizes eagerly with QuantStub: the same `self.module` is called at two places. Silent for `nn.ReLU` and others that eager quantization does not observe.',
    why: 'A module has one observer. Used twice it sees both distributions mixed, and one scale must serve two tensors.',
    remedy: 'Create one module per place; for ReLU only where it is to be fused.',
    source: 'PyTorch documentation, quantization: "layers are not reused" is a precondition of eager mode.',
  },
  check(facts) {
    return quantizedForwards(facts).flatMap((forward) => {
      const places = new Map<string, Span[]>();
      for (const expression of expressionsIn(forward.body)) {
        const name = expression.kind === 'call' ? selfAttribute(expression.callee) : undefined;
        if (name === undefined || expression.kind !== 'call' || harmless.test(name)) continue;
        if (isUnobserved(name, forward, facts)) continue;
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

/** Modules that work on quantized tensors as they are: they have no observer. */
const unobserved = /^torch\.nn\.(ReLU|Identity|Flatten|(Max|AdaptiveAvg|Avg)Pool[123]d|Upsample)$/;

/** True for a `self.name` that the class of a `forward` makes as one of these. */
function isUnobserved(name: string, forward: FunctionStatement, facts: ScriptFacts): boolean {
  const owner = facts.program.classes.find(({ statement }) => statement.body.includes(forward));
  return (owner?.statement.body ?? []).some(
    (method) =>
      method.kind === 'function' &&
      ownStatements(method.body).some(
        (one) =>
          one.kind === 'assign' &&
          one.value?.kind === 'call' &&
          one.targets.some((target) => selfAttribute(target) === name) &&
          unobserved.test(pathOf(one.value.callee, facts.program.scope) ?? ''),
      ),
  );
}
