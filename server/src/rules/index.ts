/** All rules on models, in the order findings are shown. Adding one = its file and a line here. */
import type { Issue, Severity } from '../protocol/issues';
import { m01 } from './model/m01-channel-spread';
import { m02 } from './model/m02-fold-outliers';
import { m03 } from './model/m03-unfolded-batchnorm';
import { m13 } from './model/m13-dead-channels';
import { m16 } from './model/m16-depthwise-per-tensor';
import { m17 } from './model/m17-first-last-layer';
import { m21 } from './model/m21-relu6';
import type { ModelFacts, ModelRule } from './rule';

export const modelRules: readonly ModelRule[] = [m16, m01, m02, m03, m17, m13, m21];

/** Rule by code, for documentation links and fixes. */
export function ruleOf(code: string): ModelRule | undefined {
  return modelRules.find((rule) => rule.code === code);
}

export type SeveritySettings = Readonly<Record<string, string>>;

/**
 * Findings of all rules under the severities a user configured (`off` removes one).
 * @param severities setting per code: `error | warning | information | hint | off`; others keep the default.
 */
export function findings(facts: ModelFacts, severities: SeveritySettings = {}): readonly Issue[] {
  return modelRules.flatMap((rule) => {
    const configured = severities[rule.code];
    if (configured === 'off') return [];
    const found = rule.check(facts);
    return isSeverity(configured) ? found.map((one) => ({ ...one, severity: configured })) : found;
  });
}

function isSeverity(text: string | undefined): text is Severity {
  return text === 'error' || text === 'warning' || text === 'information' || text === 'hint';
}
