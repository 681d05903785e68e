/**
 * What the own client was told of the layers of models. Figures arrive a few rows at a time: of a large model only the
 * rows that changed are sent again, for writing all of them keeps this process from answering.
 */
import { type ModelRowsChangedParams, modelRowsChanged, modelViewChanged } from '../protocol/lsp-ext';
import type { LayerRow, ModelView } from '../protocol/views';

/** Models with fewer layers are sent as a whole. */
export const manyRows = 200;

export interface ViewNews {
  readonly method: string;
  readonly params: ModelView | ModelRowsChangedParams;
}

export class ToldViews {
  private readonly rows = new Map<string, readonly LayerRow[]>();

  /** The notification that brings a client from the view that it was told before to this one. */
  news(view: ModelView): ViewNews {
    const before = this.rows.get(view.uri);
    const { layers } = view;
    this.rows.set(view.uri, layers);
    const changed = before && changedRows(before, layers);
    if (!changed || layers.length < manyRows || changed.length > layers.length / 2)
      return { method: modelViewChanged, params: view };
    return { method: modelRowsChanged, params: { view: { ...view, layers: [] }, rows: changed } };
  }
}

/** Rows that are not the very same as before, with their places; undefined where other layers are listed. */
function changedRows(
  before: readonly LayerRow[],
  now: readonly LayerRow[],
): readonly (readonly [number, LayerRow])[] | undefined {
  if (before.length !== now.length) return undefined;
  const changed: (readonly [number, LayerRow])[] = [];
  for (const [index, row] of now.entries()) {
    const known = before[index];
    if (known === row) continue;
    if (known?.name !== row.name) return undefined;
    changed.push([index, row]);
  }
  return changed;
}
