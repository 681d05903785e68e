/** Wording of files that are quantized already. */
import type { UnfusedReason } from '../protocol/reports';

/** Why an operator gets no integer kernel, as a noun clause. */
export const unfusedWords: Readonly<Record<UnfusedReason, string>> = {
  'output-not-quantized': 'its output is not quantized',
  'input-not-quantized': 'another operator stands between its input and the DequantizeLinear',
  'weight-not-quantized': 'its weight is not quantized',
  'bias-not-integer': 'its bias is not int32 behind DequantizeLinear',
  'bias-scale': 'the scale of its bias is not input scale times weight scale',
  'activation-kept':
    'an activation function that its output range does not replace stands before the quantizer',
  'shared-output': 'its output is read by a quantizer and by others',
  'zero-points-differ': 'its weight channels have different zero points',
  'scales-per-channel': 'its weight of more than two dimensions has more than one scale',
  'types-differ':
    'its input and output have different 8-bit types; on x64 int8 activations become uint8 unless several operators read them: use uint8 activations',
  'no-kernel': 'there is no integer kernel for it',
  unknown: 'the graph does not tell why',
};
