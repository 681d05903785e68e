/**
 * What the own client was told of the layers of models. Figures arrive a few rows at a time: of a large model only the
 * rows that changed are sent again, for writing all of them keeps this process from answering.
 */
import { LRUCache } from 'lru-cache';
import { same } from '../engine/base/same';
import { type ModelRowsChangedParams, modelRowsChanged, modelViewChanged } from '../protocol/lsp-ext';
import type { LayerRow, ModelView } from '../protocol/views';

/** Models with fewer layers are sent as a whole. */
export const manyRows = 200;

/** Models whose rows are remembered; another one is sent as a whole. */
const MAX_MODELS = 16;

/** Rows in one piece of news: what is written at once keeps others waiting. */
export const rowsAtOnce = 300;

export interface ViewNews {
  readonly method: string;
  readonly params: ModelView | ModelRowsChangedParams;
  /** More rows have changed than were sent: the view is due again. */
  readonly isPartial: boolean;
}

export class ToldViews {
  private readonly rows = new LRUCache<string, readonly LayerRow[]>({ max: MAX_MODELS });

  /** The notification that brings a client from the view that it was told before to this one, or nearer to it. */
  news(view: ModelView): ViewNews {
    const before = this.rows.get(view.uri);
    const { layers } = view;
    const changed = before && layers.length >= manyRows ? changedRows(before, layers) : undefined;
    if (!before || !changed) {
      this.rows.set(view.uri, layers);
      return { method: modelViewChanged, params: view, isPartial: false };
    }
    const rows = changed.slice(0, rowsAtOnce);
    const told = [...before];
    for (const [index, row] of rows) told[index] = row;
    this.rows.set(view.uri, told);
    const params = { view: { ...view, layers: [] }, rows };
    return { method: modelRowsChanged, params, isPartial: rows.length < changed.length };
  }
}

/** Rows that are not as before, with their places; undefined where other layers are listed. */
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
    if (!same(known, row)) changed.push([index, row]);
  }
  return changed;
}
