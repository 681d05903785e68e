/** S15: conversion of a trained network that is still in training mode. */
import type { Event } from '../../script/flow';
import type { ScriptRule } from './script-rule';
import { modeAfter, stageEvents, stageOf } from './torch-life';

export const s15: ScriptRule<'S15'> = {
  code: 'S15',
  severity: 'information',
  title: 'QAT network left in training mode',
  documentation: {
    trigger:
      'A network goes from `prepare_qat` to `convert`, the last of `train()` and `eval()` before is certainly `train()`, and the converted network runs without `eval()` after.',
    why: 'Conversion itself gives the same integers in both modes, but it keeps the mode: what stays float (dropout and BatchNormalization outside the quantized part, functions that ask `self.training`) goes on as in training.',
    remedy: 'Convert `model.eval()`, or call `eval()` on the result.',
    source: 'PyTorch tutorial "Static Quantization with Eager Mode", quantization-aware training.',
  },
  check(facts) {
    return stageEvents(facts).flatMap(({ event, stage, flow, network, before, after }) => {
      if (stage !== 'convert' || flow === 'pt2e') return [];
      const trained = before.findLastIndex(
        ({ call, certain }) => certain && stageOf(call)?.stage === 'prepare-qat',
      );
      if (trained === -1 || modeAfter(network, before) !== 'train') return [];
      if (after.some(mayTurnOff) || !after.some(({ role }) => role === 'called')) return [];
      const said = before.some(
        ({ call, role, certain }) => role === 'receiver' && certain && call.name === 'train',
      );
      return said ? [{ facts: { subject: event.call.name }, span: event.call.nameSpan }] : [];
    });
  },
};

function mayTurnOff({ call, role, opaque }: Event): boolean {
  return role === 'receiver' ? call.name === 'eval' || call.name === 'train' : role === 'argument' && opaque;
}
