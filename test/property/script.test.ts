/** Scripts under change: whatever is typed, the incremental state is that of a fresh parse. */
import { beforeAll, describe, expect, it } from 'vitest';
import { analyzeScript } from '../../server/src/rules/script/analyze';
import type { PythonParser } from '../../server/src/script/parser';
import { longScript, shortScript } from '../fixtures/long-script';
import { pythonParser } from '../fixtures/python';
import { drawFrom, randomEdit, stateOf } from '../fixtures/script-edits';
import { cases } from '../unit/rules/script/cases';

let parser: PythonParser;
beforeAll(async () => {
  parser = await pythonParser();
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

  const mistakes = [...cases.S10.bad, ...cases.S32.bad].slice(0, 3);
  const small = shortScript.concat(...mistakes.map((text) => `\n${text.replaceAll(/[⟦⟧]/g, '')}`));
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
