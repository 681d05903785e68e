/** Columns of error figures by name, and a layer's figure in them. No elements in here. */
import type { ErrorCell, LayerRow, ModelView } from '../../../server/src/protocol/views';

export type ErrorColumn = ModelView['columns'][number];

/** Name of an error column, as it is remembered and sorted by. */
export function columnId({ format, effect }: Pick<ErrorColumn, 'format' | 'effect'>): string {
  return `${effect}:${format}`;
}

/** Finds a layer's figure for a column. */
export function cellFinder({ format, effect }: ErrorColumn): (row: LayerRow) => ErrorCell | undefined {
  return ({ cells }) => cells.find((cell) => cell.format === format && cell.effect === effect);
}
