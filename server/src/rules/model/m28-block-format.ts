/** M28: groups of weights that do not fit their layer or their kernel. */
import { issue } from '../../engine/base/issue';
import { storedLayers, targetSeverity } from '../quantized';
import type { ModelFacts, ModelRule } from '../rule';

const thresholds = {
  smallest: {
    default: 16,
    minimum: 1,
    maximum: 4096,
    description: 'weights that share a scale, at least',
  },
} as const;

interface Misuse {
  readonly layer: string;
  readonly groupSize: number;
  readonly reduction: number;
}

export const m28: ModelRule<'M28', keyof typeof thresholds> = {
  code: 'M28',
  severity: 'warning',
  title: 'Group size does not fit',
  documentation: {
    trigger: `The inputs of a layer are no multiple of its group size, a group has fewer than ${thresholds.smallest.default} weights, or a scale is negative. Of files that are quantized already; this program's own export pads the last group.`,
    why: 'A short last group is padded or refused: blocked DequantizeLinear of some execution providers takes whole groups only. In groups below 16 the scales weigh more than what they save (a 32-bit scale for 15 4-bit codes makes 6.1 bits per weight), and MatMulNBits starts at 16. Not every provider reads negative scales.',
    remedy:
      'Choose a group size that divides the inputs of the layer, or pad the weight; store scales as positive numbers.',
    source:
      'ONNX DequantizeLinear, block_size; onnxruntime ContribOperators, MatMulNBits (block_size a power of two, at least 16).',
  },
  thresholds,
  fixes: [],
  check(facts, limits) {
    const found: Record<'remainder' | 'small' | 'negative', Misuse[]> = {
      remainder: [],
      small: [],
      negative: [],
    };
    for (const { layer, groupSize, reduction, negative } of groups(facts)) {
      const misuse = { layer, groupSize, reduction };
      if (groupSize > 0 && reduction % groupSize !== 0) found.remainder.push(misuse);
      if (groupSize < limits.smallest && groupSize < reduction) found.small.push(misuse);
      if (negative) found.negative.push(misuse);
    }
    return (['remainder', 'small', 'negative'] as const).flatMap((because) => {
      const [first] = found[because];
      if (!first) return [];
      const { groupSize, reduction } = first;
      const layers = found[because].length;
      const severity = because === 'small' ? m28.severity : targetSeverity(m28, facts);
      return [issue('M28', { because, groupSize, reduction, layers }, { layer: first.layer }, severity)];
    });
  },
};

/** Layers stored in groups. */
function* groups(facts: ModelFacts): Iterable<Misuse & { readonly negative: boolean }> {
  for (const { layer, quantized } of storedLayers(facts)) {
    const { granularity, groupSize = 0, reduction, negativeScales } = quantized;
    if (granularity === 'group')
      yield { layer: layer.name, groupSize, reduction, negative: negativeScales > 0 };
  }
}
