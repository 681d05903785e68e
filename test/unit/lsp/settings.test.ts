/** Settings: what is not obeyed is named with its reason, and takes nothing else with it. */
import { describe, expect, it } from 'vitest';
import { readSettings, settingProblems } from '../../../server/src/lsp/settings';
import { defaultSettings } from '../../../server/src/protocol/lsp-ext';
import { settingWords } from '../../../server/src/rules/words-settings';

describe('settings that have no effect', () => {
  it.each([
    [{ severity: { BOGUS: 'loud' } }, /^quantlens\.severity\.BOGUS: there is no finding of that code\.$/],
    [{ severity: { M21: 'lou' } }, /^quantlens\.severity\.M21: "lou" is no severity\. Use error, /],
    [{ severity: { M21: 3 } }, /^quantlens\.severity\.M21: "3" is no severity/],
    [{ severity: 'off' }, /^quantlens\.severity: "off" is no object/],
    [
      { thresholds: { 'M01.nonsense': 3 } },
      /^quantlens\.thresholds\.M01\.nonsense: there is no such threshold/,
    ],
    [{ thresholds: { 'M01.spread': -1 } }, /^quantlens\.thresholds\.M01\.spread: "-1" is no number from /],
    [{ threads: 'many' }, /^quantlens\.threads: "many" is no number; the default is used\.$/],
    [{ threads: -1 }, /^quantlens\.threads: -1 is below 0/],
    [{ codeLens: { model: 'yes' } }, /^quantlens\.codeLens\.model: "yes" is no boolean/],
    [{ codeLens: true }, /^quantlens\.codeLens: "true" is no object/],
    [{ script: { target: 'toaster' } }, /^quantlens\.script\.target: "toaster" is no target/],
  ])('%j is named', (section, expected) => {
    const problems = settingProblems(section);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
  });

  it.each([
    undefined,
    null,
    7,
    {},
    defaultSettings,
    { severity: { M21: 'off', R01: 'hint' }, thresholds: {}, trace: { server: 'off' } },
  ])('%j is in order', (section) => {
    expect(settingProblems(section)).toEqual([]);
  });

  it('leave the others in force', () => {
    const read = readSettings({
      severity: { M21: 3, M01: 'off' },
      thresholds: { 'M01.spread': 'wide', 'M02.x': 4 },
    });
    expect(read.severity).toEqual({ M01: 'off' });
    expect(read.thresholds).toEqual({ 'M02.x': 4 });
  });

  it('are named three at a time, the rest counted', () => {
    const text = settingWords.message(['a.', 'b.', 'c.', 'd.', 'e.']);
    expect(text).toBe('Settings that have no effect: a. b. c. And 2 more, see the log.');
  });
});
