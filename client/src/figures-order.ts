/** Which figures of a layer come first where there is room for few. Pure. */
import {
  type Effect,
  type ErrorCell,
  isQuantizedAlready,
  type LayerRow,
  type ModelView,
} from '../../server/src/protocol/views';

/** What says most first: effect on the output, then cumulative, then local error. */
const measuredFirst: readonly Effect[] = ['output', 'cumulative', 'local'];

/** Weight figures shown before anything was measured on activations. */
const weightFormats = ['int8.channel', 'int4.channel'] as const;

/**
 * The one measured figure that says most; before any, those of the weight at 8 and 4 bits. Where a recipe plans another
 * format than these speak of, the weight's figure in the format planned.
 */
export function bestKnown({ cells, planned }: Pick<LayerRow, 'cells' | 'planned'>): readonly ErrorCell[] {
  const best = mostSaid(cells);
  if (planned === undefined || planned === 'float' || best.some((cell) => speaksOf(cell, planned)))
    return best;
  const own = cells.find(({ effect, format }) => effect === 'weight' && format === planned);
  return own ? [own] : best;
}

/** Measured figures name a scheme: `w4a8` has weights of 4 bits, `recipe` those that are planned. */
function speaksOf({ effect, format }: ErrorCell, planned: string): boolean {
  if (effect === 'weight') return format === planned;
  if (format === 'recipe') return true;
  const type = shortFormat(format.replace(/^w(\d+)a\d+.*$/, 'int$1'));
  return type === shortFormat(planned);
}

/** What was measured comes before any estimate, whatever it speaks of. */
function mostSaid(cells: readonly ErrorCell[]): readonly ErrorCell[] {
  for (const basis of ['measured', 'estimated'] as const) {
    for (const effect of measuredFirst) {
      const cell = cells.find((one) => one.effect === effect && one.basis === basis);
      if (cell) return [cell];
    }
  }
  return weightFormats.flatMap((format) =>
    cells.filter((cell) => cell.effect === 'weight' && cell.format === format),
  );
}

/** The figure that judges a layer: of those beside its name the one of what is planned; none for one that stays float. */
export function decisiveCell(layer: Pick<LayerRow, 'cells' | 'planned'>): ErrorCell | undefined {
  const { planned } = layer;
  if (planned === 'float') return undefined;
  const best = bestKnown(layer);
  const ofPlan = planned === undefined ? undefined : best.find((cell) => speaksOf(cell, planned));
  return ofPlan ?? best[0];
}

/** `int8` of `int8.channel`: what a format is called where there is no room for all of it. */
export function shortFormat(format: string): string {
  return format.split('.')[0] ?? format;
}

/** True once a model was read that is quantized already or has no weights: menus offer neither calibration nor quantization. */
export function hasNothingToQuantize(view: Pick<ModelView, 'state' | 'layers'>): boolean {
  return view.state !== 'failed' && (view.layers.length === 0 || isQuantizedAlready(view));
}
