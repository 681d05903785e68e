/** S43: unsigned activations with 8-bit weights on x86 without VNNI. */
import { flag, memberOr, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

export const s43: ScriptRule<'S43'> = {
  code: 'S43',
  severity: 'warning',
  title: 'Saturation of u8s8 products on AVX2 and AVX-512',
  aliases: ['M10'],
  documentation: {
    trigger:
      '`quantize_static` with unsigned activations and signed weights, without `reduce_range`, and the target is AVX2 or AVX-512 without VNNI.',
    why: 'VPMADDUBSW adds two products in 16 bits: 255 · 127 · 2 = 64770 does not fit into 32767 and saturates silently. Weights of 7 bits are safe.',
    remedy: 'Set `reduce_range=True`, or use unsigned weights.',
    source: 'onnxruntime documentation, "When and why do I need to try U8U8?"; docstring of quantize_static.',
  },
  check(facts) {
    if (facts.target !== 'x86-avx2' && facts.target !== 'x86-avx512') return [];
    return staticCalls(facts).flatMap((call) => {
      const mixed =
        memberOr(call, 'activation_type', 'QInt8') === 'QUInt8' &&
        memberOr(call, 'weight_type', 'QInt8') === 'QInt8';
      if (!mixed || flag(call, 'reduce_range') !== false) return [];
      return [{ facts: { subject: call.name, instead: 'reduce_range=True' }, span: call.nameSpan }];
    });
  },
};
