/** Order of table rows: numbers and texts ascending or descending, missing values always last, stable. */

export type SortValue = number | string | null | undefined;

export interface SortOrder {
  readonly column: string;
  readonly descending: boolean;
}

/** A sorted copy. */
export function sortRows<R>(
  rows: readonly R[],
  value: (row: R) => SortValue,
  descending: boolean,
): readonly R[] {
  return [...rows].sort((one, other) => compare(value(one), value(other), descending));
}

/** Next order after a click on a column: first one way, then the other, then the order of the network. */
export function nextOrder(
  order: SortOrder | undefined,
  column: string,
  descendingFirst: boolean,
): SortOrder | undefined {
  if (order?.column !== column) return { column, descending: descendingFirst };
  return order.descending === descendingFirst ? { column, descending: !descendingFirst } : undefined;
}

function compare(one: SortValue, other: SortValue, descending: boolean): number {
  const oneMissing = one === null || one === undefined;
  const otherMissing = other === null || other === undefined;
  if (oneMissing || otherMissing) return Number(oneMissing) - Number(otherMissing);
  const ascending =
    typeof one === 'number' && typeof other === 'number'
      ? one - other
      : String(one).localeCompare(String(other), undefined, { numeric: true });
  return descending ? -ascending : ascending;
}
