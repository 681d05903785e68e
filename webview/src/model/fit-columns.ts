/** Which columns a window has room for. No elements in here. */

export interface SizedColumn {
  readonly id: string;
  /** Pixels it takes, roughly. */
  readonly width: number;
  /** Left out where there is no room, the highest first; undefined = stays. */
  readonly rank?: number;
}

/** Narrower windows show the layer and one figure only. */
export const narrowWindow = 500;

/**
 * Ids of the columns that are left out. What can be looked up elsewhere goes first; in a narrow window all but the
 * name and the column that says most. What still does not fit is reached by scrolling.
 */
export function leftOut(
  columns: readonly SizedColumn[],
  windowWidth: number,
  most: string | undefined,
): ReadonlySet<string> {
  const [name] = columns;
  if (!name) return new Set();
  if (windowWidth < narrowWindow && most !== undefined)
    return new Set(columns.map(({ id }) => id).filter((id) => id !== name.id && id !== most));
  const out = new Set<string>();
  let width = columns.reduce((sum, column) => sum + column.width, 0);
  const byRank = columns
    .filter(({ rank }) => rank !== undefined)
    .sort((one, other) => (other.rank ?? 0) - (one.rank ?? 0));
  for (const column of byRank) {
    if (width <= windowWidth) break;
    out.add(column.id);
    width -= column.width;
  }
  return out;
}
