/** The TextMate grammar: well formed, complete in its words, and its patterns match what they are named for. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { dataTypes } from '../../../../server/src/engine/base/dtype';
import {
  attributeWords,
  compositeTypeWords,
  functionHeaderKeys,
  modelHeaderKeys,
} from '../../../../server/src/engine/format/onnx-text-words';

interface Rule {
  readonly name?: string;
  readonly match?: string;
  readonly begin?: string;
  readonly end?: string;
  readonly include?: string;
  readonly patterns?: readonly Rule[];
  readonly captures?: Readonly<Record<string, Rule>>;
  readonly beginCaptures?: Readonly<Record<string, Rule>>;
  readonly endCaptures?: Readonly<Record<string, Rule>>;
}

const grammar: {
  readonly scopeName: string;
  readonly fileTypes: readonly string[];
  readonly patterns: readonly Rule[];
  readonly repository: Readonly<Record<string, Rule>>;
} = JSON.parse(readFileSync('syntaxes/onnxtxt.tmLanguage.json', 'utf8'));

const configuration: { readonly comments: unknown; readonly wordPattern: string } = JSON.parse(
  readFileSync('language-configuration.json', 'utf8'),
);

function allRules(rules: readonly Rule[]): Rule[] {
  return rules.flatMap((rule) => [
    rule,
    ...allRules([
      ...(rule.patterns ?? []),
      ...Object.values({ ...rule.captures, ...rule.beginCaptures, ...rule.endCaptures }),
    ]),
  ]);
}

const rules = allRules([...grammar.patterns, ...Object.values(grammar.repository)]);

/** What the pattern of a repository entry finds first in a line. */
function found(rule: string, line: string): string | undefined {
  const match = grammar.repository[rule]?.match;
  return match === undefined ? undefined : new RegExp(match).exec(line)?.[0];
}

describe('syntaxes/onnxtxt.tmLanguage.json', () => {
  it('has its scope, and every scope ends in it', () => {
    expect(grammar.scopeName).toBe('source.onnxtxt');
    expect(grammar.fileTypes).toEqual(['onnxtxt', 'onnxtext']);
    for (const { name } of rules)
      for (const scope of name?.split(' ') ?? []) expect(scope).toMatch(/\.onnxtxt$/);
  });

  it('every pattern compiles and every include exists', () => {
    for (const rule of rules) {
      for (const pattern of [rule.match, rule.begin, rule.end])
        if (pattern !== undefined) new RegExp(pattern);
      if (rule.include !== undefined)
        expect(Object.keys(grammar.repository)).toContain(rule.include.slice(1));
    }
  });

  it('knows every word of the language', () => {
    for (const { name } of dataTypes) {
      expect(found('type', `${name}[2] x`)).toBe(name);
      expect(found('typed-value', `${name}[2] x`)).toBe(`${name}[2] x`);
    }
    for (const word of compositeTypeWords) expect(found('type', `${word}(float)`)).toBe(word);
    for (const key of [...modelHeaderKeys, ...functionHeaderKeys])
      expect(found('header-key', ` ${key}: 1`)).toBe(key);
    for (const word of attributeWords)
      expect(found('typed-attribute', `a: ${word} = x`)).toBe(`a: ${word} =`);
  });

  it.each([
    ['operator', '  a, b = com.ms.Op:o <k = 1> (x)', '= com.ms.Op:o'],
    ['operator', '  a => (b)', undefined],
    ['node-name', '  [n1] y = A (x)', '  [n1]'],
    ['node-name', '  ["n \\" 1"] y = A (x)', '  ["n \\" 1"]'],
    ['node-name', 'k = [1]', undefined],
    ['graph-name', 'main (float[N] x) => (y) {', 'main'],
    ['graph-attribute', '<then_branch: graph = t () => (y) {', 'then_branch: graph = t'],
    ['attribute', 'alpha = 0.5', 'alpha ='],
    ['attribute', 'x => (y)', undefined],
    ['reference', ' = @alpha', '@alpha'],
    ['comment', 'x # y', '# y'],
  ])('%s in %j', (rule, line, expected) => {
    expect(found(rule, line)).toBe(expected);
  });
});

describe('language-configuration.json', () => {
  const words = (text: string) => text.match(new RegExp(configuration.wordPattern, 'g'));

  it('names the comment and takes quoted names as one word', () => {
    expect(configuration.comments).toEqual({ lineComment: '#' });
    expect(words('x "a.b\\"/c", y')).toEqual(['x', '"a.b\\"/c"', 'y']);
  });

  it('takes no text between two names for a word, wherever the editor starts to look', () => {
    // Editors match from some characters before the caret: here behind the opening quote of the first name.
    expect(words('a.b" = Conv <group: int = 1> ("x"')).toContain('Conv');
  });
});
