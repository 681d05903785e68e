/** All rules on models, in the order findings are shown. Adding one = its file and a line here. */
import { atOnce } from '../engine/base/steps';
import type { Issue, Severity } from '../protocol/issues';
import { attempt } from './attempt';
import { m01 } from './model/m01-channel-spread';
import { m02 } from './model/m02-fold-outliers';
import { m03 } from './model/m03-unfolded-batchnorm';
import { m04 } from './model/m04-separated-activation';
import { m05 } from './model/m05-operand-scales';
import { m06 } from './model/m06-zero';
import { m07 } from './model/m07-one-sided-range';
import { m08 } from './model/m08-asymmetric-weights';
import { m09 } from './model/m09-narrow-range';
import { m10 } from './model/m10-pair-saturation';
import { m11 } from './model/m11-accumulator-overflow';
import { m12 } from './model/m12-bias-scale';
import { m13 } from './model/m13-dead-channels';
import { m14 } from './model/m14-activation-clipping';
import { m15 } from './model/m15-few-levels';
import { m16 } from './model/m16-depthwise-per-tensor';
import { m17 } from './model/m17-first-last-layer';
import { m18 } from './model/m18-low-bit-activations';
import { m19 } from './model/m19-bounded-functions';
import { m20 } from './model/m20-attention-order';
import { m21 } from './model/m21-relu6';
import { m22 } from './model/m22-regression-range';
import { m23 } from './model/m23-float-fallback';
import { m24 } from './model/m24-mean-shift';
import { m25 } from './model/m25-calibration-set';
import { m26 } from './model/m26-norm-ratio';
import { m27 } from './model/m27-not-additive';
import { m28 } from './model/m28-block-format';
import { m29 } from './model/m29-single-weight';
import { m30 } from './model/m30-input-column';
import { offeredFixes } from './remedies';
import type { ModelFacts, ModelRule } from './rule';
import { isFloat } from './stored-type';
import { limitsOf, type ThresholdSettings } from './thresholds';

export const modelRules: readonly ModelRule[] = [
  m29,
  m16,
  m30,
  m01,
  m02,
  m03,
  m17,
  m18,
  m19,
  m05,
  m14,
  m15,
  m24,
  m26,
  m07,
  m20,
  m22,
  m27,
  m25,
  m13,
  m21,
  m11,
  m12,
  m06,
  m04,
  m23,
  m10,
  m28,
  m08,
  m09,
];

/** Rule by code, for documentation links and fixes. */
export function ruleOf(code: string): ModelRule | undefined {
  return modelRules.find((rule) => rule.code === code);
}

export type SeveritySettings = Readonly<Record<string, string>>;

/**
 * Findings of all rules under the severities a user configured (`off` removes one).
 * @param severities setting per code: `error | warning | information | hint | off`; others keep the default.
 * @param thresholds setting per `CODE.name`; what lies outside its bounds keeps the default.
 */
export function findings(
  facts: ModelFacts,
  severities: SeveritySettings = {},
  thresholds: ThresholdSettings = {},
): readonly Issue[] {
  return atOnce(findingsInSteps(facts, severities, thresholds));
}

/** {@link findings}, stopping after each rule: for a model of many layers something else may come in between. */
export function* findingsInSteps(
  facts: ModelFacts,
  severities: SeveritySettings,
  thresholds: ThresholdSettings,
): Generator<undefined, readonly Issue[]> {
  const found: Issue[] = [];
  for (const rule of modelRules) {
    if (severities[rule.code] === 'off') continue;
    const checked = attempt(rule.code, () => checkedBy(rule, facts, thresholds));
    found.push(...('failed' in checked ? [checked.failed] : checked.value));
    yield;
  }
  return withSeverities(found, severities);
}

function checkedBy(rule: ModelRule, facts: ModelFacts, thresholds: ThresholdSettings): readonly Issue[] {
  return [...rule.check(facts, limitsOf(rule, thresholds))].map((one) => ({
    ...one,
    fixes: canChange(facts, one) ? offeredFixes(rule.fixes, one, facts) : [],
  }));
}

/** False where all weights that a finding is about are stored quantized: no recipe can change them. */
function canChange({ report }: ModelFacts, { anchor }: Issue): boolean {
  const own = report.layers.filter(({ name }) => name === anchor.layer);
  return (own.length > 0 ? own : report.layers).some(isFloat);
}

/** Issues under the severities a user configured. */
export function withSeverities(issues: readonly Issue[], severities: SeveritySettings): readonly Issue[] {
  return issues.flatMap((one) => {
    const configured = severities[one.code];
    if (configured === 'off') return [];
    return [isSeverity(configured) ? { ...one, severity: configured } : one];
  });
}

function isSeverity(text: string | undefined): text is Severity {
  return text === 'error' || text === 'warning' || text === 'information' || text === 'hint';
}
