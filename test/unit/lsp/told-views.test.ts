/** Rows of large models that are sent alone: put together on the other side they are the view. */
import { describe, expect, it } from 'vitest';
import { mergeReports } from '../../../server/src/engine/merge-reports';
import { manyRows, rowsAtOnce, ToldViews } from '../../../server/src/lsp/told-views';
import type { ModelRowsChangedParams } from '../../../server/src/protocol/lsp-ext';
import type { AnalysisReport, LayerReport } from '../../../server/src/protocol/reports';
import type { LayerRow, ModelView } from '../../../server/src/protocol/views';
import { modelView } from '../../../server/src/rules/model-view';
import { layer, report } from '../rules/fixtures';

const viewOf = (given: AnalysisReport): ModelView =>
  modelView({
    uri: 'file:///deep.onnx',
    name: 'deep.onnx',
    state: 'measuring',
    trusted: true,
    report: given,
    recipe: undefined,
    recipeUri: undefined,
    severities: {},
    problems: [],
  });

const layers = (count: number, parts: (index: number) => Partial<LayerReport> = () => ({})) =>
  Array.from({ length: count }, (_, index) => layer(`layer${index}`, parts(index)));

/** As the client does it. */
function received(before: readonly LayerRow[], { method, params }: ReturnType<ToldViews['news']>): ModelView {
  if (method === 'quantlens/modelViewChanged') return params as ModelView;
  const { view, rows } = params as ModelRowsChangedParams;
  const all = [...before];
  for (const [index, row] of rows) all[index] = row;
  return { ...view, layers: all };
}

describe('views that were told', () => {
  it('are sent as a whole first, then only in rows that changed; together they are the view', () => {
    const told = new ToldViews();
    let now = report(...layers(500));
    let shown: readonly LayerRow[] = [];
    const sent: (number | 'all')[] = [];
    for (const measured of [0, 10, 10, 60]) {
      // A child sends all layers anew, most of them as they were.
      const copy = structuredClone(
        report(...layers(500, (index) => (index < measured ? { local: { w8a8: 30 } } : {}))),
      );
      now = mergeReports(now, copy);
      const view = viewOf(now);
      const news = told.news(view);
      sent.push(
        news.method === 'quantlens/modelViewChanged'
          ? 'all'
          : (news.params as ModelRowsChangedParams).rows.length,
      );
      const merged = received(shown, news);
      expect(merged).toEqual(view);
      shown = merged.layers;
    }
    expect(sent).toEqual(['all', 10, 0, 50]);
  });

  it('are sent in pieces when most rows changed, until the client has all of them', () => {
    const told = new ToldViews();
    const first = viewOf(report(...layers(1000)));
    const last = viewOf(report(...layers(1000, () => ({ local: { w8a8: 1 } }))));
    let shown = received([], told.news(first)).layers;
    const partial: boolean[] = [];
    for (let round = 0; round < 4; round++) {
      const news = told.news(last);
      expect((news.params as ModelRowsChangedParams).rows.length).toBeLessThanOrEqual(rowsAtOnce);
      partial.push(news.isPartial);
      shown = received(shown, news).layers;
    }
    expect(partial).toEqual([true, true, true, false]);
    expect(shown).toEqual(last.layers);
  });

  const check = (first: readonly LayerReport[], second: readonly LayerReport[], method: string) => {
    const told = new ToldViews();
    told.news(viewOf(report(...first)));
    expect(told.news(viewOf(report(...second))).method).toBe(`quantlens/${method}`);
  };

  it('are sent as a whole when the model is small or has other layers', () => {
    const many = layers(manyRows);
    const few = layers(manyRows - 1);
    check(many, many, 'modelRowsChanged');
    check(few, few, 'modelViewChanged');
    check(many, many.slice(1), 'modelViewChanged');
    check(many, [...many].reverse(), 'modelViewChanged');
  });
});

describe('reports put together', () => {
  it('keep the layers of which nothing new is told', () => {
    const older = report(...layers(3));
    const newer = structuredClone(
      report(...layers(3, (index) => (index === 1 ? { local: { w8a8: 20 } } : {}))),
    );
    const merged = mergeReports(older, newer);
    expect(merged.layers.map((one, index) => one === older.layers[index])).toEqual([true, false, true]);
    expect(merged.layers[1]?.local).toEqual({ w8a8: 20 });
  });
});
