/** S53: an Optimum preset for another processor. */
import type { ScriptRule, ScriptTarget } from './script-rule';

/** Preset of AutoQuantizationConfig per target. */
const presets: Readonly<Record<ScriptTarget, string>> = {
  'x86-avx2': 'avx2',
  'x86-avx512': 'avx512',
  'x86-vnni': 'avx512_vnni',
  arm64: 'arm64',
  cuda: 'tensorrt',
  tensorrt: 'tensorrt',
};

export const s53: ScriptRule<'S53'> = {
  code: 'S53',
  severity: 'warning',
  title: 'Optimum preset for another processor',
  documentation: {
    trigger: '`AutoQuantizationConfig.NAME(…)` with another name than the one of the target that is set.',
    why: 'The preset decides types and range reduction; a wrong one saturates or gives a bit away.',
    remedy: 'Use the preset of the processor that runs the model.',
    source: 'Optimum documentation, ONNX Runtime quantization.',
  },
  check(facts) {
    const { target } = facts;
    if (target === undefined) return [];
    return facts.program.calls.flatMap(({ path, nameSpan }) => {
      const preset = /^optimum\.onnxruntime\.(?:configuration\.)?AutoQuantizationConfig\.(\w+)$/.exec(
        path ?? '',
      )?.[1];
      if (preset === undefined || preset === presets[target]) return [];
      return [{ facts: { subject: preset, instead: presets[target], detail: target }, span: nameSpan }];
    });
  },
};
