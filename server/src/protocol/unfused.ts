/** Why an operator between quantizers gets no integer kernel, as far as the optimised graph tells. */
export type UnfusedReason =
  | 'output-not-quantized'
  | 'input-not-quantized'
  /** Neither input nor output is quantized: the file asks for the weight alone, and nothing failed. */
  | 'weight-only'
  | 'weight-not-quantized'
  | 'bias-not-integer'
  | 'bias-scale'
  | 'activation-kept'
  | 'shared-output'
  | 'scales-per-channel'
  | 'types-differ'
  | 'no-kernel'
  | 'unknown';
