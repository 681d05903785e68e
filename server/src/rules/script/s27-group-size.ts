/** S27: a group size that int4 kernels do not have, or that does not divide the layer. */
import { argument, argumentValue } from '../../script/program';
import { numberOf } from '../../script/values';
import type { ScriptFacts, ScriptRule } from './script-rule';
import { configurations } from './torchao';

const sizes = new Set([32, 64, 128, 256]);

export const s27: ScriptRule<'S27'> = {
  code: 'S27',
  severity: 'warning',
  title: 'Group size that int4 quantization skips',
  documentation: {
    trigger:
      '`Int4WeightOnlyConfig(group_size=n)` with n not 32, 64, 128 or 256, or with an n that does not divide `in_features` of a Linear of this file.',
    why: 'torchao skips a layer whose size does not fit without an error: it stays float, and only a log line says so.',
    remedy: 'Choose a group size that divides all `in_features`, or filter the others out on purpose.',
    source: 'torchao, quantization/quant_api.py, Int4WeightOnlyConfig.',
  },
  check(facts) {
    return configurations(facts).flatMap(({ name, made }) => {
      if (name !== 'Int4WeightOnlyConfig') return [];
      const size = numberOf(argumentValue(made, 'group_size', 0));
      const written = argument(made, 'group_size', 0);
      if (size === undefined || !written || written === 'hidden') return [];
      const odd = sizes.has(size) ? linearNotDividedBy(size, facts) : undefined;
      if (sizes.has(size) && odd === undefined) return [];
      return [{ facts: { subject: `group_size=${size}`, ...(odd && { detail: odd }) }, span: written.span }];
    });
  },
};

function linearNotDividedBy(size: number, facts: ScriptFacts): string | undefined {
  const layers = facts.trees().flatMap((tree) => tree.layers);
  const odd = layers.find(({ type, shape }) => {
    const input = type === 'torch.nn.Linear' ? shape?.[1] : undefined;
    return typeof input === 'number' && input % size !== 0;
  });
  return odd && `${odd.path} (in_features ${odd.shape?.[1]})`;
}
