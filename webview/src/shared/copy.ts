/** Tables as text for other programs: CSV (RFC 4180) and Markdown, values in full precision, units in the header. */

export type CopyValue = string | number | null | undefined;

export interface CopyColumn<R> {
  /** With the unit: `Cumulative (dB)`. */
  readonly label: string;
  readonly value: (row: R) => CopyValue;
}

export type CopyFormat = 'csv' | 'markdown';

/** The rows in the order given. */
export function tableText<R>(
  columns: readonly CopyColumn<R>[],
  rows: readonly R[],
  format: CopyFormat,
): string {
  return format === 'csv' ? csv(columns, rows) : markdown(columns, rows);
}

function csv<R>(columns: readonly CopyColumn<R>[], rows: readonly R[]): string {
  const lines = [
    columns.map(({ label }) => csvField(label)),
    ...rows.map((row) => columns.map(({ value }) => csvField(value(row)))),
  ];
  return lines.map((fields) => `${fields.join(',')}\r\n`).join('');
}

function csvField(value: CopyValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number') return String(value);
  // Names come from model files: a spreadsheet must not take one for a formula.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function markdown<R>(columns: readonly CopyColumn<R>[], rows: readonly R[]): string {
  const isNumber = columns.map(({ value }) => rows.some((row) => typeof value(row) === 'number'));
  const lines = [
    columns.map(({ label }) => markdownCell(label)),
    isNumber.map((number) => (number ? '---:' : '---')),
    ...rows.map((row) => columns.map(({ value }) => markdownCell(value(row)))),
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function markdownCell(value: CopyValue): string {
  if (value === null || value === undefined) return '–';
  return String(value)
    .replace(/[\\|`*_<>[\]]/g, (character) => `\\${character}`)
    .replace(/[\r\n]+/g, ' ');
}
