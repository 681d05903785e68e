/** The view of a model: what is estimated and what is measured, which columns it has, what is stored quantized. */
import { describe, expect, it } from 'vitest';
import type { LayerReport } from '../../../server/src/protocol/reports';
import type { ModelView } from '../../../server/src/protocol/views';
import { modelView, worstFigure, worstText } from '../../../server/src/rules/model-view';
import { layer, report } from './fixtures';

function view(...layers: readonly LayerReport[]): ModelView {
  return modelView({
    uri: 'file:///model.onnx',
    name: 'model.onnx',
    state: 'measuring',
    trusted: true,
    report: report(...layers),
    recipe: undefined,
    recipeUri: undefined,
    severities: {},
    problems: [],
  });
}

describe('output effect', () => {
  const check = (parts: Partial<LayerReport>, expected: readonly unknown[]) => {
    const { layers } = view(layer('a', parts));
    const cells = layers[0]?.cells.filter(({ effect }) => effect === 'output') ?? [];
    expect(cells.map(({ format, db, basis, verdict }) => [format, db, basis, verdict])).toEqual(expected);
  };

  it('is measured unless it says that it is estimated, scheme by scheme', () => {
    check({ outputEffect: { w8a8: 31 } }, [['w8a8', 31, 'measured', 'good']]);
    check({ outputEffect: { w8a8: 31 }, outputEffectBasis: { w8a8: 'estimated' } }, [
      ['w8a8', 31, 'estimated', 'good'],
    ]);
    check(
      { outputEffect: { w8a8: 31, w4a8: 12 }, outputEffectBasis: { w8a8: 'measured', w4a8: 'estimated' } },
      [
        ['w8a8', 31, 'measured', 'good'],
        ['w4a8', 12, 'estimated', 'watch'],
      ],
    );
  });

  it('stands before the other measured columns and those of the weights, in the words of hovers', () => {
    const parts = { local: { w8a8: 40 }, cumulative: { w8a8: 35 }, outputEffect: { w8a8: 31 } };
    const columns = view(layer('a', parts), layer('b')).columns;
    expect(columns.slice(0, 4).map(({ effect, label }) => [effect, label])).toEqual([
      ['output', 'w8a8 output effect'],
      ['cumulative', 'w8a8 cumulative'],
      ['local', 'w8a8 local'],
      ['weight', 'int8.tensor weight'],
    ]);
  });
});

describe('a weight that is stored quantized', () => {
  it('says how; a float one says nothing', () => {
    const stored = layer('b', { dataType: 'int8', weightSqnr: undefined });
    expect(view(layer('a'), stored).layers.map(({ storedAs }) => storedAs)).toEqual([undefined, 'int8']);
  });
});

describe('a finding about several layers', () => {
  it('is marked at each of them, once', () => {
    const activation = {
      tensor: 'x',
      min: 0,
      max: 4,
      mean: 1,
      std: 1,
      p9999: 4,
      clippedShare: 0,
      levels: 256,
      rangeVariation: 0,
    };
    const few = (name: string, effectiveLevels: number) =>
      layer(name, { activation: { ...activation, effectiveLevels } });
    const { layers } = view(few('a', 20), layer('b'), few('c', 16));
    expect(layers.map(({ findings }) => findings)).toEqual([['M15'], [], ['M15']]);
  });
});

describe('the worst figure', () => {
  const weight = (db: number): Partial<LayerReport> => ({ weightSqnr: { 'int8.channel': db } });
  const check = (layers: readonly LayerReport[], isRunning: boolean, expected: string | undefined) => {
    const worst = worstFigure(layers);
    expect(worst && worstText(worst, worst.layer.name, isRunning ? 'measuring' : 'measured')).toBe(expected);
  };

  it('is of the weight until activations are measured, then of one metric alone', () => {
    check([], false, undefined);
    check([layer('a', { weightSqnr: undefined })], false, undefined);
    const [a, b] = [layer('a', weight(42)), layer('b', weight(40.2))];
    check([a, b], false, 'worst weight b: int8 40.2 dB');
    // One layer measured so far: its cumulative error is not held against the weight of the other.
    const measured = { ...a, cumulative: { w8a8: 55 } };
    check([measured, b], true, 'worst so far, cumulative a: w8a8 55.0 dB');
    check([measured, { ...b, cumulative: { w8a8: 60 } }], false, 'worst cumulative a: w8a8 55.0 dB');
  });

  it('compares figures of one scheme, and skips those that are undefined', () => {
    const layers = [
      layer('a', { cumulative: { w8a8: null } }),
      layer('b', { cumulative: { w8a8: 30, w4a8: 5 } }),
      layer('c', { cumulative: { w4a8: 3 } }),
    ];
    check(layers, false, 'worst cumulative b: w8a8 30.0 dB');
  });

  it('is that at the output once it is known, marked while it is estimated', () => {
    const parts = { cumulative: { w8a8: 20 }, outputEffect: { w8a8: 31 } };
    check([layer('a', parts)], false, 'worst at the output a: w8a8 31.0 dB');
    check(
      [layer('a', { ...parts, outputEffectBasis: { w8a8: 'estimated' } })],
      true,
      'worst so far at the output a: w8a8 ≈ 31.0 dB',
    );
  });
});
