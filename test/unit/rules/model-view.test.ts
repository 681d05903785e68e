/** The view of a model: what is estimated and what is measured, which columns it has, what is stored quantized. */
import { describe, expect, it } from 'vitest';
import type { LayerReport } from '../../../server/src/protocol/reports';
import type { ModelView } from '../../../server/src/protocol/views';
import { modelView } from '../../../server/src/rules/model-view';
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

  it('has a column of its own behind the others, in the words of hovers', () => {
    const parts = { local: { w8a8: 40 }, cumulative: { w8a8: 35 }, outputEffect: { w8a8: 31 } };
    const columns = view(layer('a', parts), layer('b')).columns.slice(-3);
    expect(columns.map(({ effect, label }) => [effect, label])).toEqual([
      ['local', 'w8a8 local'],
      ['cumulative', 'w8a8 cumulative'],
      ['output', 'w8a8 output effect'],
    ]);
  });
});

describe('a weight that is stored quantized', () => {
  it('says how; a float one says nothing', () => {
    const stored = layer('b', { dataType: 'int8', weightSqnr: undefined });
    expect(view(layer('a'), stored).layers.map(({ storedAs }) => storedAs)).toEqual([undefined, 'int8']);
  });
});
