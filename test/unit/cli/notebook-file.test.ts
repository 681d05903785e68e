/** Notebooks as text: new code in one cell leaves every other byte of the file as it was, however it is written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { offsetsIn, withCells } from '../../../server/src/cli/notebook-file';
import { readNotebook } from '../../../server/src/script/notebook';

const line = fc.constantFrom(
  'x = 1',
  'print("é 😀")',
  '# note',
  '',
  '    y = {"a": [1, 2]}',
  'tab\tstop \\ "quoted"',
);
const code = fc.array(line, { minLength: 1, maxLength: 4 }).map((lines) => lines.join('\n'));
const cell = fc.record({
  code,
  kind: fc.constantFrom('code', 'markdown'),
  asList: fc.boolean(),
  outputs: fc.boolean(),
});
const style = fc.record({
  indent: fc.constantFrom<string | number>('', 1, 2, 4, '\t'),
  ascii: fc.boolean(),
  ending: fc.constantFrom('', '\n', '\r\n'),
  metadataFirst: fc.boolean(),
});

type Cell = typeof cell extends fc.Arbitrary<infer T> ? T : never;
type Style = typeof style extends fc.Arbitrary<infer T> ? T : never;

function notebook(cells: readonly Cell[], { indent, ascii, ending, metadataFirst }: Style): string {
  const sources = cells.map(({ code: text, kind, asList, outputs }) => ({
    ...(metadataFirst && { metadata: { source: ['not this'] } }),
    cell_type: kind,
    source: asList ? text.split(/(?<=\n)/) : text,
    ...(outputs && { outputs: [{ text: ['1\n', '2'], data: { 'image/png': 'iVBOR=' } }] }),
  }));
  const json = JSON.stringify({ cells: sources, metadata: { kernel: 'é' }, nbformat: 4 }, null, indent);
  const escaped = json.replaceAll(
    /[^\0-\x7f]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return (ascii ? escaped : json) + ending;
}

/** Cells that are written otherwise, as a bundle of the text before and after. */
const outside = (json: string, text: string) => {
  const written = JSON.stringify(text).slice(1, -1);
  return json.split(written);
};

describe('a notebook file', () => {
  it('keeps every byte when nothing changes', () => {
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 5 }), style, (cells, how) => {
        const json = notebook(cells, how);
        expect(withCells(json, readNotebook(json) ?? [])).toBe(json);
      }),
      { numRuns: 200, seed: 3 },
    );
  });

  it('takes new code for one cell and changes nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(cell, { minLength: 1, maxLength: 5 }),
        style,
        fc.nat(),
        code,
        (cells, how, pick, added) => {
          const json = notebook(cells, how);
          const texts = readNotebook(json) ?? [];
          if (texts.length === 0) return;
          const at = pick % texts.length;
          const better = texts.map((text, index) => (index === at ? `${text}\n${added}` : text));
          const result = withCells(json, better);
          expect(readNotebook(result)).toEqual(better);
          const strip = (text: string) =>
            (JSON.parse(text) as { cells: { cell_type: string; source: unknown }[] }).cells.map((one) =>
              one.cell_type === 'code' ? { ...one, source: '' } : one,
            );
          expect(strip(result)).toEqual(strip(json));
          if (how.ascii) expect(result).toMatch(/^[\0-\x7f]*$/);
          expect(result.endsWith(json.slice(json.lastIndexOf('"nbformat"')))).toBe(true);
          // What stands before the edited cell is the same text.
          const place = offsetsIn(json)(at, 0) ?? 0;
          expect(result.slice(0, place)).toBe(json.slice(0, place));
        },
      ),
      { numRuns: 300, seed: 5 },
    );
  });

  it('writes lines as its own lines are written', () => {
    const json =
      '{\n "cells": [\n  {\n   "cell_type": "code",\n   "source": [\n    "a = 1\\n",\n    "b = 2"\n   ]\n  }\n ]\n}\n';
    expect(withCells(json, ['a = 1\nb = 3\nc'])).toBe(json.replace('"b = 2"', '"b = 3\\n",\n    "c"'));
    expect(outside(withCells(json, ['a = 1\nb = 3']), 'b = 3')).toEqual(outside(json, 'b = 2'));
  });

  it.each<[offset: number, found: string]>([
    [0, 'a = 1\\n"'],
    [4, '1\\n"'],
    [5, '\\n"'],
    [6, 'b\\t= \\"\\u00e9\\"."'],
    [8, '= \\"'],
    [12, '\\"."'],
    [13, '."]'],
    [99, '"]'],
  ])('finds offset %d behind the escapes of the file', (offset, found) => {
    const json =
      '{"cells": [{"cell_type": "markdown", "source": "a"}, {"cell_type": "code", "source": ["a = 1\\n", "b\\t= \\"\\u00e9\\"."]}]}';
    const at = offsetsIn(json)(0, offset);
    expect(at).toBeDefined();
    expect(json.slice(at).startsWith(found)).toBe(true);
  });
});
