/** Which rows of a long table need elements: those on screen and some around them. */

export interface RowsWindow {
  readonly first: number;
  /** Exclusive. */
  readonly last: number;
}

/** Up to this many rows all have elements, so that searching and reading aloud see everything. */
export const alwaysShown = 200;

const around = 20;

/** New rows are made when so few are left beyond the edge of the screen. */
const reserve = 5;

/** Rows to show, given where the body's top lies above (negative: below) the top of the screen, in pixels. */
export function rowsWindow(
  count: number,
  rowHeight: number,
  scrolledPast: number,
  screenHeight: number,
): RowsWindow {
  if (count <= alwaysShown) return { first: 0, last: count };
  const top = Math.floor(Math.max(0, scrolledPast) / rowHeight);
  const shown = Math.ceil(screenHeight / rowHeight);
  const first = Math.max(0, Math.min(top - around, count - shown - around));
  return { first, last: Math.min(count, first + shown + 2 * around) };
}

/** True while the rows on screen, and a few beyond, have elements. */
export function covers(
  { first, last }: RowsWindow,
  count: number,
  rowHeight: number,
  scrolledPast: number,
  screenHeight: number,
): boolean {
  const top = Math.max(0, Math.floor(scrolledPast / rowHeight) - reserve);
  const bottom = Math.min(count, Math.ceil((scrolledPast + screenHeight) / rowHeight) + reserve);
  return first <= Math.min(top, count) && last >= bottom;
}

/** The rows that have to be made to come from one window to the next: before those that stay, and after them. */
export function entering(
  shown: RowsWindow,
  next: RowsWindow,
): { readonly above: RowsWindow; readonly below: RowsWindow } {
  const none = { first: next.last, last: next.last };
  const staysFirst = Math.max(shown.first, next.first);
  const staysLast = Math.min(shown.last, next.last);
  if (staysFirst >= staysLast) return { above: next, below: none };
  return {
    above: { first: next.first, last: staysFirst },
    below: { first: staysLast, last: next.last },
  };
}
