/** S73: arguments that onnxruntime has removed. */
import { argument, type Call } from '../../script/program';
import { dynamicCalls, staticCalls } from './onnx-calls';
import { removeArgument, type ScriptFacts, type ScriptFinding, type ScriptRule } from './script-rule';
import { isForSomeVersions } from './versions';

export const s73: ScriptRule<'S73'> = {
  code: 'S73',
  severity: 'warning',
  title: 'Argument that onnxruntime no longer takes',
  documentation: {
    trigger:
      '`optimize_model` of `quantize_static` or `quantize_dynamic`, `activation_type` of `quantize_dynamic`. Silent inside `try` and below a question for the version, where scripts serve old and new ones. A warning, since the installed version is not known.',
    why: '`activation_type` went with onnxruntime 1.11, `optimize_model` with 1.16: the call raises TypeError from there on.',
    remedy: 'Leave the argument out; optimise beforehand with `quant_pre_process`.',
    source:
      'github.com/microsoft/onnxruntime/pull/16422; github.com/facebookresearch/segment-anything/issues/611.',
  },
  check(facts) {
    return [
      ...staticCalls(facts).flatMap((call) => removed(call, staticArguments, facts)),
      ...dynamicCalls(facts).flatMap((call) => removed(call, dynamicArguments, facts)),
    ];
  },
};

/** Argument → the release that removed it. */
type Removals = ReadonlyMap<string, string>;
const staticArguments: Removals = new Map([['optimize_model', 'onnxruntime 1.16']]);
const dynamicArguments: Removals = new Map([...staticArguments, ['activation_type', 'onnxruntime 1.11']]);

function removed(call: Call, names: Removals, facts: ScriptFacts): readonly ScriptFinding[] {
  if (isForSomeVersions(call, facts)) return [];
  return [...names].flatMap(([name, release]) => {
    const written = argument(call, name);
    const edit = removeArgument(facts, call, name);
    if (!written || written === 'hidden' || !edit) return [];
    const fix = { title: `Remove ${name}`, edits: [edit], safe: true };
    return [{ facts: { subject: name, instead: release, detail: call.name }, span: written.span, fix }];
  });
}
