/** What the rules on torchao ask of a script: the configurations given to `quantize_`. */
import { canonicalPath } from '../../script/catalog';
import { pathOf } from '../../script/names';
import { argument, type Call } from '../../script/program';
import type { CallExpression } from '../../script/syntax';
import { callsOf, type ScriptFacts } from './script-rule';

export interface Configuration {
  /** Class name: `Int4WeightOnlyConfig`. */
  readonly name: string;
  /** Its constructor call, with the scope to read arguments in. */
  readonly made: Pick<Call, 'expression' | 'scope'>;
  readonly quantize: Call;
}

/** Configurations written in place or bound to a name once, of every `quantize_` call. */
export function configurations(facts: ScriptFacts): readonly Configuration[] {
  return callsOf(facts, 'torchao.quantization.quantize_', 'torchao.quantize_').flatMap((quantize) => {
    const given = argument(quantize, 'config', 1);
    if (!given || given === 'hidden') return [];
    const made = given.value.kind === 'call' ? given.value : boundTo(given.value, quantize);
    const path = made && pathOf(made.callee, quantize.scope);
    if (!made || !path || !canonicalPath(path).startsWith('torchao.')) return [];
    const name = path.slice(path.lastIndexOf('.') + 1);
    return [{ name, made: { expression: made, scope: quantize.scope }, quantize }];
  });
}

function boundTo(value: Parameters<typeof pathOf>[0], call: Call): CallExpression | undefined {
  if (value.kind !== 'name') return undefined;
  for (let scope: Call['scope'] | undefined = call.scope; scope; scope = scope.parent) {
    const bindings = scope.names.get(value.name);
    if (!bindings) continue;
    const [only, ...more] = bindings;
    return only?.kind === 'variable' && only.value?.kind === 'call' && more.length === 0
      ? only.value
      : undefined;
  }
  return undefined;
}
