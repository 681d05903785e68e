/** All rules on scripts, by number. Adding one = its file and a line here. */
import { anchored } from '../../engine/base/issue';
import type { Issue } from '../../protocol/issues';
import { frameworks } from '../../script/catalog';
import { attempt } from '../attempt';
import { s01 } from './s01-not-in-eval-mode';
import { s02 } from './s02-qat-in-eval-mode';
import { s03 } from './s03-not-fused';
import { s04 } from './s04-wrong-fusion-for-qat';
import { s05 } from './s05-unknown-sequence';
import { s06 } from './s06-no-stubs';
import { s07 } from './s07-plain-operators';
import { s08 } from './s08-reused-module';
import { s09 } from './s09-no-qconfig';
import { s10 } from './s10-observer-instance';
import { s11 } from './s11-default-qconfig';
import { s12 } from './s12-backend-mismatch';
import { s13 } from './s13-not-calibrated';
import { s14 } from './s14-converted-on-gpu';
import { s15 } from './s15-converted-in-training-mode';
import { s16 } from './s16-never-frozen';
import { s17 } from './s17-qat-from-scratch';
import { s18 } from './s18-per-tensor-depthwise';
import { s19 } from './s19-transposed-per-channel';
import { s20 } from './s20-relu6';
import { s21 } from './s21-augmented-calibration';
import { s22 } from './s22-calibrated-on-test-set';
import { s23 } from './s23-calibration-with-gradients';
import { s24 } from './s24-moved-quantization';
import { s25 } from './s25-exported-mode';
import { s26 } from './s26-no-freezing';
import { s27 } from './s27-group-size';
import { s28 } from './s28-unstated-group';
import { s29 } from './s29-int8-group';
import { s30 } from './s30-callable-config';
import { s31 } from './s31-output-layer';
import { s32 } from './s32-compute-type';
import { s33 } from './s33-training-type';
import { s34 } from './s34-frozen-parameters';
import { s35 } from './s35-device-map';
import { s36 } from './s36-quantized-twice';
import { s37 } from './s37-gptq-dataset';
import { s38 } from './s38-exllama-on-cpu';
import { s39 } from './s39-auto-gptq';
import { s40 } from './s40-no-preprocessing';
import { s41 } from './s41-wrong-pairing';
import { s42 } from './s42-operator-format';
import { s43 } from './s43-saturation';
import { s44 } from './s44-needless-reduction';
import { s45 } from './s45-gpu-types';
import { s46 } from './s46-old-opset';
import { s47 } from './s47-per-channel-opset';
import { s48 } from './s48-type-opset';
import { s49 } from './s49-convinteger';
import { s50 } from './s50-deprecated-entry';
import { s51 } from './s51-few-samples';
import { s52 } from './s52-detection-tail';
import { s53 } from './s53-preset';
import { s54 } from './s54-full-integer';
import { s55 } from './s55-random-calibration';
import { s56 } from './s56-subclassed-keras';
import { s57 } from './s57-export-fake-quantize';
import { s58 } from './s58-legacy-exporter';
import { s59 } from './s59-naive-fold';
import { s60 } from './s60-stochastic-rounding';
import { s61 } from './s61-averaged-weights';
import { s62 } from './s62-learning-rate';
import { s63 } from './s63-quant-delay';
import { s64 } from './s64-language-model-ranges';
import { s65 } from './s65-reconstruction-without-activations';
import { s66 } from './s66-rounding-half-up';
import { s67 } from './s67-relu-before-sign';
import { s68 } from './s68-mixed-enumerations';
import { s69 } from './s69-no-reader';
import { s70 } from './s70-reader-yields';
import { s71 } from './s71-endless-reader';
import { s72 } from './s72-names-as-text';
import { s73 } from './s73-removed-arguments';
import { s74 } from './s74-unknown-option';
import { s75 } from './s75-dataset-without-optimizations';
import { s76 } from './s76-optimizations-not-a-list';
import { s77 } from './s77-dataset-called';
import { s78 } from './s78-bare-sample';
import { s79 } from './s79-observers-in-qat';
import { s80 } from './s80-dynamic-convolutions';
import { s81 } from './s81-lost-result';
import { s82 } from './s82-saved-whole';
import { s83 } from './s83-no-example-inputs';
import { s84 } from './s84-unknown-backend';
import { s85 } from './s85-nothing-returned';
import { s86 } from './s86-cast-quantized';
import { s87 } from './s87-two-widths';
import { s88 } from './s88-width-beside-config';
import { s89 } from './s89-merged-into-quantized';
import { s90 } from './s90-refused-value';
import { type ScriptFacts, type ScriptFinding, type ScriptRule, scriptIssue } from './script-rule';

export const scriptRules: readonly ScriptRule[] = [
  s01,
  s02,
  s03,
  s04,
  s05,
  s06,
  s07,
  s08,
  s09,
  s10,
  s11,
  s12,
  s13,
  s14,
  s15,
  s16,
  s17,
  s18,
  s19,
  s20,
  s21,
  s22,
  s23,
  s24,
  s25,
  s26,
  s27,
  s28,
  s29,
  s30,
  s31,
  s32,
  s33,
  s34,
  s35,
  s36,
  s37,
  s38,
  s39,
  s40,
  s41,
  s42,
  s43,
  s44,
  s45,
  s46,
  s47,
  s48,
  s49,
  s50,
  s51,
  s52,
  s53,
  s54,
  s55,
  s56,
  s57,
  s58,
  s59,
  s60,
  s61,
  s62,
  s63,
  s64,
  s65,
  s66,
  s67,
  s68,
  s69,
  s70,
  s71,
  s72,
  s73,
  s74,
  s75,
  s76,
  s77,
  s78,
  s79,
  s80,
  s81,
  s82,
  s83,
  s84,
  s85,
  s86,
  s87,
  s88,
  s89,
  s90,
];

/** A finding with the rule that made it. */
export interface RuledFinding {
  readonly rule: ScriptRule;
  readonly finding: Pick<ScriptFinding, 'span' | 'fix'>;
  readonly issue: Issue;
}

/** True for files that import a framework the rules know; others are not looked at. */
export function isRelevant(facts: Pick<ScriptFacts, 'program'>): boolean {
  return [...facts.program.imports].some((name) => frameworks.has(name));
}

/**
 * Findings of all rules, in the order of the text. In steps, one per rule: what they find in a long script takes a moment.
 * @param severities setting per code: `error | warning | information | hint | off`; others keep the default.
 */
export function* scriptFindingSteps(
  facts: ScriptFacts,
  severities: Readonly<Record<string, string>> = {},
): Generator<void, readonly RuledFinding[]> {
  if (!isRelevant(facts)) return [];
  const found: RuledFinding[] = [];
  for (const rule of scriptRules) {
    const configured = severities[rule.code];
    if (configured === 'off') continue;
    const severity = levels.find((level) => level === configured);
    const checked = attempt(rule.code, () => unique(rule.check(facts)));
    if ('failed' in checked) {
      const span = [0, 0] as const;
      found.push({ rule, finding: { span }, issue: anchored(checked.failed, { span }) });
    } else
      for (const finding of checked.value) {
        const made = scriptIssue(rule, finding);
        found.push({ rule, finding, issue: severity ? { ...made, severity } : made });
      }
    yield;
  }
  return found.sort((one, other) => one.finding.span[0] - other.finding.span[0]);
}

const levels = ['error', 'warning', 'information', 'hint'] as const;

/** Several flows may pass one place; it is said once. */
function unique(findings: readonly ScriptFinding[]): readonly ScriptFinding[] {
  const seen = new Set<string>();
  return findings.filter(({ span }) => {
    const key = span.join();
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
