/** S44: 7-bit weights where the hardware needs none. */
import { argument } from '../../script/program';
import { dynamicCalls, flag, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

export const s44: ScriptRule<'S44'> = {
  code: 'S44',
  severity: 'information',
  title: 'Range reduction on hardware that does not saturate',
  documentation: {
    trigger: '`reduce_range=True` while the target has VNNI or is ARM64.',
    why: 'These processors accumulate products in 32 bits; a bit of every weight (6 dB) is given away for nothing.',
    remedy: 'Leave `reduce_range` out.',
    source: 'onnxruntime documentation, "Quantize ONNX models", Data type selection.',
  },
  check(facts) {
    if (facts.target !== 'x86-vnni' && facts.target !== 'arm64') return [];
    return [...staticCalls(facts), ...dynamicCalls(facts)].flatMap((call) => {
      const written = argument(call, 'reduce_range');
      if (!written || written === 'hidden' || flag(call, 'reduce_range') !== true) return [];
      return [{ facts: { subject: 'reduce_range=True', detail: facts.target }, span: written.span }];
    });
  },
};
