/** Plain text tables for terminals: columns aligned by content, numbers to the right. */

import { oneLine } from '../rules/quote';

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Names come from files: escapes and line breaks are made visible, long ones are shortened. */
function shown(cell: string): string {
  const safe = oneLine(cell);
  return safe.length > 60 ? `${safe.slice(0, 59)}…` : safe;
}

/** Rows under a header, two spaces between columns. Cells wider than 60 characters are shortened. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const shortened = rows.map((row) => row.map(shown));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...shortened.map((row) => row[index]?.length ?? 0)),
  );
  const lineOf = (cells: readonly string[]) =>
    columns
      .map((column, index) => {
        const cell = cells[index] ?? '';
        const width = widths[index] ?? 0;
        return column.align === 'right' ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [lineOf(columns.map((column) => column.title)), ...shortened.map(lineOf)].join('\n');
}
