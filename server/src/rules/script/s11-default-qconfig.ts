/** S11: default_qconfig for a convolutional network on x86. */
import { canonicalPath } from '../../script/catalog';
import { pathOf, type Scope } from '../../script/names';
import type { Expression } from '../../script/syntax';
import { layerKinds } from './onnx-calls';
import { allStatements, type ScriptRule } from './script-rule';

export const s11: ScriptRule<'S11'> = {
  code: 'S11',
  severity: 'warning',
  title: 'default_qconfig for a convolutional network on x86',
  documentation: {
    trigger:
      '`model.qconfig = default_qconfig` in a script with a convolutional network, and the target is an x86 CPU.',
    why: 'It observes plain min-max and one scale per weight tensor. On MobileNetV2 the tutorial measures 56.7 % with it and 67.3 % with the x86 configuration.',
    remedy: 'Use `get_default_qconfig("x86")`.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode".',
  },
  check(facts) {
    if (!facts.target?.startsWith('x86') || !layerKinds(facts).convolution) return [];
    return allStatements(facts).flatMap((statement) =>
      statement.kind === 'assign' && statement.value && isDefault(statement.value, facts.program.scope)
        ? [
            {
              facts: { subject: 'default_qconfig', instead: 'get_default_qconfig("x86")' },
              span: statement.value.span,
            },
          ]
        : [],
    );
  },
};

function isDefault(value: Expression, scope: Scope): boolean {
  const path = pathOf(value, scope);
  return path !== undefined && canonicalPath(path) === 'torch.ao.quantization.default_qconfig';
}
