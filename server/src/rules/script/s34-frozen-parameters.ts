/** S34: an optimizer over weights that 8- or 4-bit loading made constant. */
import { argument } from '../../script/program';
import type { ScriptRule } from './script-rule';

export const s34: ScriptRule<'S34'> = {
  code: 'S34',
  severity: 'error',
  title: 'Optimizer over quantized base weights',
  documentation: {
    trigger:
      'A model loaded with `quantization_config` (or `load_in_4bit`, `load_in_8bit`) gives `parameters()` to an optimizer, and nothing adds trainable ones (peft, adapters) or touches it between.',
    why: 'Quantized weights have no gradients; only extra parameters can be trained. The optimizer finds nothing, or raises.',
    remedy: 'Add adapters (`get_peft_model(model, LoraConfig(…))`) and optimize those.',
    source: 'Transformers documentation, bitsandbytes: only extra parameters are trainable.',
  },
  check(facts) {
    return facts.flows().flatMap((flow) =>
      [...flow.events].flatMap(([model, events]) => {
        const { origin } = model;
        if (origin?.kind !== 'call' || !/from_pretrained$/.test(facts.text.slice(...origin.callee.span)))
          return [];
        const quantized = ['quantization_config', 'load_in_4bit', 'load_in_8bit'].some(
          (name) => argument({ expression: origin }, name) !== undefined,
        );
        if (!quantized) return [];
        const at = events.findIndex(({ role, call }) => role === 'receiver' && call.name === 'parameters');
        const use = events[at];
        const touched = events.slice(0, at).some(({ role }) => role === 'argument');
        const adapted = events.slice(0, at).some(({ call }) => /adapter/i.test(call.name));
        if (!use || touched || adapted) return [];
        const optimizer = facts.program.calls.find(
          ({ expression, path }) =>
            /^torch\.optim\.|^bitsandbytes\.optim\./.test(path ?? '') &&
            expression.args.some(({ value }) => value === use.call.expression),
        );
        return optimizer ? [{ facts: { subject: optimizer.name }, span: use.call.expression.span }] : [];
      }),
    );
  },
};
