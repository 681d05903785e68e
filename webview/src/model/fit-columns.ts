/** Which columns a window has room for, and which of them the reader chose. No elements in here. */

export interface SizedColumn {
  readonly id: string;
  /** Pixels it takes, roughly. */
  readonly width: number;
  /** Left out where there is no room, the highest first; undefined = stays. */
  readonly rank?: number;
}

/** What the reader decided: true = shown in any case, false = never; missing = where there is room. */
export type ChosenColumns = Readonly<Record<string, boolean>>;

/** Columns in the order in which they make room; a name that ends in a colon stands for all formats of an effect. */
const makeRoom: readonly string[] = [
  'shape',
  'params',
  'quantized:form',
  'quantized:ends',
  'op',
  'local:',
  'weight:int4.group32',
  'weight:int8.tensor',
  'quantized:codes',
  'stored',
  'quantized:scales',
  'weight:',
  'cumulative:',
  'planned',
  'output:',
  'quantized:effectiveLevels',
  'quantized:execution',
];

/** Rank of a column for {@link leftOut}; undefined for those that always stay. */
export function rankOf(id: string): number | undefined {
  const exact = makeRoom.indexOf(id);
  const at = exact >= 0 ? exact : makeRoom.findIndex((one) => one.endsWith(':') && id.startsWith(one));
  return at < 0 ? undefined : makeRoom.length - at;
}

/**
 * Ids of the columns that are left out: what the reader hid, and as much as has no room, what can be looked up elsewhere
 * first. What still does not fit is reached by scrolling.
 */
export function leftOut(
  columns: readonly SizedColumn[],
  room: number,
  chosen: ChosenColumns = {},
): ReadonlySet<string> {
  const out = new Set(columns.map(({ id }) => id).filter((id) => chosen[id] === false));
  const shown = columns.filter(({ id }) => !out.has(id));
  let width = shown.reduce((sum, column) => sum + column.width, 0);
  const byRank = shown
    .filter(({ id, rank }) => rank !== undefined && chosen[id] !== true)
    .sort((one, other) => (other.rank ?? 0) - (one.rank ?? 0));
  for (const column of byRank) {
    if (width <= room) break;
    out.add(column.id);
    width -= column.width;
  }
  return out;
}
