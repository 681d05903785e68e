/**
 * An accessible table of many rows: sortable headers (click, Enter, `aria-sort`), one tab stop with arrow keys
 * between rows, a header that stays in sight, and elements only for rows near the screen.
 */
import { type CopyColumn, type CopyFormat, tableText } from './copy';
import { type Child, fill, make } from './dom';
import { alwaysShown, covers, entering, type RowsWindow, rowsWindow } from './rows-window';
import { nextOrder, type SortOrder, type SortValue, sortRows } from './sort';

export interface Column<R> {
  readonly id: string;
  readonly label: string;
  /** The label in lines of its own, where it is longer than what stands below. */
  readonly lines?: readonly string[];
  /** Longer explanation of the header. */
  readonly title?: string;
  readonly class?: string;
  /** Undefined: the column cannot be sorted. */
  readonly sortValue?: (row: R) => SortValue;
  /** Sort with the largest value on top first. */
  readonly descendingFirst?: boolean;
  readonly render: (row: R) => readonly Child[];
  /** The cell in one piece for screen readers, where what is shown is cut into parts. */
  readonly spokenAs?: (row: R) => string;
  /** What it becomes in a copy; missing = what it is sorted by, under its label. */
  readonly copy?: readonly CopyColumn<R>[];
}

export interface TableOptions<R> {
  readonly id: string;
  readonly label: string;
  /** Name of a row, unique in the table. */
  readonly key: (row: R) => string;
  /** Enter or Space on a row. */
  readonly onActivate: (row: R, element: HTMLElement) => void;
  /** Shift+F10, the menu key or the right button on a row; missing = the editor's own menu. */
  readonly onMenu?: (row: R, element: HTMLElement) => void;
  readonly onSorted: (order: SortOrder | undefined) => void;
  /** Ctrl+C or Command+C while no text is selected. */
  readonly onCopy?: () => void;
  /** A row got the focus. */
  readonly onFocused?: (row: R) => void;
}

/** Height of a row in pixels; the style sheet says the same. */
const rowHeight = 28;

export class Table<R> {
  readonly element: HTMLTableElement;
  private readonly head = make('thead');
  private readonly body = make('tbody');
  private readonly above = spacer();
  private readonly below = spacer();
  private columns: readonly Column<R>[] = [];
  private rows: readonly R[] = [];
  private sorted: readonly R[] = [];
  private shown: RowsWindow = { first: 0, last: 0 };
  /** The rows that have elements, by index. */
  private readonly elements = new Map<number, HTMLElement>();
  private focusedKey: string | undefined;

  constructor(
    private readonly options: TableOptions<R>,
    private order?: SortOrder,
  ) {
    this.element = make(
      'table',
      { id: options.id, attributes: { role: 'grid', 'aria-label': options.label } },
      this.head,
      this.body,
    );
    this.body.addEventListener('keydown', (event) => this.onKey(event));
    if (options.onMenu) this.body.addEventListener('contextmenu', (event) => this.onContextMenu(event));
    this.body.addEventListener('focusin', (event) => {
      const key = rowOf(event.target)?.dataset.key;
      if (key === undefined || key === this.focusedKey) return;
      this.focusedKey = key;
      const row = this.sorted.find((one) => this.options.key(one) === key);
      if (row !== undefined) this.options.onFocused?.(row);
    });
    let waiting = false;
    let isResized = false;
    const moved = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        if (isResized) this.fixWidths();
        isResized = false;
        this.renderRows(false);
      });
    };
    window.addEventListener('scroll', moved, { passive: true });
    window.addEventListener(
      'resize',
      () => {
        isResized = true;
        moved();
      },
      { passive: true },
    );
  }

  setContent(columns: readonly Column<R>[], rows: readonly R[]): void {
    this.columns = columns;
    this.rows = rows;
    this.sort();
    this.renderHead();
    this.renderRows(true);
  }

  /** Scrolls to a row and focuses it. */
  reveal(key: string): void {
    const index = this.sorted.findIndex((row) => this.options.key(row) === key);
    if (index >= 0) this.focusRow(index);
  }

  /** Scrolls sideways until a column stands beside the first one. */
  revealColumn(id: string): void {
    const cell = this.head.querySelector(`th[data-column="${CSS.escape(id)}"]`)?.getBoundingClientRect();
    const first = this.head.querySelector('th')?.getBoundingClientRect();
    if (!cell || !first || cell.width === 0) return;
    if (cell.left < first.right) window.scrollBy({ left: cell.left - first.right });
    else if (cell.right > window.innerWidth) window.scrollBy({ left: cell.right - window.innerWidth });
  }

  /** Pixels above the first row. */
  get headHeight(): number {
    return this.head.getBoundingClientRect().height;
  }

  /** Rows that are shown, after filter and sorting. */
  get rowCount(): number {
    return this.sorted.length;
  }

  /** All rows as they are sorted now, those off screen too. */
  copyText(format: CopyFormat): string {
    const columns = this.columns.flatMap(({ label, copy, sortValue }): readonly CopyColumn<R>[] => {
      if (copy) return copy;
      return sortValue ? [{ label, value: sortValue }] : [];
    });
    return tableText(columns, this.sorted, format);
  }

  /** Scrolls to a row and makes it the tab stop; the focus stays where it is. */
  bringIntoView(key: string): void {
    const index = this.sorted.findIndex((row) => this.options.key(row) === key);
    if (index < 0) return;
    this.focusedKey = key;
    const top = this.body.getBoundingClientRect().top + index * rowHeight;
    if (top < 0 || top + rowHeight > window.innerHeight)
      window.scrollTo({ top: Math.max(0, top + window.scrollY - window.innerHeight / 2) });
    this.renderRows(true);
  }

  private sort(): void {
    const column = this.columns.find(({ id }) => id === this.order?.column);
    this.sorted =
      column?.sortValue && this.order
        ? sortRows(this.rows, column.sortValue, this.order.descending)
        : this.rows;
  }

  private renderHead(): void {
    const focused = document.activeElement?.closest('th')?.dataset.column;
    fill(this.head, make('tr', {}, ...this.columns.map((column) => this.headCell(column))));
    if (focused === undefined) return;
    this.head.querySelector<HTMLElement>(`th[data-column="${CSS.escape(focused)}"] button`)?.focus();
  }

  private headCell(column: Column<R>): HTMLElement {
    const active = this.order?.column === column.id ? this.order : undefined;
    const cell = make('th', {
      class: column.class,
      title: column.title,
      attributes: { scope: 'col', 'data-column': column.id },
    });
    if (!column.sortValue) {
      cell.append(...headText(column));
      return cell;
    }
    cell.setAttribute('aria-sort', active ? (active.descending ? 'descending' : 'ascending') : 'none');
    const arrow = active ? (active.descending ? ' ▼' : ' ▲') : '';
    const sort = () => {
      this.order = nextOrder(this.order, column.id, column.descendingFirst ?? false);
      this.options.onSorted(this.order);
      this.sort();
      this.renderHead();
      this.renderRows(true);
    };
    cell.append(
      make(
        'button',
        { class: 'sort', attributes: { type: 'button' }, onClick: sort },
        ...headText(column),
        make('span', { class: 'arrow', attributes: { 'aria-hidden': 'true' } }, arrow),
      ),
    );
    return cell;
  }

  /** Makes the elements of the rows near the screen; without `force` only of those that came near. */
  private renderRows(force: boolean): void {
    const count = this.sorted.length;
    const past = -this.body.getBoundingClientRect().top;
    if (!force && covers(this.shown, count, rowHeight, past, window.innerHeight)) return;
    const next = rowsWindow(count, rowHeight, past, window.innerHeight);
    const hadFocus = this.body.contains(document.activeElement);
    this.element.setAttribute('aria-rowcount', String(count + 1));
    if (force) this.elements.clear();
    for (const [index, element] of this.elements) {
      if (index >= next.first && index < next.last) continue;
      element.remove();
      this.elements.delete(index);
    }
    const { above, below } = entering(force ? { first: next.first, last: next.first } : this.shown, next);
    if (force) fill(this.body, this.above, this.below);
    this.above.after(...this.rowElements(above));
    this.below.before(...this.rowElements(below));
    setSpace(this.above, next.first);
    setSpace(this.below, count - next.last);
    if (force) this.fixWidths();
    this.shown = next;
    this.setTabStop();
    // A row that stays keeps the focus, also inside it.
    if (!hadFocus || this.body.contains(document.activeElement)) return;
    this.body.querySelector<HTMLElement>('tr[tabindex="0"]')?.focus({ preventScroll: true });
  }

  /** One row is the tab stop: the focused one, else the first that is shown. */
  private setTabStop(): void {
    const stop =
      [...this.elements.values()].find(({ dataset }) => dataset.key === this.focusedKey) ??
      this.elements.get(this.shown.first);
    for (const element of this.elements.values()) element.tabIndex = element === stop ? 0 : -1;
  }

  private rowElements({ first, last }: RowsWindow): readonly HTMLElement[] {
    return this.sorted.slice(first, last).map((row, at) => {
      const element = this.row(row, first + at);
      this.elements.set(first + at, element);
      return element;
    });
  }

  /**
   * Columns of a table whose rows come and go keep the width that their longest content asks for: they do not move
   * while one scrolls, and rows that enter do not have the page lay out all others again.
   */
  private fixWidths(): void {
    const { style } = this.element;
    const heads = [...this.head.querySelectorAll<HTMLElement>('th')];
    style.tableLayout = style.width = '';
    for (const head of heads) head.style.width = '';
    if (this.sorted.length <= alwaysShown) return;
    const probes = this.longest().map((row) => this.row(row, 0));
    this.below.before(...probes);
    const widths = heads.map((head) => head.getBoundingClientRect().width);
    const whole = this.element.getBoundingClientRect().width;
    for (const probe of probes) probe.remove();
    // Not laid out: nothing to go by.
    if (whole === 0) return;
    for (const [index, head] of heads.entries()) head.style.width = `${widths[index]}px`;
    style.width = `${whole}px`;
    style.tableLayout = 'fixed';
  }

  /** For each column the row that takes the most letters in it. */
  private longest(): readonly R[] {
    const rows = this.columns.flatMap(({ copy, sortValue }): readonly R[] => {
      const values = copy?.map(({ value }) => value) ?? (sortValue ? [sortValue] : []);
      const letters = (row: R) => values.reduce((sum, value) => sum + String(value(row) ?? '').length, 0);
      const most = this.sorted.reduce((best: { readonly row: R; readonly size: number } | undefined, row) => {
        const size = letters(row);
        return best && best.size >= size ? best : { row, size };
      }, undefined);
      return values.length > 0 && most ? [most.row] : [];
    });
    return [...new Set(rows)];
  }

  private row(row: R, index: number): HTMLElement {
    return make(
      'tr',
      {
        attributes: {
          'aria-rowindex': String(index + 2),
          'data-key': this.options.key(row),
          'data-index': String(index),
        },
      },
      ...this.columns.map((column, position) =>
        position === 0
          ? make(
              'th',
              { class: column.class, attributes: headAttributes(column, row) },
              ...column.render(row),
            )
          : make('td', { class: column.class }, ...column.render(row)),
      ),
    );
  }

  private onKey(event: KeyboardEvent): void {
    const element = rowOf(event.target);
    if (!element || event.target !== element) return;
    const isCopy = (event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === 'c';
    if (isCopy && this.options.onCopy && window.getSelection()?.isCollapsed !== false) {
      this.options.onCopy();
      event.preventDefault();
      return;
    }
    const index = Number(element.dataset.index);
    const page = Math.max(1, Math.floor(window.innerHeight / rowHeight) - 4);
    const targets: Readonly<Record<string, number>> = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: this.sorted.length - 1,
    };
    const target = targets[event.key];
    const row = this.sorted[index];
    if (target !== undefined) this.focusRow(Math.min(Math.max(target, 0), this.sorted.length - 1));
    else if ((event.key === 'Enter' || event.key === ' ') && row !== undefined)
      this.options.onActivate(row, element);
    else return;
    event.preventDefault();
  }

  /** Shift+F10, the menu key and the right button open the row's own menu; on marked text the editor's, which copies. */
  private onContextMenu(event: MouseEvent): void {
    const element = rowOf(event.target);
    const row = this.sorted[Number(element?.dataset.index)];
    if (!element || row === undefined || window.getSelection()?.isCollapsed === false) return;
    event.preventDefault();
    event.stopPropagation();
    this.options.onMenu?.(row, element);
  }

  private focusRow(index: number): void {
    const row = this.sorted[index];
    if (row === undefined) return;
    this.focusedKey = this.options.key(row);
    if (index < this.shown.first || index >= this.shown.last) {
      const top = this.body.getBoundingClientRect().top + window.scrollY + index * rowHeight;
      window.scrollTo({ top: Math.max(0, top - window.innerHeight / 2) });
      this.renderRows(true);
    }
    this.setTabStop();
    const element = this.elements.get(index);
    element?.focus({ preventScroll: true });
    element?.scrollIntoView({ block: 'nearest' });
  }
}

function headText<R>({ label, lines }: Column<R>): readonly (string | Node)[] {
  return lines?.flatMap((line, index) => (index === 0 ? [line] : [' ', make('br'), line])) ?? [label];
}

function headAttributes<R>({ spokenAs }: Column<R>, row: R): Readonly<Record<string, string>> {
  return spokenAs ? { scope: 'row', 'aria-label': spokenAs(row) } : { scope: 'row' };
}

/** Stands for rows without elements; where there are none, not even for screen readers. */
function spacer(): HTMLElement {
  return make('tr', { class: 'spacer', attributes: { 'aria-hidden': 'true', hidden: '' } });
}

function setSpace(element: HTMLElement, rows: number): void {
  element.hidden = rows === 0;
  element.style.height = `${rows * rowHeight}px`;
}

function rowOf(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>('tr[data-key]') : null;
}
