/** Parts of the webviews that need no page: order of rows, rows near the screen, values of the calibration form. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FormValues, filledIn, requestOf } from '../../../webview/src/calibration/values';
import { type Problems, problemsOf } from '../../../webview/src/shared/data-values';
import {
  alwaysShown,
  covers,
  entering,
  type RowsWindow,
  rowsWindow,
} from '../../../webview/src/shared/rows-window';
import { nextOrder, type SortValue, sortRows } from '../../../webview/src/shared/sort';

describe('sortRows', () => {
  const check = (values: readonly SortValue[], descending: boolean, expected: readonly SortValue[]) =>
    expect(sortRows(values, (value) => value, descending)).toEqual(expected);

  it('puts missing values last either way', () => {
    check([3, null, 1, undefined, 2], false, [1, 2, 3, null, undefined]);
    check([3, null, 1, undefined, 2], true, [3, 2, 1, null, undefined]);
  });

  it('orders numbers inside names as numbers', () => {
    check(['layer10', 'layer9', 'layer1'], false, ['layer1', 'layer9', 'layer10']);
  });

  it('keeps the order of equals and does not change its input', () => {
    const rows = [
      { key: 'a', db: 1 },
      { key: 'b', db: 0 },
      { key: 'c', db: 1 },
    ];
    expect(sortRows(rows, ({ db }) => db, true).map(({ key }) => key)).toEqual(['a', 'c', 'b']);
    expect(rows.map(({ key }) => key)).toEqual(['a', 'b', 'c']);
  });

  it('clicking a column thrice comes back to the order of the network', () => {
    const first = nextOrder(undefined, 'db', false);
    const second = nextOrder(first, 'db', false);
    expect([first, second, nextOrder(second, 'db', false)]).toEqual([
      { column: 'db', descending: false },
      { column: 'db', descending: true },
      undefined,
    ]);
    expect(nextOrder(first, 'params', true)).toEqual({ column: 'params', descending: true });
  });
});

describe('rowsWindow', () => {
  it('shows all rows of a table that is not long', () => {
    expect(rowsWindow(alwaysShown, 28, 4000, 900)).toEqual({ first: 0, last: alwaysShown });
  });

  it('always covers the rows on screen, and not many more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20_000 }),
        fc.integer({ min: -2000, max: 600_000 }),
        fc.integer({ min: 100, max: 3000 }),
        (count, past, height) => {
          const { first, last } = rowsWindow(count, 28, past, height);
          expect(first).toBeGreaterThanOrEqual(0);
          expect(last).toBeLessThanOrEqual(count);
          const top = Math.max(0, Math.floor(past / 28));
          const bottom = Math.min(count, Math.ceil((past + height) / 28));
          if (top < bottom) {
            expect(first).toBeLessThanOrEqual(top);
            expect(last).toBeGreaterThanOrEqual(bottom);
          }
          if (count > alwaysShown) expect(last - first).toBeLessThanOrEqual(Math.ceil(height / 28) + 41);
        },
      ),
      { seed: 20, numRuns: 2000 },
    );
  });
});

describe('covers', () => {
  it('holds for a fresh window, and until few rows are left beyond the screen', () => {
    const window = rowsWindow(5000, 28, 28_000, 840);
    expect(window).toEqual({ first: 980, last: 1050 });
    expect(covers(window, 5000, 28, 28_000, 840)).toBe(true);
    expect(covers(window, 5000, 28, 28_000 + 15 * 28, 840)).toBe(true);
    expect(covers(window, 5000, 28, 28_000 + 16 * 28, 840)).toBe(false);
    expect(covers(window, 5000, 28, 28_000 - 15 * 28, 840)).toBe(true);
    expect(covers(window, 5000, 28, 28_000 - 16 * 28, 840)).toBe(false);
  });

  it('asks for nothing beyond the ends of the table', () => {
    expect(covers({ first: 0, last: 10 }, 10, 28, -500, 5000)).toBe(true);
    expect(covers(rowsWindow(5000, 28, 0, 840), 5000, 28, 0, 840)).toBe(true);
    expect(covers(rowsWindow(5000, 28, 4980 * 28, 840), 5000, 28, 4980 * 28, 840)).toBe(true);
  });
});

describe('entering', () => {
  const indexes = ({ first, last }: RowsWindow) =>
    Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);

  const check = (shown: RowsWindow, next: RowsWindow) => {
    const { above, below } = entering(shown, next);
    const stays = indexes(next).filter((index) => index >= shown.first && index < shown.last);
    // In the order of the table, nothing twice, nothing missing.
    expect([...indexes(above), ...stays, ...indexes(below)]).toEqual(indexes(next));
  };

  it('makes the rows that were not there, and no other, whichever way one scrolls', () => {
    const window = fc.tuple(fc.nat({ max: 300 }), fc.nat({ max: 80 }));
    fc.assert(
      fc.property(window, window, ([from, rows], [to, more]) => {
        check({ first: from, last: from + rows }, { first: to, last: to + more });
      }),
      { seed: 21, numRuns: 2000 },
    );
  });

  it('touches as many rows as were scrolled by', () => {
    const shown = rowsWindow(1700, 28, 28_000, 900);
    expect(entering(shown, rowsWindow(1700, 28, 28_000 + 16 * 28, 900))).toEqual({
      above: { first: 996, last: 996 },
      below: { first: 1053, last: 1069 },
    });
  });
});

describe('calibration form', () => {
  const values: FormValues = {
    modelUri: 'file:///m/net.onnx',
    source: '/data/x.npy',
    scheme: 'w8a8',
    estimator: 'mse',
    samples: '32',
    scale: '',
    mean: '',
    std: '',
    resize: '',
    crop: '',
    layout: '',
    color: '',
    dimensions: {},
  };
  const check = (change: Partial<FormValues>, expected: Problems) =>
    expect(problemsOf({ ...values, ...change })).toEqual(expected);

  it.each(['1/255', '0.0039', '.5', '-1e-3', ' 1 / 255 '])('takes %s as scale', (scale) =>
    check({ scale }, {}),
  );

  it.each(['0', '1/0', '1/2/3', 'a', '1/', '0x10', 'Infinity'])('refuses %s as scale', (scale) =>
    check({ scale }, { scale: 'number' }),
  );

  it('checks samples, lists and sizes', () => {
    check({}, {});
    check({ samples: '' }, { samples: 'wholeNumber' });
    check({ samples: '0' }, { samples: 'wholeNumber' });
    check({ samples: '1.5' }, { samples: 'wholeNumber' });
    check({ mean: '0.485, 0.456, 0.406', std: '0.2,0.2,0.2' }, {});
    check({ mean: '1,,2' }, { mean: 'numbers' });
    check({ mean: '-1', std: '-1' }, { std: 'numbers' });
    check({ std: '0' }, { std: 'numbers' });
    check({ resize: '-2', crop: 'x' }, { resize: 'wholeNumber', crop: 'wholeNumber' });
    check({ source: '' }, { source: 'chooseData' });
  });

  it('does not check preprocessing that does not apply, and does not send it', () => {
    const random = { ...values, source: 'random', scale: 'wrong', crop: '224' };
    expect(problemsOf(random)).toEqual({});
    expect(requestOf(random)).toEqual({
      modelUri: values.modelUri,
      source: 'random',
      scheme: 'w8a8',
      estimator: 'mse',
      samples: 32,
      seed: 0,
    });
    // Without data the scale tells where the input lies.
    check({ source: 'none', scale: 'wrong' }, { scale: 'number' });
    expect(requestOf({ ...values, source: 'none', scale: '1/255' })).toMatchObject({ scale: '1/255' });
  });

  it('takes over what a script says, empties what it does not, and keeps data that it does not name', () => {
    const prefill = { from: 'train.py', scale: '1/255', mean: '0.5', resize: 40, notes: [] };
    const kept = { ...values, source: 'photos', std: '0.2', crop: '32' };
    expect({ ...kept, ...filledIn(prefill) }).toEqual({
      ...values,
      source: 'photos',
      scale: '1/255',
      mean: '0.5',
      std: '',
      resize: '40',
      crop: '',
      layout: '',
      color: '',
    });
    expect(filledIn({ ...prefill, source: 'data' }).source).toBe('data');
  });

  it('sends the sizes of free dimensions that are filled in', () => {
    expect(requestOf(values)).not.toHaveProperty('dimensions');
    const sizes = { seq: ' 32 ', past: '' };
    expect(requestOf({ ...values, dimensions: sizes })).toMatchObject({ dimensions: { seq: 32 } });
  });

  it('sends what is filled in and leaves the rest to the engine', () => {
    const request = requestOf({ ...values, scale: ' 1/255 ', mean: '0.5', crop: '224', layout: 'nhwc' });
    expect(request).toMatchObject({ scale: '1/255', mean: '0.5', crop: 224, layout: 'nhwc' });
    expect([request.std, request.resize, request.color]).toEqual([undefined, undefined, undefined]);
  });
});
