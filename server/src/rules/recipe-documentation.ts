/** What the documentation says of the findings on recipes (`recipe-issues.ts` and `methods/plan.ts` make them). */
import type { Severity } from '../protocol/issues';
import type { ModelRule } from './rule';

export interface RecipeFinding {
  readonly code: 'R01' | 'R02' | 'R03' | 'R04' | 'R05';
  readonly severity: Severity;
  readonly title: string;
  readonly documentation: ModelRule['documentation'];
}

export const recipeFindings: readonly RecipeFinding[] = [
  {
    code: 'R01',
    severity: 'warning',
    title: 'A rule matches no layer',
    documentation: {
      trigger: 'The `match` of a rule in `layers` fits no layer name of the recipe’s model.',
      why: 'The layer that was meant falls back to the default, silently: a layer that should stay in float gets quantized.',
      remedy:
        'Take the name from the layer table or from `quantlens inspect MODEL`. The quick fix writes the nearest name.',
      source:
        'Recipe reference: `*` stands for any characters, `?` for one; the last rule that matches wins.',
    },
  },
  {
    code: 'R02',
    severity: 'error',
    title: 'A format cannot be exported',
    documentation: {
      trigger:
        'A rule or the default names a weight format that the target cannot store, or a bit width that it lacks.',
      why: '`quantize` would refuse the recipe or leave the layer in float.',
      remedy:
        'Use the nearest format that can be exported; the message names the reason. docs/formats.md lists all.',
      source:
        'ONNX QuantizeLinear and DequantizeLinear type tables; onnxruntime contrib operator MatMulNBits.',
    },
  },
  {
    code: 'R03',
    severity: 'warning',
    title: 'A rule has no effect',
    documentation: {
      trigger: 'Every layer that a rule matches is decided by a later rule.',
      why: 'The last rule that matches wins. A rule that never wins reads as if it did something.',
      remedy: 'Move the rule behind the one that hides it, or remove it.',
      source: 'Recipe reference: the last rule that matches wins.',
    },
  },
  {
    code: 'R04',
    severity: 'error',
    title: 'The model does not exist',
    documentation: {
      trigger: 'The path in `model` names no file.',
      why: 'Nothing can be checked, measured or quantized.',
      remedy: 'Correct the path; it is relative to the recipe, not to the working directory.',
      source: 'Recipe reference.',
    },
  },
  {
    code: 'R05',
    severity: 'warning',
    title: 'A rule is about layers that are quantized already',
    documentation: {
      trigger:
        'Every layer that a rule decides about is stored quantized in the file, or every layer of the model is, which is told at the default.',
      why: 'Codes and scales of the file stay as they are: nothing can be planned for such weights. `quantize` refuses a format for them, and keeping them in float does not bring the float weights back.',
      remedy:
        'Write the recipe for the float original. To see what the quantized file costs, compare it with its original.',
      source: 'QuantizeLinear, DequantizeLinear and MatMulNBits store codes in place of weights.',
    },
  },
];
