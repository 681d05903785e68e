/** Severities and thresholds of `lint --config`: what is right is taken, every mistake is named. */
import { describe, expect, it } from 'vitest';
import { parseLintConfig } from '../../../server/src/cli/lint-config';
import { line } from '../../../server/src/rules/words';

const said = (text: string) => parseLintConfig(text, 'c.json').issues.map(line);

describe('a configuration', () => {
  it.each([
    ['of its own', '// ours\n{"severity": {"M21": "off"}, "thresholds": {"M01.spread": 12,},}'],
    [
      'of the editor',
      '{"editor.tabSize": 2, "quantlens.severity": {"M21": "off"}, "quantlens.thresholds": {"M01.spread": 12}}',
    ],
  ])('%s is read', (_, text) =>
    expect(parseLintConfig(text, 'c.json').value).toEqual({
      severities: { M21: 'off' },
      thresholds: { 'M01.spread': 12 },
    }),
  );
  it('may be empty', () =>
    expect(parseLintConfig('{}', 'c.json').value).toEqual({ severities: {}, thresholds: {} }));
  it.each([
    ['{"severity": {"M91": "off"}}', /severity\.M91: unknown code\. Expected M\d1/],
    ['{"severity": {"M01": "loud"}}', /severity\.M01: found "loud"\. Expected one of error/],
    ['{"severity": []}', /severity: found \[\]\. Expected an object/],
    ['{"thresholds": {"M01.spred": 3}}', /thresholds\.M01\.spred: unknown threshold\. Expected M01\.spread/],
    ['{"thresholds": {"M01.spread": 0}}', /thresholds\.M01\.spread: found 0\. Expected a number from 1 to/],
    ['{"thresholds": {"M01.spread": "12"}}', /found "12"/],
    ['{"severities": {}}', /severities: unknown key/],
    ['[]', /the top level is not an object/],
    ['{', /c\.json/],
  ])('%s is refused', (text, expected) => {
    expect(parseLintConfig(text, 'c.json').value).toBeUndefined();
    expect(said(text).join()).toMatch(expected);
  });
});
