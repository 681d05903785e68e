/** Findings in a page: what is shown without asking for all, and where a message names layers. */
import { describe, expect, it } from 'vitest';
import type { ReportedIssue } from '../../../server/src/protocol/reports';
import { messageParts, shownBeforeAll } from '../../../webview/src/model/findings-choice';

const plain: ReportedIssue = { code: 'M01', severity: 'warning', message: '', facts: {}, fixes: [] };
const gain = (of: string): ReportedIssue => ({
  ...plain,
  code: 'M02',
  facts: { gains: [{ of, before: 1, after: 2 }] },
});

describe('findings before all are shown', () => {
  const check = (findings: readonly ReportedIssue[], expected: readonly number[]) =>
    expect(shownBeforeAll(findings)).toEqual(expected.map((index) => findings[index]));
  const five = [plain, plain, plain, plain, plain];

  it('are the first five', () => {
    check([plain, plain], [0, 1]);
    check([...five, plain], [0, 1, 2, 3, 4]);
  });

  it('are all with a gain measured at the output, and all errors', () => {
    check([...five, gain('weight'), gain('output'), plain], [0, 1, 2, 3, 4, 6]);
    check([...five, plain, { ...plain, severity: 'error' }], [0, 1, 2, 3, 4, 6]);
  });
});

describe('layers named in a message', () => {
  const check = (message: string, layers: readonly string[], expected: readonly (string | undefined)[]) => {
    const parts = messageParts(message, (name) => layers.includes(name));
    expect(parts.map(({ text }) => text).join('')).toBe(message);
    expect(parts.flatMap(({ layer }) => layer ?? [])).toEqual(expected);
  };

  it('are found between quotes, and nothing else is', () => {
    check('most of all "a.b" (channel 1), "c" (channel 2).', ['a.b', 'c'], ['a.b', 'c']);
    check('tensor "x" of "a"', ['a'], ['a']);
    check('a is a layer', ['a'], []);
    check('"a', ['a'], []);
  });
});
