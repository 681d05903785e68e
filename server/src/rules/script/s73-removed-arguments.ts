/** S73: arguments that onnxruntime has removed. */
import { argument, type Call } from '../../script/program';
import { dynamicCalls, staticCalls } from './onnx-calls';
import { removeArgument, type ScriptFacts, type ScriptFinding, type ScriptRule } from './script-rule';
import { isForSomeVersions } from './versions';

export const s73: ScriptRule<'S73'> = {
  code: 'S73',
  severity: 'error',
  title: 'Argument that onnxruntime no longer takes',
  documentation: {
    trigger:
      '`optimize_model` of `quantize_static` or `quantize_dynamic`, `activation_type` of `quantize_dynamic`. Silent inside `try` and below a question for the version, where scripts serve old and new ones.',
    why: 'The arguments were removed (releases 1.11 and 1.16): the call raises TypeError.',
    remedy: 'Leave the argument out; optimise beforehand with `quant_pre_process`.',
    source:
      'github.com/microsoft/onnxruntime/pull/16422; github.com/facebookresearch/segment-anything/issues/611.',
  },
  check(facts) {
    return [
      ...staticCalls(facts).flatMap((call) => removed(call, ['optimize_model'], facts)),
      ...dynamicCalls(facts).flatMap((call) => removed(call, ['optimize_model', 'activation_type'], facts)),
    ];
  },
};

function removed(call: Call, names: readonly string[], facts: ScriptFacts): readonly ScriptFinding[] {
  if (isForSomeVersions(call, facts)) return [];
  return names.flatMap((name) => {
    const written = argument(call, name);
    const edit = removeArgument(facts, call, name);
    if (!written || written === 'hidden' || !edit) return [];
    const fix = { title: `Remove ${name}`, edits: [edit], safe: true };
    return [{ facts: { subject: name, detail: call.name }, span: written.span, fix }];
  });
}
