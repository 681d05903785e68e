/** Charts and copies of the webviews, as far as they need no page: scales, positions, names, tables as text. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verdictOf as serverVerdict } from '../../../server/src/rules/verdict';
import { metricText } from '../../../webview/src/compare/columns';
import { percentOf, scaleOf } from '../../../webview/src/shared/chart-marks';
import { type CopyColumn, type CopyFormat, tableText } from '../../../webview/src/shared/copy';
import { verdictOf } from '../../../webview/src/shared/figures';
import { number } from '../../../webview/src/shared/histogram';

interface Row {
  readonly name: string;
  readonly db: number | null | undefined;
}
const columns: readonly CopyColumn<Row>[] = [
  { label: 'Layer', value: ({ name }) => name },
  { label: 'Cumulative (dB)', value: ({ db }) => db },
];

describe('tableText', () => {
  const check = (format: CopyFormat, rows: readonly Row[], expected: string) =>
    expect(tableText(columns, rows, format)).toBe(expected);

  it('writes CSV in full precision, undefined figures empty', () => {
    check(
      'csv',
      [
        { name: 'stem', db: 40.0123456789012 },
        { name: 'a,b "c"\nd', db: null },
        { name: 'last', db: undefined },
      ],
      'Layer,Cumulative (dB)\r\nstem,40.0123456789012\r\n"a,b ""c""\nd",\r\nlast,\r\n',
    );
  });

  it.each(['=1+1', '+x', '-x', '@x', '\tx'])('keeps %j from being a formula', (name) => {
    check('csv', [{ name, db: -1.5 }], `Layer,Cumulative (dB)\r\n'${name},-1.5\r\n`);
  });

  it('writes Markdown with numbers to the right and names made harmless', () => {
    check(
      'markdown',
      [
        { name: 'a|b `c` <i>', db: 1e-7 },
        { name: '[x](y)\nz', db: null },
      ],
      '| Layer | Cumulative (dB) |\n| --- | ---: |\n| a\\|b \\`c\\` \\<i\\> | 1e-7 |\n| \\[x\\](y) z | – |\n',
    );
  });

  it('can be read back: every row has every field', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ name: fc.string(), db: fc.double({ noNaN: true }) })), (rows) => {
        const table = parseCsv(tableText(columns, rows, 'csv'));
        expect(table).toHaveLength(rows.length + 1);
        rows.forEach(({ name, db }, index) => {
          const [first = '', second = ''] = table[index + 1] ?? [];
          expect(/^'[=+\-@\t\r]/.test(first) ? first.slice(1) : first).toBe(
            /^'[=+\-@\t\r]/.test(name) ? name.slice(1) : name,
          );
          expect(Number(second)).toBe(db === 0 ? 0 : db);
        });
      }),
      { seed: 4, numRuns: 300 },
    );
  });
});

describe('scaleOf', () => {
  const check = (values: readonly (number | null | undefined)[], min: number, max: number) => {
    const scale = scaleOf(values);
    expect([scale.min, scale.max]).toEqual([min, max]);
    expect(scale.ticks.at(0)).toBe(min);
    expect(scale.ticks.at(-1)).toBe(max);
  };

  it('holds the figures, and always the lines of the verdicts', () => {
    check([], 0, 30);
    check([null, undefined], 0, 30);
    check([4, 12], 0, 30);
    check([42.2, 8], 0, 50);
    check([-3.5, 44], -10, 50);
  });

  it('is not stretched by layers without error, nor by those that are all error', () => {
    check([120, 35], 0, 70);
    check([-120, 20], -40, 30);
  });

  it('puts every figure inside the width, larger ones further right', () => {
    const figure = fc.double({ min: -120, max: 120, noNaN: true });
    fc.assert(
      fc.property(fc.array(figure, { minLength: 2 }), (values) => {
        const scale = scaleOf(values);
        const places = [...values]
          .sort((one, other) => one - other)
          .map((db) => Number.parseFloat(percentOf(scale, db)));
        expect(places.every((place) => place >= 0 && place <= 100)).toBe(true);
        expect(places).toEqual([...places].sort((one, other) => one - other));
      }),
      { seed: 6, numRuns: 300 },
    );
  });
});

describe('figures', () => {
  it('are judged as the server judges them', () => {
    for (const db of [null, -5, 9.94, 9.95, 10, 19.94, 19.95, 19.96, 20, 55])
      expect([db, verdictOf(db)]).toEqual([db, serverVerdict(db)]);
  });

  it.each([
    [0, '0'],
    [-1.58934, '-1.589'],
    [0.000277, '2.77e-4'],
    [123456, '123500'],
    [1e-9, '1.00e-9'],
  ])('%d is written %s', (value, text) => expect(number(value)).toBe(text));

  it('keep their digits where one is perfect', () => {
    expect(metricText('cosine', 0.99996)).toBe('1.0000');
    expect(metricText('normRatio', 0.9378)).toBe('0.9378');
    expect(metricText('mse', 2.1e-5)).toBe('2.10e-5');
    expect(metricText('kl', null)).toBe('–');
  });
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? '';
    if (quoted) {
      if (character !== '"') field += character;
      else if (text[at + 1] === '"') {
        field += '"';
        at++;
      } else quoted = false;
    } else if (character === '"') quoted = true;
    else if (character === ',') {
      row.push(field);
      field = '';
    } else if (character === '\r' && text[at + 1] === '\n') {
      rows.push([...row, field]);
      row = [];
      field = '';
      at++;
    } else field += character;
  }
  return rows;
}
