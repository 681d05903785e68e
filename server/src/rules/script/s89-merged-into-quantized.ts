/** S89: adapters merged into quantized weights. */
import type { Flow, Tracked } from '../../script/flow';
import { pathOf } from '../../script/names';
import { loadedBits, mentionsBits } from './bits-and-bytes';
import type { ScriptRule } from './script-rule';

export const s89: ScriptRule<'S89'> = {
  code: 'S89',
  severity: 'warning',
  title: 'Adapters merged into quantized weights',
  documentation: {
    trigger: '`merge_and_unload()` of adapters on a model that `from_pretrained` loaded in 4 or 8 bits.',
    why: 'The sum is rounded to the few bits of the base again, and adapters, small beside the step, are partly lost. peft warns of it.',
    remedy: 'Load the base in half precision and merge there, then quantize.',
    source: 'github.com/huggingface/peft/issues/2321; github.com/huggingface/peft/issues/2105.',
  },
  check(facts) {
    if (!mentionsBits.test(facts.text) || !/merge_and_unload/.test(facts.text)) return [];
    return facts.flows().flatMap((flow) =>
      [...flow.events].flatMap(([adapted, events]) => {
        const bits = baseBits(adapted, flow);
        if (bits === undefined) return [];
        return events.flatMap(({ role, call, certain }) =>
          role === 'receiver' && certain && call.name === 'merge_and_unload'
            ? [{ facts: { subject: call.name, detail: bits }, span: call.nameSpan }]
            : [],
        );
      }),
    );
  },
};

const wrappers =
  /^peft\.(get_peft_model|prepare_model_for_kbit_training|(Auto)?PeftModel\w*\.from_pretrained)$/;
const MAXIMUM_WRAPPERS = 4;

/** Width of the model below the adapters, through the functions of peft. */
function baseBits(object: Tracked, flow: Flow, depth = 0): 4 | 8 | undefined {
  const { origin, originScope } = object;
  if (depth > MAXIMUM_WRAPPERS || origin?.kind !== 'call' || !originScope) return undefined;
  const bits = depth > 0 ? loadedBits(object) : undefined;
  if (bits !== undefined || !wrappers.test(pathOf(origin.callee, originScope) ?? '')) return bits;
  const made = flow.events.get(object)?.find(({ role }) => role === 'result')?.call;
  const base = made && (flow.operand(made, 0) ?? flow.operand(made, 'model'));
  return base && baseBits(base, flow, depth + 1);
}
