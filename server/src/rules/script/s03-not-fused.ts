/** S03: convolution and BatchNormalization stay apart in a statically quantized network. */

import { canonicalPath } from '../../script/catalog';
import type { Call } from '../../script/program';
import { callsLike, type ScriptFacts, type ScriptRule } from './script-rule';
import { isNewModule, mayBeTouched, stageEvents, treesOf } from './torch-life';

export const s03: ScriptRule<'S03'> = {
  code: 'S03',
  severity: 'warning',
  title: 'Conv and BatchNorm not fused before prepare',
  aliases: ['methods S10'],
  documentation: {
    trigger:
      'A network of this file with convolutions and BatchNormalization goes to eager `prepare`, and nothing in the file fuses modules.',
    why: 'Each unfused BatchNormalization is a quantized operator of its own: two more roundings per layer and about twice the time; training and inference graphs differ.',
    remedy: 'Call `fuse_modules(model, [["conv", "bn", "relu"], …])` after `eval()` and before `prepare`.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode", step 2.',
  },
  check(facts) {
    if (fusesAnywhere(facts)) return [];
    return stageEvents(facts).flatMap(({ event, stage, flow, network, before }) => {
      if (stage !== 'prepare' || flow !== 'eager' || !isNewModule(network) || mayBeTouched(before)) return [];
      const types = treesOf(facts, network).flatMap(({ leaves }) => [...leaves.values()]);
      if (
        !types.some((type) => /\.Conv[123]d$/.test(type)) ||
        !types.some((type) => /\.BatchNorm[123]d$/.test(type))
      )
        return [];
      return [{ facts: { subject: event.call.name, instead: 'fuse_modules' }, span: event.call.nameSpan }];
    });
  },
};

/** Any function or method with a name about fusing counts: networks often bring their own `fuse_model()`. */
function fusesAnywhere(facts: ScriptFacts): boolean {
  return callsLike(facts, fuses).length > 0;
}

function fuses({ path, name }: Call): boolean {
  return /fuse/i.test(name) || (path !== undefined && /fuse/i.test(canonicalPath(path)));
}
