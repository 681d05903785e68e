/** All rules on scripts, by number. Adding one = its file and a line here. */
import type { Issue } from '../../protocol/issues';
import { frameworks } from '../../script/catalog';
import { s13 } from './s13-not-calibrated';
import { s24 } from './s24-moved-quantization';
import { s30 } from './s30-callable-config';
import { s32 } from './s32-compute-type';
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
import { s57 } from './s57-export-fake-quantize';
import { s58 } from './s58-legacy-exporter';
import { type ScriptFacts, type ScriptFinding, type ScriptRule, scriptIssue } from './script-rule';

export const scriptRules: readonly ScriptRule[] = [
  s13,
  s24,
  s30,
  s32,
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
  s57,
  s58,
];

/** A finding with the rule that made it. */
export interface RuledFinding {
  readonly rule: ScriptRule;
  readonly finding: ScriptFinding;
  readonly issue: Issue;
}

/** True for files that import a framework the rules know; others are not looked at. */
export function isRelevant(facts: Pick<ScriptFacts, 'program'>): boolean {
  return [...facts.program.imports].some((name) => frameworks.has(name));
}

/**
 * Findings of all rules, in the order of the text.
 * @param severities setting per code: `error | warning | information | hint | off`; others keep the default.
 */
export function scriptFindings(
  facts: ScriptFacts,
  severities: Readonly<Record<string, string>> = {},
): readonly RuledFinding[] {
  if (!isRelevant(facts)) return [];
  const found = scriptRules.flatMap((rule) => {
    const configured = severities[rule.code];
    if (configured === 'off') return [];
    const severity = levels.find((level) => level === configured);
    return unique(rule.check(facts)).map((finding) => {
      const made = scriptIssue(rule, finding);
      return { rule, finding, issue: severity ? { ...made, severity } : made };
    });
  });
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
