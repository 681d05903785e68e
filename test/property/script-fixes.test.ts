/**
 * Fixes on scripts, whatever stands around a finding and however the code is laid out: they leave code that parses and
 * lacks the finding, and are done after one round.
 */
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { scriptRules } from '../../server/src/rules/script';
import { type AnalyzedScript, analyzeScript, applySafeFixes } from '../../server/src/rules/script/analyze';
import type { ScriptEdit, ScriptTarget } from '../../server/src/rules/script/script-rule';
import type { PythonParser } from '../../server/src/script/parser';
import { pythonParser } from '../fixtures/python';
import { cases } from '../unit/rules/script/cases';

let parser: PythonParser;
beforeAll(async () => {
  parser = await pythonParser();
});

const open: AnalyzedScript[] = [];
afterEach(() => {
  for (const { parsed } of open.splice(0)) parsed.dispose();
});

function analyzed(text: string, target?: string): AnalyzedScript {
  const settings = target === undefined ? {} : { target: target as ScriptTarget };
  const script = analyzeScript(parser, 'script.py', text, settings);
  open.push(script);
  return script;
}

const layouts = fc.record({
  before: fc.array(
    fc.constantFrom(
      '# comment (with brackets]',
      '',
      'import os, sys',
      'COUNT = {"a": [1, 2], "b": (3,)}',
      '"""A string\nover lines, prepare(model)"""',
      'def helper(a, *b, c=1, **d):\n    return [x for x in b if x]',
      'label = "😀 é"',
      'if True:\n    pass  # nothing',
    ),
    { maxLength: 6 },
  ),
  after: fc.constantFrom('', '# end', 'print("done")', 'def broken(:\n    pass', 'x = ('),
  within: fc.constantFrom('', 'if True:', 'with open("f") as f:', 'try:', 'def run():', 'for _ in range(1):'),
  /** Arguments on lines of their own, with comments between. */
  spread: fc.boolean(),
  /** A backslash behind the equals sign. */
  continued: fc.boolean(),
  /** Another statement on the line, before or behind. */
  semicolons: fc.constantFrom('', 'before', 'behind'),
  crlf: fc.boolean(),
  tabs: fc.boolean(),
});

type Layout = typeof layouts extends fc.Arbitrary<infer T> ? T : never;

function laidOut(source: string, layout: Layout): string {
  const { before, after, within, crlf, tabs } = layout;
  let text = rewritten(source, layout).replace(/\n+$/, '');
  if (within !== '') text = `${within}\n${text.replaceAll(/^(?=.)/gm, '    ')}`;
  if (within === 'try:') text += '\nexcept ImportError:\n    pass';
  text = `${before.join('\n')}\n${text}\n${after}\n`;
  if (tabs) text = text.replaceAll(/^(?: {4})+/gm, (indent) => '\t'.repeat(indent.length / 4));
  return crlf ? text.replaceAll('\n', '\r\n') : text;
}

/** The same program written otherwise: insertions at places that the syntax tree tells. */
function rewritten(source: string, { spread, continued, semicolons }: Layout): string {
  const { program } = analyzed(source);
  const insertions: { readonly at: number; readonly text: string }[] = [];
  if (spread)
    for (const { expression } of program.calls) {
      const { args, argsSpan } = expression;
      if (source[argsSpan[0]] !== '(') continue;
      const line = '  # note, with (a bracket\n        ';
      for (const { span } of args) insertions.push({ at: span[0], text: line });
      if (args.length > 0) insertions.push({ at: argsSpan[1] - 1, text: '\n    ' });
    }
  for (const statement of program.module.statements) {
    if (statement.kind !== 'assign' && statement.kind !== 'expression') continue;
    if (semicolons === 'before') insertions.push({ at: statement.span[0], text: 'pass; ' });
    if (semicolons === 'behind') insertions.push({ at: statement.span[1], text: '; pass' });
    if (continued && statement.kind === 'assign' && statement.value)
      insertions.push({ at: statement.value.span[0], text: '\\\n    ' });
  }
  return insertions
    .map((one, order) => ({ ...one, order }))
    .sort((one, other) => other.at - one.at || other.order - one.order)
    .reduce((text, { at, text: insertion }) => text.slice(0, at) + insertion + text.slice(at), source);
}

/** All fixes of one code that do not touch each other. */
function fixed(script: AnalyzedScript, code: string): { readonly text: string; readonly applied: number } {
  const edits: ScriptEdit[] = [];
  let applied = 0;
  for (const { rule, finding } of script.findings) {
    if (rule.code !== code || !finding.fix) continue;
    const clear = finding.fix.edits.every((one) =>
      edits.every(({ span }) => one.span[1] < span[0] || one.span[0] > span[1]),
    );
    if (!clear) continue;
    edits.push(...finding.fix.edits);
    applied++;
  }
  edits.sort((one, other) => other.span[0] - one.span[0]);
  const text = edits.reduce(
    (result, { span, text: insertion }) => result.slice(0, span[0]) + insertion + result.slice(span[1]),
    script.text,
  );
  return { text, applied };
}

const fixesOf = (script: AnalyzedScript, code: string) =>
  script.findings.filter(({ rule, finding }) => rule.code === code && finding.fix);

const sources = scriptRules.flatMap(({ code }) =>
  cases[code].bad.map((text) => [code, text.replaceAll(/[⟦⟧]/g, '')] as const),
);
const fixable = sources.filter(([code]) => cases[code].fixed);

describe('fixes on scripts', () => {
  it('are all looked at: every rule that makes one for a case is in the list', () => {
    const making = sources.filter(
      ([code, text]) => fixesOf(analyzed(text, cases[code].target), code).length > 0,
    );
    const listed = new Set(fixable.map(([code]) => code));
    expect(making.filter(([code]) => !listed.has(code))).toEqual([]);
    expect(listed.size).toBeGreaterThan(10);
  });

  it.each(fixable)('%s: parse, take the finding away, and are done after one round', (code, source) => {
    const { target } = cases[code];
    const hasFix = fixesOf(analyzed(source, target), code).length > 0;
    fc.assert(
      fc.property(layouts, (layout) => {
        const before = analyzed(laidOut(source, layout), target);
        const { text, applied } = fixed(before, code);
        const after = analyzed(text, target);
        // Broken code behind may take the statement into its error; then there is nothing to fix.
        if (layout.after === '' || layout.after.startsWith('#')) {
          expect(before.parsed.module.complete, before.text).toBe(true);
          if (hasFix && layout.within === '') expect(applied, before.text).toBeGreaterThan(0);
        }
        if (before.parsed.module.complete) expect(after.parsed.module.complete, text).toBe(true);
        expect(fixesOf(after, code), text).toHaveLength(fixesOf(before, code).length - applied);
        if (layout.crlf) expect(text.replaceAll('\r\n', '')).not.toContain('\n');
        if (fixesOf(after, code).length === 0) expect(fixed(after, code).applied).toBe(0);
        for (const { parsed } of open.splice(0)) parsed.dispose();
      }),
      { numRuns: 40, seed: 7 },
    );
  });

  it.each(sources)(
    '%s: that are safe leave nothing safe to fix after as many rounds as they overlap',
    (code, source) => {
      const { target } = cases[code];
      let script = analyzed(source, target);
      for (let round = 0; round < 4; round++) {
        const { text, applied } = applySafeFixes(script);
        if (applied === 0) expect(text).toBe(script.text);
        script = analyzed(text, target);
      }
      expect(applySafeFixes(script).applied).toBe(0);
      if (analyzed(source, target).parsed.module.complete) expect(script.parsed.module.complete).toBe(true);
    },
  );
});
