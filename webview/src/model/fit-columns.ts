/** Which columns a window has room for. No elements in here. */

export interface SizedColumn {
  readonly id: string;
  /** Pixels it takes, roughly. */
  readonly width: number;
  /** Left out where there is no room, the highest first; undefined = stays. */
  readonly rank?: number;
}

/** Room in pixels under which only the layer and one figure are shown: a window of 500. */
export const narrowRoom = 452;

/**
 * Ids of the columns that are left out. What can be looked up elsewhere goes first; in a narrow window all but the
 * name and the column that says most. What still does not fit is reached by scrolling.
 */
export function leftOut(
  columns: readonly SizedColumn[],
  room: number,
  most: string | undefined,
): ReadonlySet<string> {
  const [name] = columns;
  if (!name) return new Set();
  if (room < narrowRoom && most !== undefined)
    return new Set(columns.map(({ id }) => id).filter((id) => id !== name.id && id !== most));
  const out = new Set<string>();
  let width = columns.reduce((sum, column) => sum + column.width, 0);
  const byRank = columns
    .filter(({ rank }) => rank !== undefined)
    .sort((one, other) => (other.rank ?? 0) - (one.rank ?? 0));
  for (const column of byRank) {
    if (width <= room) break;
    out.add(column.id);
    width -= column.width;
  }
  return out;
}
