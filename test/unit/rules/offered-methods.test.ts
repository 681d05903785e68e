/** What findings advise is what this version can do: no remedy names a method that a recipe would be refused for. */
import { describe, expect, it } from 'vitest';
import { type MethodName, methodNames } from '../../../server/src/engine/base/format-names';
import { issue } from '../../../server/src/engine/base/issue';
import { fixEdits } from '../../../server/src/engine/format/recipe-fix';
import { isAvailable } from '../../../server/src/engine/methods/available';
import type { Issue } from '../../../server/src/protocol/issues';
import { findingPages } from '../../../server/src/rules/docs';
import { examples } from '../../../server/src/rules/examples';
import { modelRules } from '../../../server/src/rules/index';
import { sentence } from '../../../server/src/rules/words';
import { cases } from './cases';

/** How texts speak of each method that a recipe can name. */
const spoken: Readonly<Record<MethodName, RegExp>> = {
  'fold-batchnorm': /fold/i,
  equalize: /equali[sz]/i,
  'absorb-bias': /bias absorption|absorb\w* (the )?bias/i,
  'bias-correct': /bias correct/i,
  smoothquant: /smooth/i,
  awq: /\bawq\b/i,
  gptq: /\bgptq\b/i,
  gpfq: /\bgpfq\b/i,
  hqq: /\bhqq\b/i,
  adaround: /adaround|brecq|reconstruct/i,
  lapq: /\blapq\b|jointly/i,
  easyquant: /easyquant/i,
};
const refused = methodNames.filter((name) => !isAvailable(name));

/** Methods that a text names and a recipe cannot. */
function namedIn(text: string): readonly string[] {
  return refused.filter((name) => spoken[name].test(text));
}

describe('a remedy', () => {
  it('would be noticed: texts that name what is missing', () => {
    expect(refused.length).toBeGreaterThan(0);
    expect(namedIn('equalise channel ranges; SmoothQuant; Bias correction')).toEqual([
      'equalize',
      'bias-correct',
      'smoothquant',
    ]);
  });
  it.each(modelRules.map((rule) => [rule.code, rule] as const))(
    '%s names no missing method',
    (code, rule) => {
      const { documentation, title, fixes, thresholds = {} } = rule;
      const { trigger, why, remedy, gain = '' } = documentation;
      const limits = Object.values(thresholds).map(({ description }) => description);
      expect(namedIn([title, trigger, why, remedy, gain, ...limits].join(' '))).toEqual([]);
      const example = examples[code];
      if (example !== undefined)
        expect(namedIn(sentence({ ...issue('graph-empty', {}), code, facts: example } as Issue))).toEqual([]);
      expect(namedIn(cases[code]?.says ?? '')).toEqual([]);
      for (const fix of fixes) {
        const edits = [undefined, 'a'].flatMap((layer) => fixEdits(fix, layer));
        const added = edits.flatMap((edit) => (edit.kind === 'add-method' ? [edit.method] : []));
        expect(added.filter((name) => !isAvailable(name))).toEqual([]);
      }
    },
  );
  it('is none on the pages of models, papers aside', () => {
    const pages = Object.entries(findingPages()).filter(([name]) => !name.includes('script'));
    const texts = pages.flatMap(([, text]) =>
      text.split('\n').filter((line) => !/^\*\*Source|^\| \[S\d/.test(line)),
    );
    expect(texts.filter((text) => namedIn(text).length > 0)).toEqual([]);
  });
});
