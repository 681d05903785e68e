/** S80: convolutions for dynamic quantization, which leaves them float. */
import { pathOf } from '../../script/names';
import { argument } from '../../script/program';
import { callsOf, removeElement, type ScriptRule, textAt } from './script-rule';

export const s80: ScriptRule<'S80'> = {
  code: 'S80',
  severity: 'warning',
  title: 'Convolutions in dynamic quantization',
  documentation: {
    trigger:
      '`torch.ao.quantization.quantize_dynamic(model, {nn.Conv2d, …})` without a `mapping` of your own.',
    why: 'Dynamic quantization has no convolutions: they stay float without a word; only Linear, recurrent and embedding layers change.',
    remedy: 'Name the layers it has, and quantize convolutions statically.',
    source:
      'torch/ao/quantization/quantization_mappings.py; github.com/pytorch/pytorch/pull/71110; github.com/pytorch/tutorials/issues/899.',
  },
  check(facts) {
    return callsOf(facts, 'torch.ao.quantization.quantize_dynamic').flatMap((call) => {
      const layers = argument(call, 'qconfig_spec', 1);
      if (!layers || layers === 'hidden' || argument(call, 'mapping', 3) !== undefined) return [];
      const { value } = layers;
      if (value.kind !== 'set' && value.kind !== 'list') return [];
      const spans = value.items.map(({ span }) => span);
      const isConvolution = (item: (typeof value.items)[number]) =>
        /^torch\.nn\.(modules\.\w+\.)?Conv(Transpose)?[123]d$/.test(pathOf(item, call.scope) ?? '');
      const others = value.items.some((item) => !isConvolution(item));
      return value.items.flatMap((item, at) => {
        if (!isConvolution(item)) return [];
        const edit = others ? removeElement(facts, spans, at, value.span[1] - 1) : undefined;
        return [
          {
            facts: { subject: textAt(facts, item.span) },
            span: item.span,
            ...(edit && { fix: { title: 'Leave it out', edits: [edit], safe: true } }),
          },
        ];
      });
    });
  },
};
