/** Findings in a page: what is shown without asking for all, and where a message names layers. */
import { describe, expect, it } from 'vitest';
import { issue } from '../../../server/src/engine/base/issue';
import type { Anchor } from '../../../server/src/protocol/issues';
import type { ReportedIssue } from '../../../server/src/protocol/reports';
import { reported } from '../../../server/src/rules/words';
import { messageParts, nodeOf, shownBeforeAll } from '../../../webview/src/model/findings-choice';

const plain: ReportedIssue = { code: 'M01', severity: 'warning', message: '', facts: {}, fixes: [] };
const gain = (of: string): ReportedIssue => ({
  ...plain,
  code: 'M02',
  facts: { gains: [{ of, before: 1, after: 2 }] },
});

describe('findings before all are shown', () => {
  const check = (findings: readonly ReportedIssue[], expected: readonly number[]) =>
    expect(shownBeforeAll(findings)).toEqual(expected.map((index) => findings[index]));
  const of = (code: string): ReportedIssue => ({ ...plain, code });
  const five = ['M13', 'M14', 'M15', 'M16', 'M17'].map(of);

  it('are the first five', () => {
    check([plain, plain], [0, 1]);
    check([...five, plain], [0, 1, 2, 3, 4]);
  });

  it('are three of a code at most, so that others come into sight', () => {
    check([plain, plain, plain, plain, plain, of('M21'), of('M28')], [0, 1, 2, 5, 6]);
    check([gain('output'), gain('output'), gain('output'), gain('output')], [0, 1, 2]);
    const error: ReportedIssue = { ...plain, severity: 'error' };
    check([error, error, error, error], [0, 1, 2, 3]);
  });

  it('are all with a gain measured at the output, and all errors', () => {
    check([...five, gain('weight'), gain('output'), plain], [0, 1, 2, 3, 4, 6]);
    check([...five, plain, { ...plain, severity: 'error' }], [0, 1, 2, 3, 4, 6]);
  });
});

describe('what a finding is about', () => {
  const facts = { op: 'Add', ratio: 5.3, bitsLost: 2.4, scales: [0.0613, 0.0116] };
  const check = (anchor: Anchor, said: string, expected: string | undefined) =>
    expect(nodeOf({ ...reported(issue('M05', facts, anchor)), message: said })).toBe(expected);

  it('is the node where there is no layer and the message does not name it', () => {
    check({ node: '/stages/stages.1/Add' }, 'its operands differ', '/stages/stages.1/Add');
    check({ node: '/stages/stages.1/Add' }, '"/stages/stages.1/Add" differs', undefined);
    check({ node: '/stem/Conv', layer: 'stem' }, 'its operands differ', undefined);
    check({}, 'its operands differ', undefined);
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
