/** S86: a quantized model that is cast or moved. */
import { pathOf } from '../../script/names';
import { argument, type Call } from '../../script/program';
import { loadedBits, mentionsBits } from './bits-and-bytes';
import type { ScriptFix, ScriptRule } from './script-rule';

export const s86: ScriptRule<'S86'> = {
  code: 'S86',
  severity: 'warning',
  title: 'Quantized model cast or moved',
  documentation: {
    trigger:
      '`.half()`, `.float()`, `.bfloat16()` or `.to(torch.float16)` on a model that `from_pretrained` loaded in 4 or 8 bits; `.to(device)` and `.cuda()` of one in 8 bits. A warning, since the installed versions are not known.',
    why: 'Transformers refuses to cast such a model (4.30 and later); moving one in 8 bits raises before bitsandbytes 0.48. It lies on its device with its types already.',
    remedy: 'Leave the call out; choose types and place with `dtype` and `device_map` of `from_pretrained`.',
    source:
      'transformers, modeling_utils.py; github.com/huggingface/transformers/issues/38717; github.com/bitsandbytes-foundation/bitsandbytes/issues/547.',
  },
  check(facts) {
    if (!mentionsBits.test(facts.text)) return [];
    return facts.flows().flatMap((flow) =>
      [...flow.events].flatMap(([model, events]) => {
        const bits = loadedBits(model);
        if (bits === undefined) return [];
        return events.flatMap(({ role, call, certain }) => {
          const change = role === 'receiver' && certain ? changeOf(call) : undefined;
          if (!change || (change === 'move' && bits === 4)) return [];
          const fix = fixOf(call);
          return [
            {
              facts: { subject: `.${call.name}()`, instead: refusals[change], detail: bits },
              span: call.nameSpan,
              ...(fix && { fix }),
            },
          ];
        });
      }),
    );
  },
};

/** Who refuses it, and in which versions. */
const refusals = {
  cast: 'with Transformers 4.30 and later',
  move: 'with bitsandbytes before 0.48',
} as const;

const types = /^torch\.(float16|float32|float64|bfloat16|half|float|double)$/;

/** What a method does to a model, as far as it is certain. */
function changeOf(call: Call): keyof typeof refusals | undefined {
  if (/^(half|float|bfloat16|double)$/.test(call.name)) return 'cast';
  if (call.name === 'cuda') return 'move';
  if (call.name !== 'to') return undefined;
  const type = argument(call, 'dtype');
  if (type !== undefined && type !== 'hidden') return 'cast';
  const [first] = call.expression.args;
  if (!first || first.star) return undefined;
  const { value } = first;
  if (types.test(pathOf(value, call.scope) ?? '')) return 'cast';
  const isDevice = value.kind === 'constant' || (value.kind === 'name' && /device/i.test(value.name));
  return isDevice ? 'move' : undefined;
}

/** `load().half()` → `load()`; a statement of its own is left to the reader. */
function fixOf({ statement, expression }: Call): ScriptFix | undefined {
  const { callee, span } = expression;
  if (callee.kind !== 'attribute' || (statement.kind === 'expression' && statement.value === expression))
    return undefined;
  return {
    title: 'Leave the call out',
    edits: [{ span: [callee.object.span[1], span[1]], text: '' }],
    safe: true,
  };
}
