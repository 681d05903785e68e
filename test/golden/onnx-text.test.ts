/**
 * The ONNX textual syntax against the reference: what `onnx.parser` takes we take, and print as `onnx.printer` does but
 * for white space; what it refuses we refuse. Every difference is named below with its reason.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isCompleteText, parseOnnxText, printModel } from '../../server/src/engine/format/onnx-text';

interface Case {
  readonly place: string;
  readonly text: string;
  readonly model: string;
  readonly accepted: boolean;
  readonly printed?: string;
}

const { cases }: { cases: readonly Case[] } = JSON.parse(
  readFileSync('test/golden/data/onnx-text.json', 'utf8'),
);

/** Refused by the reference, read here, by place and text. */
const readBeyond: Readonly<Record<string, string>> = {
  'attribute: a: tensor = float[2] "n.m" {1, 2}': 'files hold tensor names that need quotes',
  'attribute: "a" = 1': 'files may hold attribute names that need quotes',
  'node: y = "A" (x)': 'files may hold operators that need quotes',
};

/** Accepted by the reference, refused here. */
const refused: Readonly<Record<string, string>> = {
  'attribute: a: int = [1]': 'the reference makes it ints, against the annotation',
  'initializer: float[-1] w = {1}': 'elements do not fit the shape',
  'node: y = (x)': 'an operator without a name',
  'node: y = .A (x)': 'an operator in a domain without a name',
};

/** Read by both, printed otherwise. */
const printedOtherwise: Readonly<Record<string, string>> = {
  'attribute: a = -nan': 'JavaScript has one NaN',
  'attribute: a: tensor = float[2] = ["location": "f"]': 'the reference cannot read its own form',
  'attribute: a = @r': 'the reference writes "undefined", which it cannot read',
  'attribute: a = @"r s"': 'the reference writes "undefined", which it cannot read',
  'initializer: string[0] w = {}': 'the reference forgets the brace',
  'initializer: complex64[1] w = {1, 2}': 'the reference writes "..."',
  'node: [] y = A (x)': 'an empty name is no name',
};

describe('the reference parser accepts', () => {
  test.each(cases.filter(({ accepted }) => accepted))('$place: $text', (one) => {
    const key = `${one.place}: ${one.text}`;
    const parsed = parseOnnxText(one.model);
    expect(isCompleteText(parsed), JSON.stringify(parsed.issues)).toBe(!(key in refused));
    if (parsed.model === undefined || key in refused || key in printedOtherwise) return;
    const { text } = printModel(parsed.model, { full: true });
    expect(withoutSpace(text)).toBe(withoutSpace(one.printed ?? ''));
  });
});

describe('the reference parser refuses', () => {
  test.each(cases.filter(({ accepted }) => !accepted))('$place: $text', (one) => {
    const key = `${one.place}: ${one.text}`;
    const parsed = parseOnnxText(one.model);
    expect(isCompleteText(parsed), JSON.stringify(parsed.issues)).toBe(key in readBeyond);
    if (key in readBeyond) return;
    for (const { anchor } of parsed.issues) {
      const [start, end] = anchor.span ?? [-1, -1];
      expect(start).toBeGreaterThanOrEqual(0);
      expect(end).toBeGreaterThan(start);
      expect(start).toBeLessThanOrEqual(one.model.length);
    }
  });
});

test('every named difference is still one of the cases', () => {
  const keys = new Set(cases.map((one) => `${one.place}: ${one.text}`));
  for (const list of [readBeyond, refused, printedOtherwise]) {
    for (const key of Object.keys(list)) expect(keys).toContain(key);
  }
});

/** Text without comments and without white space outside strings. */
function withoutSpace(text: string): string {
  return text.replace(/("(?:[^"\\]|\\[\s\S])*")|#[^\n]*|\s+/g, '$1');
}
