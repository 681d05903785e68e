/** What the page says first: per figure that is known the worst layer and how many are not good. No elements in here. */
import {
  type ErrorCell,
  type LayerRow,
  type ModelView,
  type Verdict,
  verdictScale,
} from '../../../server/src/protocol/views';
import { cellFinder, columnId, type ErrorColumn } from './error-columns';

/** Formats that the page offers to quantize to. */
const weightFormats: readonly string[] = ['weight:int8.channel', 'weight:int4.channel'];

export interface Standing {
  readonly column: ErrorColumn;
  readonly worst: { readonly layer: string; readonly cell: ErrorCell };
  /** Layers whose figure is not good, of all that have one. */
  readonly below: number;
  readonly of: number;
}

/** The measured figure that says most, then the weights at 8 and 4 bits; what nobody has a figure of is left out. */
export function standings(view: Pick<ModelView, 'columns' | 'layers'>): readonly Standing[] {
  const measured = view.columns.find(({ effect }) => effect !== 'weight');
  const weights = view.columns.filter((one) => weightFormats.includes(columnId(one)));
  return [...(measured ? [measured] : []), ...weights].flatMap(
    (column) => standing(column, view.layers) ?? [],
  );
}

function standing(column: ErrorColumn, layers: readonly LayerRow[]): Standing | undefined {
  const find = cellFinder(column);
  const known = layers.flatMap((row) => {
    const cell = find(row);
    return cell && cell.db !== null ? [{ layer: row.name, cell, db: cell.db }] : [];
  });
  const [first] = known;
  if (!first) return undefined;
  const worst = known.reduce((low, one) => (one.db < low.db ? one : low), first);
  const isGood = ({ verdict }: ErrorCell) => verdict === 'good';
  return { column, worst, below: known.filter(({ cell }) => !isGood(cell)).length, of: known.length };
}

/** The bound that the layers counted as not good are below. */
export const goodFrom = verdictScale.goodFrom;

export interface QuantizedStanding {
  readonly count: number;
  readonly of: number;
  /** Formats of the weights, the most frequent first. */
  readonly formats: readonly string[];
  /** How the runtime computes them, with how many layers; empty where it was not looked at. */
  readonly execution: readonly { readonly as: 'integer' | 'blocks' | 'float'; readonly count: number }[];
  readonly verdict: Verdict;
}

/** What a file that is quantized already holds; undefined for others. */
export function quantizedStanding(layers: readonly LayerRow[]): QuantizedStanding | undefined {
  const known = layers.flatMap(({ quantized }) => quantized ?? []);
  if (2 * known.length <= layers.length) return undefined;
  const counts = (names: readonly string[]) => {
    const all = new Map<string, number>();
    for (const name of names) all.set(name, (all.get(name) ?? 0) + 1);
    return [...all].sort((one, other) => other[1] - one[1]);
  };
  const execution = (['integer', 'blocks', 'float'] as const).flatMap((as) => {
    const count = known.filter((one) => one.execution === as).length;
    return count > 0 ? [{ as, count }] : [];
  });
  const inFloat = execution.some(({ as }) => as === 'float');
  return {
    count: known.length,
    of: layers.length,
    formats: counts(known.map(({ weights }) => weights)).map(([name]) => name),
    execution,
    verdict: execution.length === 0 ? 'unknown' : inFloat ? 'watch' : 'good',
  };
}
