/** What the page says at a glance: the worst layer of each figure, how many are not good, and what a quantized file holds. */
import { describe, expect, it } from 'vitest';
import type {
  ErrorCell,
  LayerRow,
  ModelView,
  QuantizedRow,
  Verdict,
} from '../../../server/src/protocol/views';
import { isQuantizedAlready } from '../../../server/src/protocol/views';
import { quantizedStanding, standings } from '../../../webview/src/model/headline-facts';

type Figures = Readonly<Record<string, readonly [number | null, Verdict]>>;

function row(name: string, figures: Figures, quantized?: Partial<QuantizedRow>): LayerRow {
  const cells = Object.entries(figures).map(([id, [db, verdict]]): ErrorCell => {
    const [effect = '', format = ''] = id.split(':');
    return { format, effect: effect as ErrorCell['effect'], db, verdict, basis: 'measured' };
  });
  const known = quantized && { storedAs: 'int8', quantized: quantized as QuantizedRow };
  return { name, cells, ...known } as Partial<LayerRow> as LayerRow;
}

function view(ids: readonly string[], ...layers: readonly LayerRow[]): Pick<ModelView, 'columns' | 'layers'> {
  const columns = ids.map((id) => {
    const [effect = '', format = ''] = id.split(':');
    return { format, effect: effect as ErrorCell['effect'], label: id };
  });
  return { columns, layers };
}

describe('the verdicts', () => {
  const check = (of: Pick<ModelView, 'columns' | 'layers'>, expected: readonly unknown[]) =>
    expect(
      standings(of).map(({ column, worst, below, of: all }) => [
        `${column.effect}:${column.format}`,
        worst.layer,
        worst.cell.db,
        below,
        all,
      ]),
    ).toEqual(expected);
  const ids = ['weight:int8.tensor', 'weight:int8.channel', 'weight:int4.channel'];
  const a = row('a', { 'weight:int8.channel': [41, 'good'], 'weight:int4.channel': [21, 'good'] });
  const b = row('b', { 'weight:int8.channel': [42, 'good'], 'weight:int4.channel': [18, 'watch'] });

  it('name the worst layer at 8 and at 4 bits, and count what is not good', () =>
    check(view(ids, a, b), [
      ['weight:int8.channel', 'a', 41, 0, 2],
      ['weight:int4.channel', 'b', 18, 1, 2],
    ]));

  it('begin with the measured figure that says most, over the layers that have one', () => {
    const measured = row('c', { 'cumulative:w8a8': [9, 'bad'], 'local:w8a8': [30, 'good'] });
    check(view(['cumulative:w8a8', 'local:w8a8', ...ids], a, measured), [
      ['cumulative:w8a8', 'c', 9, 1, 1],
      ['weight:int8.channel', 'a', 41, 0, 1],
      ['weight:int4.channel', 'a', 21, 0, 1],
    ]);
  });

  it('pass over figures that are undefined, and are none where nobody has one', () => {
    check(view(ids, row('d', { 'weight:int8.channel': [null, 'unknown'] }), a), [
      ['weight:int8.channel', 'a', 41, 0, 1],
      ['weight:int4.channel', 'a', 21, 0, 1],
    ]);
    check(view(ids, row('d', {})), []);
  });
});

describe('a file that is quantized already', () => {
  const codes = (weights: string, execution?: QuantizedRow['execution']) =>
    row('q', {}, { weights, execution });

  it('is one with codes in most layers', () => {
    const float = row('f', {});
    for (const [layers, expected] of [
      [[codes('int8.tensor'), codes('int8.tensor'), float], true],
      [[codes('int8.tensor'), float], false],
      [[], false],
    ] as const) {
      expect(isQuantizedAlready({ layers })).toBe(expected);
      expect(quantizedStanding(layers) !== undefined).toBe(expected);
    }
  });

  it('tells its formats, the most frequent first, and how the runtime computes them', () =>
    expect(
      quantizedStanding([
        codes('int8.tensor', 'integer'),
        codes('int8.channel', 'integer'),
        codes('int8.channel', 'float'),
        row('f', {}),
      ]),
    ).toEqual({
      count: 3,
      of: 4,
      formats: ['int8.channel', 'int8.tensor'],
      execution: [
        { as: 'integer', count: 2 },
        { as: 'float', count: 1 },
      ],
      verdict: 'watch',
    }));
});
