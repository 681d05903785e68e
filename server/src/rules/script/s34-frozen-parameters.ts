/** S34: an optimizer over weights that 8- or 4-bit loading made constant. */
import type { Flow } from '../../script/flow';
import { argument, type Call } from '../../script/program';
import type { Expression } from '../../script/syntax';
import { callsLike, inFlows, type ScriptRule } from './script-rule';

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
    return inFlows(facts, parametersOfQuantized).flatMap(({ expression }) => {
      const optimizer = callsLike(facts, makesOptimizer).find(({ expression: { args } }) =>
        args.some(({ value }) => value === expression),
      );
      return optimizer ? [{ facts: { subject: optimizer.name }, span: expression.span }] : [];
    });
  },
};

/** Calls of `parameters()` of models that are quantized as they are loaded, with nothing trainable added before. */
function parametersOfQuantized(flow: Flow): readonly Call[] {
  return [...flow.events].flatMap(([{ origin }, events]) => {
    if (origin?.kind !== 'call' || !loads(origin.callee)) return [];
    const quantized = ['quantization_config', 'load_in_4bit', 'load_in_8bit'].some(
      (name) => argument({ expression: origin }, name) !== undefined,
    );
    if (!quantized) return [];
    const at = events.findIndex(({ role, call }) => role === 'receiver' && call.name === 'parameters');
    const use = events[at];
    const touched = events.slice(0, at).some(({ role }) => role === 'argument');
    const adapted = events.slice(0, at).some(({ call }) => /adapter/i.test(call.name));
    return !use || touched || adapted ? [] : [use.call];
  });
}

function loads(callee: Expression): boolean {
  const name =
    callee.kind === 'attribute' ? callee.attribute : callee.kind === 'name' ? callee.name : undefined;
  return name?.endsWith('from_pretrained') === true;
}

function makesOptimizer({ path }: Call): boolean {
  return /^torch\.optim\.|^bitsandbytes\.optim\./.test(path ?? '');
}
