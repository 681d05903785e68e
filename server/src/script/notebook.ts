/**
 * Jupyter notebooks as one program: code cells in their order, joined by line breaks; lines that are not Python
 * (`%magic`, `!shell`, `?help`) become blanks of the same length, so that every offset of the program lies in a cell.
 */
import type { Span } from './syntax';

export interface Cell {
  /** Offset of the cell's first character in the program. */
  readonly start: number;
  readonly text: string;
}

export interface NotebookProgram {
  readonly text: string;
  readonly cells: readonly Cell[];
}

/** Joins the code cells of an open notebook. */
export function joinCells(texts: readonly string[]): NotebookProgram {
  const cells: Cell[] = [];
  let text = '';
  for (const cell of texts) {
    cells.push({ start: text.length, text: cell });
    text += `${blankMagics(cell)}\n`;
  }
  return { text, cells };
}

/** Cell and span inside it of a span of the program; undefined for one that crosses cells. */
export function cellSpan(
  program: NotebookProgram,
  span: Span,
): { readonly cell: number; readonly span: Span } | undefined {
  const cell = program.cells.findLastIndex(({ start }) => start <= span[0]);
  const found = program.cells[cell];
  if (!found || span[1] > found.start + found.text.length) return undefined;
  return { cell, span: [span[0] - found.start, span[1] - found.start] };
}

/** Offset in the program of an offset in a cell. */
export function programOffset(program: NotebookProgram, cell: number, offset: number): number {
  return (program.cells[cell]?.start ?? 0) + offset;
}

/** A cell magic (`%%bash`) makes the whole cell foreign, except those that run Python. */
function blankMagics(cell: string): string {
  const magic = /^\s*%%(\w+)/.exec(cell)?.[1];
  if (magic !== undefined && !pythonMagics.has(magic)) return blank(cell);
  return cell.replace(/^[ \t]*(?:%|!|\?).*$/gm, blank);
}

const pythonMagics: ReadonlySet<string> = new Set(['time', 'timeit', 'capture', 'prun']);

function blank(text: string): string {
  return text.replace(/[^\n\r]/g, ' ');
}

/**
 * Code cells of an .ipynb file (nbformat 3 and 4); undefined when it is none.
 * @param text JSON of the file.
 */
export function readNotebook(text: string): readonly string[] | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(document)) return undefined;
  const worksheets = Array.isArray(document.worksheets) ? document.worksheets : [document];
  const cells = worksheets.flatMap((sheet: unknown) =>
    isRecord(sheet) && Array.isArray(sheet.cells) ? sheet.cells : [],
  );
  if (cells.length === 0 && !('nbformat' in document)) return undefined;
  return cells.flatMap((cell: unknown) => {
    if (!isRecord(cell) || cell.cell_type !== 'code') return [];
    const source = cell.source ?? cell.input;
    if (typeof source === 'string') return [source];
    return Array.isArray(source) ? [source.filter((line) => typeof line === 'string').join('')] : [];
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
