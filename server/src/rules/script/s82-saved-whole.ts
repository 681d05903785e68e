/** S82: a converted network that is pickled. */
import type { ScriptRule } from './script-rule';
import { stageEvents } from './torch-life';

export const s82: ScriptRule<'S82'> = {
  code: 'S82',
  severity: 'warning',
  title: 'Converted network saved as an object',
  documentation: {
    trigger: 'A network goes through eager or FX `convert`, and then itself to `torch.save`.',
    why: "Pickling does not keep packed weights: what is loaded lacks attributes (\"'Conv2d' object has no attribute '_modules'\").",
    remedy:
      'Save `model.state_dict()` and load it into a converted shell, or save `torch.jit.script(model)` with `torch.jit.save`.',
    source:
      'PyTorch documentation, quantization, saving and loading; github.com/pytorch/pytorch/issues/61881.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ stage, flow, event, after }) => {
      if (stage !== 'convert' || flow === 'pt2e' || !event.certain) return [];
      if (after.some(({ call }) => call.path?.startsWith('torch.jit.'))) return [];
      return after.flatMap(({ call, role, argument }) =>
        call.path === 'torch.save' && role === 'argument' && (argument === 0 || argument === 'obj')
          ? [{ facts: { subject: call.name, instead: 'state_dict()' }, span: call.nameSpan }]
          : [],
      );
    });
  },
};
