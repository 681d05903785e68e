/** S79: a configuration without fake quantizers for quantization-aware training. */
import { canonicalPath } from '../../script/catalog';
import { pathOf, type Scope, soleBinding } from '../../script/names';
import { argument, type Call } from '../../script/program';
import type { Expression, Span } from '../../script/syntax';
import { ownStatements } from './generators';
import { callsOf, type ScriptFacts, type ScriptFix, type ScriptRule, textAt } from './script-rule';
import { stageOf } from './torch-life';

export const s79: ScriptRule<'S79'> = {
  code: 'S79',
  severity: 'error',
  title: 'Quantization-aware training without fake quantizers',
  documentation: {
    trigger:
      'The configuration that was assigned last before `prepare_qat` in the same function (or is given to `prepare_qat_fx`) is one of post-training quantization: `get_default_qconfig`, `default_qconfig`.',
    why: 'Its modules only observe: weights and activations stay float while training, so nothing is trained for quantization, and nobody says so.',
    remedy: 'Use `get_default_qat_qconfig` (FX: `get_default_qat_qconfig_mapping`).',
    source:
      'torch/ao/quantization/qconfig.py; torch/ao/nn/qat/modules/linear.py; github.com/pytorch/pytorch/issues/120983.',
  },
  check(facts) {
    const calls = callsOf(facts, 'torch.ao.quantization.prepare_qat', 'torch.ao.quantization.prepare_qat_fx');
    return calls.flatMap((call) => {
      const isGraph = stageOf(call)?.flow === 'fx';
      const value = isGraph ? mappingOf(call) : assignedBefore(call, facts);
      const found = value && observing(value, call.scope);
      if (!found) return [];
      const fix = fixOf(found, facts);
      return [
        {
          facts: { subject: found.name, instead: found.trained, detail: call.name },
          span: found.span,
          ...(fix && { fix }),
        },
      ];
    });
  },
};

const trained: Readonly<Record<string, string>> = {
  get_default_qconfig: 'get_default_qat_qconfig',
  get_default_qconfig_mapping: 'get_default_qat_qconfig_mapping',
  default_qconfig: 'default_qat_qconfig',
};

/** Second argument of prepare_qat_fx, also through a name that is bound once. */
function mappingOf(call: Call): Expression | undefined {
  const given = argument(call, 'qconfig_mapping', 1);
  if (!given || given === 'hidden') return undefined;
  if (given.value.kind !== 'name') return given.value;
  const binding = soleBinding(call.scope, given.value.name);
  return binding?.kind === 'variable' ? binding.value : undefined;
}

/** Value of the last `….qconfig = value` of a function before a call: the only one, or one of what is prepared. */
function assignedBefore(call: Call, facts: ScriptFacts): Expression | undefined {
  const own = ownStatements(call.function?.body ?? facts.program.module.statements).flatMap((statement) => {
    if (statement.kind !== 'assign' || !statement.value) return [];
    const [target] = statement.targets;
    if (target?.kind !== 'attribute' || target.attribute !== 'qconfig') return [];
    return [{ object: textAt(facts, target.object.span), value: statement.value, span: statement.span }];
  });
  const last = own.findLast(({ span }) => span[1] <= call.expression.span[0]);
  const [network] = call.expression.args;
  const written = network && textAt(facts, network.value.span);
  return last && (own.length === 1 || last.object === written) ? last.value : undefined;
}

interface Observing {
  readonly name: string;
  readonly trained: string;
  /** Of the name alone: `get_default_qconfig` of `torch.quantization.get_default_qconfig`. */
  readonly span: Span;
  readonly isAttribute: boolean;
}

function observing(value: Expression, scope: Scope): Observing | undefined {
  const named = value.kind === 'call' ? value.callee : value;
  const path = canonicalPath(pathOf(named, scope) ?? '');
  const name = path.slice(path.lastIndexOf('.') + 1);
  const instead = trained[name];
  if (!path.startsWith('torch.ao.quantization.') || instead === undefined) return undefined;
  const isAttribute = named.kind === 'attribute';
  return { name, trained: instead, span: isAttribute ? named.attributeSpan : named.span, isAttribute };
}

/** A rename; of an imported name only where nothing else in the file uses it, together with its import. */
function fixOf(
  { name, trained: text, span, isAttribute }: Observing,
  facts: ScriptFacts,
): ScriptFix | undefined {
  const fix = { title: `Use ${text}`, safe: true };
  if (isAttribute) return { ...fix, edits: [{ span, text }] };
  const uses = facts.text.match(new RegExp(`\\b${name}\\b`, 'g'))?.length;
  const imported = facts.program.module.statements
    .flatMap((statement) => (statement.kind === 'from-import' ? statement.names : []))
    .find((one) => one.name === name && textAt(facts, one.span) === name);
  if (uses !== 2 || !imported) return undefined;
  return { ...fix, edits: [imported.span, span].map((place) => ({ span: place, text })) };
}
