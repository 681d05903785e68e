/** Sentences of the findings on scripts: what is wrong at this place and what to do, one sentence or two each. */
import type { ScriptCode, ScriptFindingFacts } from '../protocol/issues';

export const scriptSentences: { readonly [C in ScriptCode]: (facts: ScriptFindingFacts) => string } = {
  S13: ({ subject }) =>
    `${subject}: the network was prepared but never run, so its ranges are unknown. Run calibration samples through it before converting.`,
  S24: ({ subject, instead }) =>
    `${subject} is going to be removed from PyTorch. ${instead ? `Use ${instead}.` : 'Move to torchao, or pin the PyTorch version.'}`,
  S30: ({ subject, instead }) =>
    `${subject} belongs to the old torchao API. Pass ${instead ?? 'a configuration class'}.`,
  S32: ({ subject, instead }) =>
    `${subject} computes in float32 by default, which is slow. Add ${instead ?? 'a compute type'}.`,
  S40: ({ subject }) =>
    `${subject} is quantized as it is. Run quant_pre_process first: it infers shapes and folds what need not be quantized.`,
  S41: ({ subject, instead, detail }) =>
    `${subject} for a ${detail} network: ${instead} is the more exact choice there.`,
  S42: ({ subject, instead }) =>
    `${subject} with int8 activations and weights has no fast kernel on x86. Use ${instead}.`,
  S43: ({ subject, instead }) =>
    `${subject}: unsigned activations times 8-bit weights can saturate 16-bit sums on this processor. Set ${instead}, or use unsigned weights.`,
  S44: ({ subject, detail }) =>
    `${subject} gives away one bit of every weight; ${detail} does not need it. Leave it out.`,
  S45: ({ subject, instead }) => `${subject}: unsigned types do not run on a GPU. Use ${instead} for both.`,
  S46: ({ subject, instead }) => `${subject} is too old for quantization. Export with opset ${instead}.`,
  S47: ({ subject, instead }) =>
    `${subject} with per_channel=True: scales per channel need opset ${instead}.`,
  S48: ({ subject, instead, detail }) =>
    `${subject} needs ${instead}, and the model is exported with opset ${detail}.`,
  S49: ({ subject, instead }) =>
    `${subject} turns convolutions into ConvInteger with int8 weights, which onnxruntime does not run. Use ${instead}, or leave convolutions out.`,
  S50: ({ subject, instead }) => `${subject} is an old entry point. Call ${instead ?? 'its successor'}.`,
  S51: ({ subject, detail, instead }) =>
    `${subject} calibration from ${detail} samples: the tail it judges is not in them. Take ${instead} or more, or use min-max.`,
  S57: ({ subject, instead }) =>
    `${subject} does not translate fake quantizers; the exported model is not quantized. Use ${instead}, or the PT2E flow.`,
  S58: ({ subject, instead, detail }) =>
    `${subject}: the legacy exporter ends at opset ${detail}. Use ${instead}.`,
};
