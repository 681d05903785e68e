/** A rule that throws says so in one line and keeps no other rule from speaking. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { modelRules } from '../../../server/src/rules/index';
import { findingsOf } from '../../../server/src/rules/model-view';
import { line } from '../../../server/src/rules/words';
import { cases } from './cases';

afterEach(() => vi.restoreAllMocks());

describe('a rule that crashes', () => {
  it.each(['M01', 'M13', 'M28'])('%s is named, and the other rules speak as ever', (code) => {
    const rule = modelRules.find((one) => one.code === code);
    const { report } = cases[code === 'M01' ? 'M02' : 'M01']?.speaks ?? {};
    if (!rule || !report) throw new Error('a rule and a case of another one');
    const before = findingsOf(report, undefined).filter((one) => one.code !== code);
    vi.spyOn(rule, 'check').mockImplementation(() => {
      throw new TypeError('no such channel');
    });
    const after = findingsOf(report, undefined);
    const crashed = after.filter((one) => one.code === 'rule-failed');
    expect(after.filter((one) => one.code !== 'rule-failed')).toEqual(before);
    expect(crashed.map((one) => [one.severity, line(one)])).toEqual([
      [
        'warning',
        `rule ${code} could not look at this file (no such channel); all other rules did. Report it, or turn the rule off.`,
      ],
    ]);
  });

  it('is not asked when it is turned off', () => {
    const [rule] = modelRules;
    const { report } = cases.M01?.speaks ?? {};
    if (!rule || !report) throw new Error('a rule and a case');
    vi.spyOn(rule, 'check').mockImplementation(() => {
      throw new TypeError('never');
    });
    const found = findingsOf(report, undefined, { [rule.code]: 'off' });
    expect(found.map(({ code }) => code)).not.toContain('rule-failed');
  });
});
