/** S14: an eager quantized network on a GPU. */
import { argument, argumentValue, type Call } from '../../script/program';
import { evaluate, stringOf } from '../../script/values';
import type { ScriptRule } from './script-rule';
import { stageEvents } from './torch-life';

export const s14: ScriptRule<'S14'> = {
  code: 'S14',
  severity: 'error',
  title: 'Converted eager network on CUDA',
  documentation: {
    trigger: '`.cuda()` or `.to("cuda")` on a network after eager or FX `convert`.',
    why: 'The quantized operators of these flows run on the CPU only.',
    remedy: 'Keep the converted network on the CPU; for GPUs use torchao or TensorRT.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode"; discuss.pytorch.org/t/133516.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ stage, flow, after }) => {
      if (stage !== 'convert' || flow === 'pt2e') return [];
      return after
        .filter(({ call, role }) => role === 'receiver' && goesToCuda(call))
        .map(({ call }) => ({ facts: { subject: `.${call.name}` }, span: call.nameSpan }));
    });
  },
};

function goesToCuda(call: Call): boolean {
  if (call.name === 'cuda') return true;
  if (call.name !== 'to') return false;
  const device = argument(call, 'device', 0);
  if (!device || device === 'hidden') return false;
  const text = stringOf(argumentValue(call, 'device', 0));
  if (text !== undefined) return text.startsWith('cuda');
  const { value } = device;
  if (value.kind !== 'call' || value.callee.kind !== 'attribute' || value.callee.attribute !== 'device')
    return false;
  const [first] = value.args;
  return first !== undefined && stringOf(evaluate(first.value, call.scope))?.startsWith('cuda') === true;
}
