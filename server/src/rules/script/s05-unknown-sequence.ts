/** S05: a list of modules that cannot be fused. */
import { argument } from '../../script/program';
import type { Expression, Span } from '../../script/syntax';
import { evaluate, type Value } from '../../script/values';
import type { ScriptRule } from './script-rule';
import { stageEvents, treesOf } from './torch-life';

const known = new Set([
  'Conv BatchNorm',
  'Conv BatchNorm ReLU',
  'Conv ReLU',
  'Linear ReLU',
  'Linear BatchNorm',
  'BatchNorm ReLU',
  'ConvTranspose BatchNorm',
]);

export const s05: ScriptRule<'S05'> = {
  code: 'S05',
  severity: 'error',
  title: 'Sequence of modules that cannot be fused',
  documentation: {
    trigger:
      'A list given to `fuse_modules` names modules of a network of this file whose types are no known sequence, or a module that the network does not have.',
    why: 'Fusion knows Conv-BatchNorm(-ReLU), Conv-ReLU, Linear-ReLU, Linear-BatchNorm, BatchNorm-ReLU and ConvTranspose-BatchNorm; anything else raises.',
    remedy: 'Name only modules that follow each other in one of these orders; ReLU6 is not ReLU.',
    source: 'torch/ao/quantization/fuser_method_mappings.py.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ event, stage, network }) => {
      if (stage !== 'fuse' && stage !== 'fuse-qat') return [];
      const list = argument(event.call, 'modules_to_fuse', 1);
      const [tree, ...others] = treesOf(facts, network);
      if (!list || list === 'hidden' || !tree || others.length > 0) return [];
      return sequences(list.value).flatMap((sequence) => {
        const names = namesIn(evaluate(sequence, event.call.scope));
        if (!names) return [];
        const types = names.map((name) => shortType(tree.leaves.get(name)));
        if (types.some((type) => type === undefined) || known.has(types.join(' '))) return [];
        return [
          { facts: { subject: types.join('-'), detail: names.join(', ') }, span: sequence.span as Span },
        ];
      });
    });
  },
};

/** `['a', 'b']` or a list of such lists. */
function sequences(list: Expression): readonly Expression[] {
  if (list.kind !== 'list') return [];
  return list.items.every((item) => item.kind === 'list') ? list.items : [list];
}

function namesIn(value: Value): readonly string[] | undefined {
  if (value.kind !== 'list') return undefined;
  const names = value.items.map((item) => (item.kind === 'string' ? item.value : undefined));
  return names.every((name) => name !== undefined) ? names : undefined;
}

/** `torch.nn.Conv2d` → `Conv`; undefined for a module that is not there or is of this file. */
function shortType(type: string | undefined): string | undefined {
  return type?.startsWith('torch.nn.') ? type.slice('torch.nn.'.length).replace(/[123]d$/, '') : undefined;
}
