/** S05: a list of modules that cannot be fused. */
import { fusedSequences } from './fusion';
import type { ScriptRule } from './script-rule';
import { stageEvents } from './torch-life';

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
      return fusedSequences(facts, event.call, network).flatMap(({ names, types, span }) => {
        if (!names || types.some((type) => type === undefined) || known.has(types.join(' '))) return [];
        return [{ facts: { subject: types.join('-'), detail: names.join(', ') }, span }];
      });
    });
  },
};
