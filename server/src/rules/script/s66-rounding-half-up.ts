/** S66: a quantizer that rounds halves up. */
import type { Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { evaluate, numberOf } from '../../script/values';
import { callsLike, type ScriptRule } from './script-rule';

const floors = new Set([
  'torch.floor',
  'numpy.floor',
  'math.floor',
  'tensorflow.floor',
  'tensorflow.math.floor',
]);

export const s66: ScriptRule<'S66'> = {
  code: 'S66',
  severity: 'information',
  title: 'Quantizer rounds halves up',
  aliases: ['methods S15'],
  documentation: {
    trigger: '`floor(x + 0.5)` in a function whose name speaks of quantization.',
    why: 'ONNX, PyTorch and onnxruntime round halves to even. Codes differ by one wherever a value falls on a half, which happens often with power-of-two scales.',
    remedy: 'Use `torch.round` or `numpy.round` (half to even).',
    source: 'ONNX operator specification, QuantizeLinear.',
  },
  check(facts) {
    return callsLike(facts, takesFloor).flatMap((call) => {
      const [first] = call.expression.args;
      const half = first?.value.kind === 'binary' && first.value.operator === '+' ? first.value : undefined;
      const isHalf = (side: Expression) => numberOf(evaluate(side, call.scope)) === 0.5;
      if (!half || !(isHalf(half.left) || isHalf(half.right))) return [];
      return [
        {
          facts: { subject: facts.text.slice(...call.expression.span), instead: 'round' },
          span: call.expression.span,
        },
      ];
    });
  },
};

/** A floor inside code that quantizes, by its name. */
function takesFloor({ path, function: within, class: owner }: Call): boolean {
  return floors.has(path ?? '') && /quant/i.test(`${within?.name ?? ''} ${owner?.name ?? ''}`);
}
