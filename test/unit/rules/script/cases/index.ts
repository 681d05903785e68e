/**
 * Scripts per rule: `bad` ones with the places marked ⟦so⟧ that must be found, `good` ones that look alike and must
 * not be. Every rule has both. Add a rule's cases to the file of its family.
 */
import type { ScriptCode } from '../../../../../server/src/protocol/issues';
import { onnxMistakes } from './onnx-mistakes';
import { onnxruntimeCases } from './onnxruntime';
import { tfliteMistakes } from './tflite-mistakes';
import { calibrationCases } from './torch-calibration';
import { configurationCases } from './torch-configuration';
import { eagerCases } from './torch-eager';
import { torchMistakes } from './torch-mistakes';
import { trainingCases } from './torch-training';
import { weightOnlyCases } from './weight-only';
import { weightOnlyMistakes } from './weight-only-mistakes';

export interface RuleCases {
  readonly bad: readonly string[];
  readonly good: readonly string[];
  /** Scripts after the fix of their first finding, in the order of `bad`; missing when the rule has no fix. */
  readonly fixed?: readonly string[];
  /** Target the rule needs. */
  readonly target?: string;
}

export const cases: { readonly [C in ScriptCode]: RuleCases } = {
  ...eagerCases,
  ...configurationCases,
  ...calibrationCases,
  ...trainingCases,
  ...weightOnlyCases,
  ...onnxruntimeCases,
  ...weightOnlyMistakes,
  ...torchMistakes,
  ...tfliteMistakes,
  ...onnxMistakes,
};
