/** S52: the tail of a detector quantized with everything else. */
import { stringOf } from '../../script/values';
import { given, staticCalls } from './onnx-calls';
import type { ScriptRule } from './script-rule';

/** Families whose export joins pixel coordinates and scores; earlier YOLOs, SSD and DETR keep them apart. */
const detectors = /yolo[-_]?v?(?:[5-9]|1[0-3])(?![0-9])/i;

export const s52: ScriptRule<'S52'> = {
  code: 'S52',
  severity: 'warning',
  title: 'Detection tail quantized with the class scores',
  documentation: {
    trigger:
      '`quantize_static` of a file whose name is that of a YOLO of version 5 or later, with neither `nodes_to_exclude`, `nodes_to_quantize` nor `op_types_to_quantize`.',
    why: 'At the end these detectors join box coordinates (hundreds) and scores (below one) in one Concat: one scale for both leaves the scores no codes, and nothing is detected.',
    remedy:
      'Exclude the nodes behind the last convolutions, or quantize `op_types_to_quantize=["Conv"]` only.',
    source: 'microsoft/onnxruntime#14233.',
  },
  check(facts) {
    return staticCalls(facts).flatMap((call) => {
      const model = stringOf(given(call, 'model_input'));
      if (model === undefined || !detectors.test(model)) return [];
      const chosen = ['nodes_to_exclude', 'nodes_to_quantize', 'op_types_to_quantize'];
      if (chosen.some((name) => given(call, name) !== undefined)) return [];
      return [{ facts: { subject: model, instead: 'nodes_to_exclude' }, span: call.nameSpan }];
    });
  },
};
