/** Which figures of a layer come first where there is room for few. Pure. */
import type { Effect, ErrorCell, LayerRow, ModelView } from '../../server/src/protocol/views';

/** What says most first: effect on the output, then cumulative, then local error. */
const measuredFirst: readonly Effect[] = ['output', 'cumulative', 'local'];

/** Weight figures shown before anything was measured on activations. */
const weightFormats = ['int8.channel', 'int4.channel'] as const;

/** The one measured figure that says most; before any, those of the weight at 8 and 4 bits. */
export function bestKnown({ cells }: Pick<LayerRow, 'cells'>): readonly ErrorCell[] {
  for (const effect of measuredFirst) {
    const cell = cells.find((one) => one.effect === effect);
    if (cell) return [cell];
  }
  return weightFormats.flatMap((format) =>
    cells.filter((cell) => cell.effect === 'weight' && cell.format === format),
  );
}

/** True once a model was read that has no float weight: menus offer no calibration and no quantization then. */
export function hasNothingToQuantize({ state, layers }: Pick<ModelView, 'state' | 'layers'>): boolean {
  return state !== 'failed' && layers.every(({ storedAs }) => storedAs !== undefined);
}
