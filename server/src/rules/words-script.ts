/** Sentences of the findings on scripts: what is wrong at this place and what to do, one sentence or two each. */
import type { ScriptCode, ScriptFindingFacts } from '../protocol/issues';

export const scriptSentences: { readonly [C in ScriptCode]: (facts: ScriptFindingFacts) => string } = {
  S01: ({ subject }) =>
    `${subject} on a network in training mode. Call eval() first, so that BatchNorm is frozen and folds.`,
  S02: ({ subject }) =>
    `${subject} asserts training mode, and the network is in eval mode here. Call train() first.`,
  S03: ({ subject, instead }) =>
    `${subject}: Conv and BatchNorm of this network are not fused, which costs accuracy and speed. Call ${instead} before.`,
  S04: ({ subject, instead }) =>
    `${subject} folds BatchNorm away, and the network is trained afterwards. Use ${instead}.`,
  S05: ({ subject, detail }) =>
    `${detail}: ${subject} cannot be fused. Name modules in an order that fusion knows.`,
  S06: ({ subject, instead }) =>
    `${subject}: this network has no ${instead}, so its first quantized operator gets a float tensor and raises. Add them, or wrap it in QuantWrapper.`,
  S07: ({ subject, instead }) =>
    `${subject} is not observed by eager quantization. Use nn.quantized.${instead}.`,
  S08: ({ subject, detail }) =>
    `${subject} is called ${detail} times with one observer for all. Create one module per place.`,
  S09: ({ subject }) => `${subject}: no qconfig is set, so nothing is quantized. Set model.qconfig first.`,
  S10: ({ subject, instead }) =>
    `${subject} is an observer object; QConfig needs the class. Use ${instead}(…) or the class itself.`,
  S11: ({ subject, instead }) =>
    `${subject} scales weights per tensor by plain min-max, which costs convolutional networks several points. Use ${instead}.`,
  S12: ({ subject, instead }) =>
    `${subject} is the configuration of another backend than ${instead}. Use one name for both.`,
  S13: ({ subject }) =>
    `${subject}: the network was prepared but never run, so its ranges are unknown. Run calibration samples through it before converting.`,
  S14: ({ subject }) =>
    `${subject}: quantized operators of this flow run on the CPU only. Keep the converted network there.`,
  S15: ({ subject }) =>
    `${subject}: the network stays in training mode, so what is not quantized acts as in training. Call eval().`,
  S16: ({ subject }) =>
    `${subject}: BatchNorm statistics and ranges move until the end of training. Freeze them in the last third.`,
  S17: ({ subject }) =>
    `${subject} on a network with random weights. Train or load float weights first and fine-tune from there.`,
  S18: ({ subject, detail }) =>
    `${subject} has one weight scale per tensor, and ${detail} is a grouped convolution. Use a per-channel weight observer.`,
  S19: ({ subject, detail }) =>
    `${subject} fails on ${detail}: per-channel weights are not supported for transposed convolutions. Give it a per-tensor qconfig, or None.`,
  S20: ({ subject, instead }) => `${subject} is not fused in eager quantization. Train with ${instead}.`,
  S21: ({ subject }) => `Calibrated with ${subject}. Use the transforms of inference, in fixed order.`,
  S22: ({ subject }) => `Calibrated on ${subject}, which is also evaluated. Use other samples.`,
  S23: ({ subject }) => `${subject} runs with gradients on. Calibrate inside torch.inference_mode().`,
  S24: ({ subject, instead }) =>
    `${subject} is going to be removed from PyTorch. ${instead ? `Use ${instead}.` : 'Move to torchao, or pin the PyTorch version.'}`,
  S25: ({ subject, instead }) => `${subject} raises on an exported program. Use ${instead}.`,
  S26: ({ subject, instead }) => `${subject} uses no int8 kernels without freezing. Set ${instead}.`,
  S27: ({ subject, detail }) =>
    detail === undefined
      ? `${subject}: int4 kernels take groups of 32, 64, 128 or 256. Choose one of them.`
      : `${subject} does not divide ${detail}, which stays float without an error. Choose a size that does, or filter the layer out.`,
  S28: ({ subject, instead }) =>
    `${subject} without a group size; its default differs between configurations. State ${instead}.`,
  S29: ({ subject, instead }) => `${subject} is refused by this configuration. Use ${instead}.`,
  S30: ({ subject, instead, detail }) =>
    detail === 'uncalled'
      ? `${subject} makes a configuration and is none: quantize_ raises. Write ${instead}.`
      : `${subject} belongs to the old torchao API. Pass ${instead ?? 'a configuration class'}.`,
  S31: ({ subject, instead }) =>
    `${subject} also takes lm_head, whose error goes straight into the logits. Leave it out with ${instead}.`,
  S32: ({ subject, instead }) =>
    `${subject} computes in float32 by default, which is slow. Add ${instead ?? 'a compute type'}.`,
  S33: ({ subject, instead }) => `${subject} is the weaker 4-bit type for training. Set ${instead}.`,
  S34: ({ subject }) =>
    `${subject} over quantized weights, which have no gradients. Add adapters and optimize those.`,
  S35: ({ subject }) =>
    `${subject} is meant for inference. With more than one GPU, place the model yourself for training.`,
  S36: ({ subject }) => `${subject} is quantized already and brings its configuration. Leave this one out.`,
  S37: ({ subject, detail }) =>
    detail === undefined
      ? `GPTQ needs a ${subject} to quantize. Pass it.`
      : `GPTQ with ${detail} text${detail === 1 ? '' : 's'} fits the weights to just these. Use a dataset such as "c4".`,
  S38: ({ subject, instead }) =>
    `${subject}: the ExLlama kernels are on by default and do not run on the CPU. Pass ${instead}.`,
  S39: ({ subject, instead }) => `${subject} is no longer developed. Use ${instead}.`,
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
  S45: ({ subject, instead, detail }) =>
    detail === 'cuda'
      ? `${subject}: unsigned types run on CUDA but are not accelerated. Use ${instead} for both.`
      : `${subject}: TensorRT takes no unsigned types. Use ${instead} for both.`,
  S46: ({ subject, instead, detail }) =>
    Number(detail) < 10
      ? `${subject} is too old for quantization, and onnxruntime converts the model on its own. Export with opset ${instead}.`
      : `${subject}: MaxPool is quantized from opset 12 on only. Export with opset ${instead}.`,
  S47: ({ subject, instead }) =>
    `${subject} with per_channel=True: scales per channel need opset ${instead}.`,
  S48: ({ subject, instead, detail }) =>
    `${subject} needs ${instead}, and the model is exported with opset ${detail}: onnxruntime converts it, or writes operators that only it reads. Export with ${instead}.`,
  S49: ({ subject, instead }) =>
    `${subject} turns convolutions into ConvInteger with int8 weights, which many releases of onnxruntime refuse. Use ${instead}, or leave convolutions out.`,
  S50: ({ subject, instead }) =>
    `${subject} no longer takes these arguments. Call ${instead ?? 'its successor'}.`,
  S51: ({ subject, detail, instead }) =>
    `${subject} calibration from ${detail} samples: the tail it judges is not in them. Take ${instead} or more, or use min-max.`,
  S52: ({ subject, instead }) =>
    `${subject} is quantized to its end: boxes and scores share one scale. Leave the tail out with ${instead}.`,
  S53: ({ subject, instead, detail }) =>
    `${subject} is not the preset of ${detail}. Use AutoQuantizationConfig.${instead}.`,
  S54: ({ subject, instead }) => `${subject} needs ${instead}, which this script does not set.`,
  S55: ({ subject }) =>
    `${subject}: ranges from random numbers do not fit real inputs. Use real samples, or synthesise them from the network.`,
  S56: ({ subject }) =>
    `${subject} is a subclassed model, which cannot be annotated. Build it with the functional API.`,
  S57: ({ subject, instead }) =>
    `${subject} does not translate fake quantizers; the exported model is not quantized. Use ${instead}, or the PT2E flow.`,
  S58: ({ subject, instead, detail }) =>
    `${subject}: the legacy exporter ends at opset ${detail}. Use ${instead}.`,
  S59: ({ subject }) =>
    `${subject} folds BatchNorm with the statistics of each batch, so its quantizer jumps. Fold with running statistics and correct.`,
  S60: ({ subject }) => `${subject}: stochastic rounding only adds noise in forward. Round to nearest.`,
  S61: ({ subject }) => `${subject}: averaged weights fall between codes. Evaluate the last weights too.`,
  S62: ({ subject, instead }) =>
    `${subject} is a rate for training from scratch. Start fine-tuning at ${instead} or below.`,
  S63: ({ subject, instead }) => `${subject} quantizes from the first step. Pass ${instead}.`,
  S64: ({ subject }) =>
    `${subject} gives all channels the range of the widest, and language models have very wide ones. Quantize activations per token, or weights only.`,
  S65: ({ subject, detail }) =>
    `${subject} with ${detail}-bit activations and no dropped quantization rounds weights for inputs without noise. Add a drop probability of 0.5.`,
  S66: ({ subject, instead }) => `${subject} rounds halves up; ONNX rounds them to even. Use ${instead}.`,
  S67: ({ subject }) =>
    `${subject}: after a ReLU nothing is negative, so the sign says nothing. Use Hardtanh before it.`,
  S68: ({ subject, instead }) =>
    `${subject} is no member of ${instead}, so something else is used or the call raises. Take one of ${instead}.`,
  S69: ({ subject, instead }) =>
    `${subject} has no get_next(), so calibration raises. Give an object of a class derived from ${instead}.`,
  S70: ({ subject }) =>
    `${subject} is a generator: every call gives a new one instead of a dictionary of inputs. Return next(…, None) of an iterator the object keeps.`,
  S71: ({ subject, detail }) =>
    detail === undefined
      ? `${subject} never returns None, so calibration never ends. Count the samples and return None after the last.`
      : `${subject} goes through ${detail} anew at every call: always the first sample, never None, so calibration never ends. Keep iter(${detail}) in __init__ and return next(…, None) of it.`,
  S72: ({ subject, instead }) =>
    `${subject}: names are looked up in a list, so this one matches other names or none. Write ${instead}.`,
  S73: ({ subject, instead, detail }) =>
    `${detail} takes no ${subject} since ${instead} and raises. Leave it out.`,
  S74: ({ subject, instead }) => `"${subject}" is read by nobody. The option is called "${instead}".`,
  S75: ({ subject, instead }) =>
    `${subject} without ${instead}: the model is not quantized. Set ${instead} to [tf.lite.Optimize.DEFAULT].`,
  S76: ({ subject, instead }) => `${subject} is no list, so conversion raises. Write ${instead}.`,
  S77: ({ subject }) =>
    `${subject} cannot be called, so conversion raises. Give a function that yields the samples.`,
  S78: ({ subject, instead }) =>
    `${subject} is an array, and a sample is a list with one array per input: conversion raises. Yield ${instead}.`,
  S79: ({ subject, instead, detail }) =>
    `${subject} only observes: after ${detail} nothing is trained for quantization. Use ${instead}.`,
  S80: ({ subject }) =>
    `${subject} stays float: dynamic quantization has no convolutions. Leave it out, or quantize statically.`,
  S81: ({ subject, instead }) =>
    `${subject} works on a copy, and its result is thrown away. To keep it, ${instead}.`,
  S82: ({ subject, instead }) =>
    `${subject} of a converted network: what is loaded from it does not run. Save its ${instead}, or a scripted network.`,
  S83: ({ subject, instead }) =>
    `${subject} needs ${instead} since PyTorch 1.13 and raises without. Pass a tuple of inputs.`,
  S84: ({ subject, instead }) =>
    `${subject} is no backend of quantization: PyTorch raises since 1.13 and took a weak default before. Use ${instead}.`,
  S85: ({ subject }) => `${subject} changes the network itself and returns None. Call it as a statement.`,
  S86: ({ subject, instead, detail }) =>
    `${subject} on a model in ${detail} bits raises ${instead}: it has its place and types from loading. Leave it out.`,
  S87: ({ subject, instead }) => `${subject} beside ${instead}: only one can be used. Keep one.`,
  S88: ({ subject }) =>
    `${subject} beside quantization_config raises since Transformers 4.38: the configuration says it already. Leave it out.`,
  S89: ({ subject, detail }) =>
    `${subject} rounds the sum to ${detail} bits again and loses part of the adapters. Merge into a base in half precision.`,
  S90: ({ subject, instead }) => `${subject} is refused. It takes ${instead}.`,
};
