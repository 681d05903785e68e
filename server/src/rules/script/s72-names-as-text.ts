/** S72: a string where a list of names is asked for. */
import { dynamicCalls, given, staticCalls, writtenArgument } from './onnx-calls';
import { type ScriptRule, textAt } from './script-rule';

export const s72: ScriptRule<'S72'> = {
  code: 'S72',
  severity: 'error',
  title: 'Text where a list of names is asked for',
  documentation: {
    trigger:
      '`op_types_to_quantize`, `nodes_to_quantize` or `nodes_to_exclude` of onnxruntime is a string, or a list inside a list (often a comma left behind it).',
    why: 'Names are looked up with `in`: in a string that finds parts of words, in a list of lists nothing. Other layers are quantized than the script says.',
    remedy: 'Write a list of strings: `["Conv", "MatMul"]`.',
    source:
      'onnxruntime, python/tools/quantization/quantize.py; github.com/microsoft/onnxruntime/issues/13044.',
  },
  check(facts) {
    return [...staticCalls(facts), ...dynamicCalls(facts)].flatMap((call) =>
      ['op_types_to_quantize', 'nodes_to_quantize', 'nodes_to_exclude'].flatMap((name) => {
        const value = given(call, name);
        const written = writtenArgument(call, name);
        const nested = value?.kind === 'list' && value.items.some(({ kind }) => kind === 'list');
        if (!value || !written || (value.kind !== 'string' && !nested)) return [];
        const { span, kind } = written.value;
        const text = textAt(facts, span);
        return [
          {
            facts: { subject: `${name}=${text}`, instead: nested ? '["…"]' : `[${text}]` },
            span,
            ...(kind === 'constant' && {
              fix: { title: 'Make it a list', edits: [{ span, text: `[${text}]` }], safe: true },
            }),
          },
        ];
      }),
    );
  },
};
