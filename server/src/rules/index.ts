/** All rules on models, in the order findings are shown. Adding one = its file and a line here. */
import type { Issue, Severity } from '../protocol/issues';
import { m01 } from './model/m01-channel-spread';
import { m02 } from './model/m02-fold-outliers';
import { m03 } from './model/m03-unfolded-batchnorm';
import { m07 } from './model/m07-one-sided-range';
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
import { m24 } from './model/m24-mean-shift';
import { m25 } from './model/m25-calibration-set';
import { m26 } from './model/m26-norm-ratio';
import { m27 } from './model/m27-not-additive';
import type { ModelFacts, ModelRule } from './rule';
import { limitsOf, type ThresholdSettings } from './thresholds';

export const modelRules: readonly ModelRule[] = [
  m16,
  m01,
  m02,
  m03,
  m17,
  m18,
  m19,
  m24,
  m26,
  m14,
  m15,
  m07,
  m20,
  m22,
  m27,
  m25,
  m13,
  m21,
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
  return modelRules.flatMap((rule) => {
    const configured = severities[rule.code];
    if (configured === 'off') return [];
    const found = rule.check(facts, limitsOf(rule, thresholds));
    return isSeverity(configured) ? found.map((one) => ({ ...one, severity: configured })) : found;
  });
}

function isSeverity(text: string | undefined): text is Severity {
  return text === 'error' || text === 'warning' || text === 'information' || text === 'hint';
}
