/**
 * Scripts under change: whatever stands around a finding, its fix leaves code that parses and lacks the finding; whatever
 * is typed, the incremental state is that of a fresh parse.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scriptRules } from '../../server/src/rules/script';
import { type AnalyzedScript, analyzeScript, applySafeFixes } from '../../server/src/rules/script/analyze';
import type { ScriptEdit, ScriptTarget } from '../../server/src/rules/script/script-rule';
import type { PythonParser } from '../../server/src/script/parser';
import { longScript, shortScript } from '../fixtures/long-script';
import { pythonParser } from '../fixtures/python';
import { drawFrom, randomEdit, stateOf } from '../fixtures/script-edits';
import { cases } from '../unit/rules/script/cases';

let parser: PythonParser;
beforeAll(async () => {
  parser = await pythonParser();
});

const open: AnalyzedScript[] = [];
afterAll(() => {
  for (const { parsed } of open) parsed.dispose();
});

function analyzed(text: string, target?: string): AnalyzedScript {
  const script = analyzeScript(
    parser,
    'script.py',
    text,
    target === undefined ? {} : { target: target as ScriptTarget },
  );
  open.push(script);
  return script;
}

/** What may stand before, and how the file may be written. */
const surroundings = fc.record({
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
  crlf: fc.boolean(),
  tabs: fc.boolean(),
  comments: fc.boolean(),
});

type Surroundings = typeof surroundings extends fc.Arbitrary<infer T> ? T : never;

function dressed(text: string, { before, after, crlf, tabs, comments }: Surroundings): string {
  let result = `${before.join('\n')}\n${text}\n${after}\n`;
  if (tabs) result = result.replaceAll(/^(?: {4})+/gm, (indent) => '\t'.repeat(indent.length / 4));
  if (comments) result = result.replaceAll(/^((?:def|class) [^\n"']*:)$/gm, '$1  # note');
  return crlf ? result.replaceAll('\n', '\r\n') : result;
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

const fixable = scriptRules.flatMap(({ code }) =>
  cases[code].fixed ? cases[code].bad.map((text) => [code, text.replaceAll(/[⟦⟧]/g, '')] as const) : [],
);

describe('fixes on scripts', () => {
  it.each(fixable)('%s: parse, take the finding away, and are done after one round', (code, source) => {
    const { target } = cases[code];
    fc.assert(
      fc.property(surroundings, (around) => {
        const before = analyzed(dressed(source, around), target);
        const { text, applied } = fixed(before, code);
        const after = analyzed(text, target);
        const fixes = (script: AnalyzedScript) =>
          script.findings.filter(({ rule, finding }) => rule.code === code && finding.fix);
        // Broken code behind may take the statement into its error; then there is nothing to fix.
        if (around.after === '' || around.after.startsWith('#')) {
          expect(after.parsed.module.complete).toBe(true);
          if (analyzed(source, target).findings.some((one) => one.rule.code === code && one.finding.fix))
            expect(applied).toBeGreaterThan(0);
        }
        if (before.parsed.module.complete) expect(after.parsed.module.complete).toBe(true);
        expect(fixes(after)).toHaveLength(fixes(before).length - applied);
        if (around.crlf) expect(text.replaceAll('\r\n', '')).not.toContain('\n');
        if (fixes(after).length === 0) expect(fixed(after, code).applied).toBe(0);
      }),
      { numRuns: 25, seed: 7 },
    );
  });

  it('that are safe leave nothing safe to fix after as many rounds as they overlap', () => {
    const texts = scriptRules.flatMap(({ code }) =>
      cases[code].bad.map((text) => [cases[code].target, text.replaceAll(/[⟦⟧]/g, '')] as const),
    );
    for (const [target, source] of texts) {
      let script = analyzed(source, target);
      for (let round = 0; round < 4; round++) {
        const { text, applied } = applySafeFixes(script);
        if (applied === 0) expect(text).toBe(script.text);
        script = analyzed(text, target);
      }
      expect(applySafeFixes(script).applied).toBe(0);
      if (analyzed(source, target).parsed.module.complete) expect(script.parsed.module.complete).toBe(true);
    }
  });
});

describe('incremental analysis', () => {
  /** For a busy machine; a quiet one needs a sixth of it. */
  const TIMEOUT = 240_000;

  /** Edits, from time to time back to the text that was whole, or all the rest is done on rubble. */
  function checkEdits(original: string, edits: number, checkEvery: number, seed: number): void {
    const draw = drawFrom(seed);
    let script = analyzeScript(parser, 'script.py', original);
    for (let done = 1; done <= edits; done++) {
      const text = done % 100 === 0 ? original : randomEdit(script.text, draw);
      script = analyzeScript(parser, 'script.py', text, {}, script);
      if (done % checkEvery !== 0) continue;
      const fresh = analyzeScript(parser, 'script.py', text);
      expect(stateOf(script) === stateOf(fresh), `after ${done} edits with seed ${seed}`).toBe(true);
      fresh.parsed.dispose();
    }
    script.parsed.dispose();
  }

  const small = shortScript.concat(...fixable.slice(0, 3).map(([, text]) => `\n${text}`));
  it.each([
    ['9,000 random edits of a small script, after each', small, 9000, 1, 3],
    ['1,000 random edits of a script of 400 lines, after each tenth', longScript(400), 1000, 10, 11],
  ] as const)(
    'equals a fresh one: %s',
    (_, text, edits, checkEvery, seed) => checkEdits(text, edits, checkEvery, seed),
    TIMEOUT,
  );

  it.each([
    ['a sum of 5,000 terms', `import torch\nx = ${Array(5000).fill('a').join(' + ')}\n`],
    ['3,000 open brackets', `import torch\nx = ${'['.repeat(3000)}`],
    ['3,000 calls in each other', `import torch\nx = ${'f('.repeat(3000)}1${')'.repeat(3000)}\n`],
    ['a chain of 2,000 methods', `import torch\nx = a${'.b()'.repeat(2000)}\n`],
    [
      'variables made of themselves',
      'import torch\nx = f(y)\ny = [x]\nclass N(torch.nn.Module):\n    pass\nN(x)\n',
    ],
    [
      '80 blocks in each other',
      `import torch\n${Array.from({ length: 80 }, (_, at) => `${' '.repeat(at)}if x:`).join('\n')}\n${' '.repeat(80)}f(x)\n`,
    ],
    ['one line of 120 KB', `import torch\nx = [${'1, '.repeat(40_000)}]\n`],
  ])('survives %s', (_, text) => {
    const script = analyzeScript(parser, 'script.py', text);
    expect(script.trees().length).toBeGreaterThanOrEqual(0);
    script.parsed.dispose();
  });

  it('keeps statements that moved, with the offsets of their new place, and all that is known of them', () => {
    const text = longScript(120);
    const first = analyzeScript(parser, 'script.py', text);
    const kept = first.parsed.module.statements.at(-1);
    const before = [...(kept?.span ?? [])];
    const unit = first.program.units.at(-1);
    const next = analyzeScript(parser, 'script.py', `x = 1\n${text}`, {}, first);
    const moved = next.parsed.module.statements.at(-1);
    expect(moved).toBe(kept);
    expect(moved?.span).toEqual(before.map((offset) => offset + 6));
    expect(next.program.units.at(-1)).toBe(unit);
    next.parsed.dispose();
  });
});
