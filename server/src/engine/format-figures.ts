/**
 * Weight errors in formats beside the standard ones, by model and layer: what a user asked *what if* about, and the grid
 * of formats a hover shows. Kept apart from the report, whose tables would grow with every question.
 */
import { LRUCache } from 'lru-cache';
import type { Decibel } from '../protocol/reports';
import type { WeightReport } from './analysis/weight-reports';
import { sameStamp } from './stamps';
import type { FileStamp } from './store';

export type Figures = Readonly<Record<string, Decibel>>;

/** Models whose figures are kept. */
const MAX_MODELS = 16;

/** Bits and granularities of the grid that is measured for every layer once its weights were analysed. */
export const gridBits = [8, 6, 5, 4, 3, 2] as const;
export const gridScopes = ['channel', 'group32', 'group128'] as const;

export const gridFormats: readonly string[] = gridBits.flatMap((bits) =>
  gridScopes.map((scope) => `int${bits}.${scope}`),
);

export class FormatFigures {
  private readonly held = new LRUCache<
    string,
    { readonly stamp: FileStamp; readonly layers: Map<string, Figures> }
  >({ max: MAX_MODELS });

  /** Figures of a layer for a state of its file; empty when nothing was asked yet. */
  of(stamp: FileStamp, layer: string): Figures {
    return this.layersFor(stamp)?.get(layer) ?? {};
  }

  keep(stamp: FileStamp, reports: readonly WeightReport[]): void {
    const layers = this.layersFor(stamp) ?? new Map<string, Figures>();
    for (const { name, weightSqnr } of reports) layers.set(name, { ...layers.get(name), ...weightSqnr });
    this.held.set(stamp.path, { stamp, layers });
  }

  clear(): void {
    this.held.clear();
  }

  private layersFor(stamp: FileStamp): Map<string, Figures> | undefined {
    const held = this.held.get(stamp.path);
    return held && sameStamp(held.stamp, stamp) ? held.layers : undefined;
  }
}
