/** Every rule on scripts: what it finds and where, what it leaves alone, what its fix leaves behind. */
import { describe, expect, it } from 'vitest';
import { atOnce } from '../../../../server/src/engine/base/steps';
import { scriptCodes } from '../../../../server/src/protocol/issues';
import { scriptFindingSteps, scriptRules } from '../../../../server/src/rules/script';
import { scriptExamples } from '../../../../server/src/rules/script/examples';
import type { ScriptFacts, ScriptTarget } from '../../../../server/src/rules/script/script-rule';
import { line } from '../../../../server/src/rules/words';
import { flowsOf } from '../../../../server/src/script/flow';
import { moduleTrees } from '../../../../server/src/script/module-tree';
import { readProgram } from '../../../../server/src/script/program';
import { pythonParser } from '../../../fixtures/python';
import { cases } from './cases';

const only = (code: string) =>
  Object.fromEntries(scriptCodes.filter((one) => one !== code).map((one) => [one, 'off']));

async function findingsIn(text: string, code: string, target?: string) {
  const parsed = (await pythonParser()).parse(text);
  const program = readProgram(parsed.module);
  parsed.dispose();
  const facts: ScriptFacts = {
    text,
    program,
    target: target as ScriptTarget | undefined,
    flows: () => flowsOf(program),
    trees: () => moduleTrees({ file: 'script.py', program }),
  };
  return atOnce(scriptFindingSteps(facts, only(code)));
}

/** Marks what is found the way the cases do. */
function marked(text: string, spans: readonly (readonly [number, number])[]): string {
  return [...spans]
    .sort((one, other) => other[0] - one[0])
    .reduce(
      (result, [start, end]) => `${result.slice(0, start)}⟦${result.slice(start, end)}⟧${result.slice(end)}`,
      text,
    );
}

function applied(text: string, edits: readonly { span: readonly [number, number]; text: string }[]): string {
  return [...edits]
    .sort((one, other) => other.span[0] - one.span[0])
    .reduce((result, edit) => result.slice(0, edit.span[0]) + edit.text + result.slice(edit.span[1]), text);
}

describe('rules on scripts', () => {
  it('are registered once each, in the order of their numbers', () => {
    expect(scriptRules.map(({ code }) => code)).toEqual([...scriptCodes]);
  });

  describe.each(scriptRules)('$code $title', ({ code }) => {
    const { bad, good, fixed, target } = cases[code];

    it('has cases of both kinds', () => {
      expect(bad.length).toBeGreaterThan(0);
      expect(good.length).toBeGreaterThan(0);
    });

    it('finds the example of its page', async () => {
      const example = scriptExamples[code];
      expect(await findingsIn(example.text, code, example.target)).not.toEqual([]);
    });

    it.each(bad)('finds %#', async (text) => {
      const source = text.replace(/[⟦⟧]/g, '');
      const found = await findingsIn(source, code, target);
      expect(
        marked(
          source,
          found.map(({ finding }) => finding.span),
        ),
      ).toBe(text);
      for (const { issue } of found) expect(line(issue)).not.toMatch(/undefined|\[object|NaN/);
    });

    it.each(good)('leaves alone %#', async (text) => {
      expect((await findingsIn(text, code, target)).map(({ finding }) => finding)).toEqual([]);
    });

    it.each((fixed ?? []).map((after, at) => [bad[at] ?? '', after]))('fixes %#', async (before, after) => {
      const source = before.replace(/[⟦⟧]/g, '');
      const [first] = await findingsIn(source, code, target);
      const result = applied(source, first?.finding.fix?.edits ?? []);
      expect(result).toBe(after);
      const parsed = (await pythonParser()).parse(result);
      expect(parsed.module.complete).toBe(true);
      parsed.dispose();
    });
  });

  it.each([
    ['tensorrt', 'error', /TensorRT takes no unsigned/],
    ['cuda', 'warning', /run on CUDA but are not accelerated/],
  ])('is as severe about unsigned types as %s is', async (target, severity, words) => {
    const [found] = await findingsIn(scriptExamples.S45.text, 'S45', target);
    expect(found?.issue.severity).toBe(severity);
    expect(found && line(found.issue)).toMatch(words);
  });

  it('needs a case with its result for every rule that has a fix', async () => {
    for (const { code } of scriptRules) {
      const { bad, fixed, target } = cases[code];
      for (const text of bad) {
        const found = await findingsIn(text.replace(/[⟦⟧]/g, ''), code, target);
        if (found.some(({ finding }) => finding.fix)) expect(fixed, code).toBeDefined();
      }
    }
  });
});
