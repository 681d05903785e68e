/** S15: conversion of a trained network that is still in training mode. */
import type { ScriptRule } from './script-rule';
import { modeAfter, stageEvents, stageOf } from './torch-life';

export const s15: ScriptRule<'S15'> = {
  code: 'S15',
  severity: 'warning',
  title: 'QAT network converted in training mode',
  documentation: {
    trigger:
      'A network goes from `prepare_qat` to `convert`, and the last of `train()` and `eval()` before is certainly `train()`.',
    why: 'BatchNormalization folds with the statistics of the last batch and dropout stays; the converted network differs from the one that was evaluated.',
    remedy: 'Convert `model.eval()`.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode", quantization-aware training.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ event, stage, flow, network, before }) => {
      if (stage !== 'convert' || flow === 'pt2e') return [];
      const trained = before.findLastIndex(
        ({ call, certain }) => certain && stageOf(call)?.stage === 'prepare-qat',
      );
      if (trained === -1 || modeAfter(network, before) !== 'train') return [];
      const said = before.some(
        ({ call, role, certain }) => role === 'receiver' && certain && call.name === 'train',
      );
      return said ? [{ facts: { subject: event.call.name }, span: event.call.nameSpan }] : [];
    });
  },
};
