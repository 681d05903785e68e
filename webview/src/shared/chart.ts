/**
 * A chart of layers: one row each, error figures as bars or marks on a scale in dB with the lines of the verdicts. A list
 * box for keyboard and screen readers; only rows near the screen have elements, so 1,700 layers scroll smoothly.
 */
import { type Scale, scaleOf } from './chart-marks';
import {
  axisPlot,
  type ChartKind,
  type ChartSeries,
  type Drawing,
  nameParts,
  plotHeight,
  rowPlot,
  rowValue,
  swatch,
  valueTitle,
} from './chart-row';
import { type Child, fill, make } from './dom';
import { decibels, glyphs } from './figures';
import { covers, type RowsWindow, rowsWindow } from './rows-window';
import { say } from './rpc';

export interface ChartOptions<R> {
  readonly id: string;
  readonly label: string;
  readonly kind: ChartKind;
  readonly key: (row: R) => string;
  /** Further lines of the tooltip. */
  readonly details?: (row: R) => readonly (readonly [label: string, value: string])[];
  /** Click, Enter or Space. */
  readonly onActivate: (row: R, element: HTMLElement) => void;
  /** Another row became the current one. */
  readonly onSelected?: (row: R) => void;
}

/** Heights of a row in pixels, name beside or above its figures; the style sheet says the same. */
const heights = { wide: plotHeight, narrow: plotHeight + 20 } as const;

/** Below this width names stand above. */
const narrowWidth = 460;

export class LayerChart<R> {
  readonly element: HTMLElement;
  private readonly axis = make('div', { class: 'chart-axis', attributes: { 'aria-hidden': 'true' } });
  private readonly legend = make('ul', { class: 'chart-legend' });
  private readonly body = make('div', { class: 'chart-body', attributes: { role: 'presentation' } });
  private readonly list: HTMLElement;
  private readonly tip = make('div', { class: 'chart-tip', attributes: { role: 'tooltip' } });
  private series: readonly ChartSeries<R>[] = [];
  private rows: readonly R[] = [];
  private scale: Scale = scaleOf([]);
  private shown: RowsWindow = { first: 0, last: 0 };
  private readonly elements = new Map<number, HTMLElement>();
  private selectedKey: string | undefined;
  private rowHeight: number = heights.wide;

  constructor(private readonly options: ChartOptions<R>) {
    const { id, label } = options;
    this.tip.id = `${id}-tip`;
    this.tip.hidden = true;
    this.list = make(
      'div',
      {
        id: `${id}-rows`,
        class: 'chart-rows',
        attributes: { role: 'listbox', tabindex: '0', 'aria-label': label, 'aria-describedby': this.tip.id },
      },
      this.axis,
      this.body,
    );
    this.element = make('div', { id, class: `chart ${options.kind}` }, this.legend, this.list, this.tip);
    this.list.addEventListener('keydown', (event) => this.onKey(event));
    this.list.addEventListener('click', (event) => this.onClick(event));
    this.list.addEventListener('pointermove', (event) => this.onPointer(event));
    this.list.addEventListener('pointerleave', () => this.hideTip());
    this.list.addEventListener('focus', () => this.onFocus());
    this.list.addEventListener('blur', () => this.hideTip());
    let waiting = false;
    const moved = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => {
        waiting = false;
        this.renderRows(false);
      });
    };
    this.list.addEventListener('scroll', moved, { passive: true });
    new ResizeObserver(() => {
      if (this.fitWidth()) this.renderAll();
      else moved();
    }).observe(this.list);
  }

  setContent(series: readonly ChartSeries<R>[], rows: readonly R[]): void {
    // Another row may lie under the tooltip now, or its figures are new.
    this.hideTip();
    this.series = series;
    this.rows = rows;
    this.scale = scaleOf(figuresOf(series, rows));
    fill(this.legend, ...this.legendItems());
    fill(
      this.axis,
      make('span', { class: 'chart-name' }),
      axisPlot(this.scale),
      make('span', { class: 'chart-value' }, valueTitle(this.drawing)),
    );
    this.fitWidth();
    this.renderAll();
  }

  /** Makes a row the current one and scrolls to it; without `focus` the focus stays where it is. */
  select(key: string | undefined, focus = false): void {
    this.selectedKey = key;
    const index = this.rows.findIndex((row) => this.options.key(row) === key);
    if (index >= 0) this.scrollTo(index);
    this.markSelected();
    if (focus) this.list.focus({ preventScroll: true });
  }

  /** Chooses the layout for the width; true when it changed. */
  private fitWidth(): boolean {
    const width = this.list.clientWidth;
    const narrow = width > 0 && width < narrowWidth;
    const height = narrow ? heights.narrow : heights.wide;
    this.element.classList.toggle('narrow', narrow);
    if (height === this.rowHeight) return false;
    this.rowHeight = height;
    return true;
  }

  private renderAll(): void {
    this.body.style.height = `${this.rows.length * this.rowHeight}px`;
    this.renderRows(true);
  }

  private get drawing(): Drawing<R> {
    const { series, scale } = this;
    return { kind: this.options.kind, series, scale };
  }

  private legendItems(): readonly Child[] {
    const estimated = this.rows.some((row) => this.series.some(({ figure }) => figure(row)?.estimated));
    return [
      ...this.series.map(({ label, title }, index) =>
        make('li', { title }, swatch(this.options.kind, index, false), label),
      ),
      estimated && make('li', { class: 'quiet' }, swatch(this.options.kind, 0, true), say('chart.hollow')),
    ];
  }

  private renderRows(force: boolean): void {
    const count = this.rows.length;
    const { scrollTop, clientHeight } = this.list;
    if (!force && covers(this.shown, count, this.rowHeight, scrollTop, clientHeight)) return;
    const next = rowsWindow(count, this.rowHeight, scrollTop, clientHeight);
    if (force) {
      this.elements.clear();
      this.body.replaceChildren();
    }
    for (const [index, element] of this.elements) {
      if (index >= next.first && index < next.last) continue;
      element.remove();
      this.elements.delete(index);
    }
    for (let index = next.first; index < next.last; index++) {
      const row = this.rows[index];
      if (row === undefined || this.elements.has(index)) continue;
      const element = this.rowElement(row, index);
      this.elements.set(index, element);
      this.body.append(element);
    }
    this.shown = next;
    this.markSelected();
  }

  private rowElement(row: R, index: number): HTMLElement {
    const key = this.options.key(row);
    const element = make(
      'div',
      {
        id: `${this.options.id}-row-${index}`,
        class: 'chart-row',
        attributes: {
          role: 'option',
          'data-key': key,
          'data-index': String(index),
          'aria-label': this.spokenRow(row),
          'aria-setsize': String(this.rows.length),
          'aria-posinset': String(index + 1),
        },
      },
      make('span', { class: 'chart-name' }, ...nameParts(key)),
      rowPlot(this.drawing, row),
      make('span', { class: 'chart-value' }, ...rowValue(this.drawing, row)),
    );
    element.style.top = `${index * this.rowHeight}px`;
    return element;
  }

  private spokenRow(row: R): string {
    const figures = this.series.map(({ label, figure }) => {
      const found = figure(row);
      const basis = found?.estimated ? `, ${say('basis.estimated')}` : '';
      return `${label}: ${decibels(found?.db ?? null)}, ${say(`verdict.${found?.verdict ?? 'unknown'}`)}${basis}`;
    });
    return [this.options.key(row), ...figures].join('; ');
  }

  private markSelected(): void {
    let current: HTMLElement | undefined;
    for (const element of this.elements.values()) {
      const selected = element.dataset.key === this.selectedKey;
      element.setAttribute('aria-selected', String(selected));
      if (selected) current = element;
    }
    if (current) this.list.setAttribute('aria-activedescendant', current.id);
    else this.list.removeAttribute('aria-activedescendant');
  }

  private onKey(event: KeyboardEvent): void {
    const index = this.rows.findIndex((row) => this.options.key(row) === this.selectedKey);
    const page = Math.max(1, Math.floor(this.list.clientHeight / this.rowHeight) - 2);
    const targets: Readonly<Record<string, number>> = {
      ArrowDown: index + 1,
      ArrowUp: index < 0 ? 0 : index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: this.rows.length - 1,
    };
    const target = targets[event.key];
    const row = this.rows[index];
    if (target !== undefined) this.choose(Math.min(Math.max(target, 0), this.rows.length - 1));
    else if (event.key === 'Escape' && !this.tip.hidden) this.hideTip();
    else if ((event.key === 'Enter' || event.key === ' ') && row !== undefined) this.activate(row, index);
    else return;
    event.preventDefault();
  }

  private choose(index: number): void {
    const row = this.rows[index];
    if (row === undefined) return;
    this.selectedKey = this.options.key(row);
    this.scrollTo(index);
    this.markSelected();
    this.options.onSelected?.(row);
    this.showTip(index);
  }

  private scrollTo(index: number): void {
    const axis = this.axis.offsetHeight;
    const top = index * this.rowHeight;
    const { scrollTop, clientHeight } = this.list;
    if (top < scrollTop) this.list.scrollTop = top;
    else if (top + this.rowHeight + axis > scrollTop + clientHeight)
      this.list.scrollTop = top + this.rowHeight + axis - clientHeight;
    this.renderRows(false);
  }

  private onClick(event: Event): void {
    const index = indexOf(event.target);
    const row = index === undefined ? undefined : this.rows[index];
    if (index === undefined || row === undefined) return;
    this.choose(index);
    this.activate(row, index);
  }

  private activate(row: R, index: number): void {
    this.hideTip();
    this.options.onActivate(row, this.elements.get(index) ?? this.list);
  }

  private onFocus(): void {
    const index = this.rows.findIndex((row) => this.options.key(row) === this.selectedKey);
    if (!this.list.matches(':focus-visible')) return;
    this.choose(Math.max(0, index));
  }

  private onPointer(event: PointerEvent): void {
    const index = indexOf(event.target);
    if (index === undefined) this.hideTip();
    else this.showTip(index);
  }

  private showTip(index: number): void {
    const row = this.rows[index];
    const anchor = this.elements.get(index);
    if (row === undefined || !anchor) return;
    const key = this.options.key(row);
    if (!this.tip.hidden && this.tip.dataset.key === key) return;
    const figures = this.series.map(({ label, figure }): readonly [string, Child] => {
      const found = figure(row);
      return [
        label,
        `${decibels(found?.db ?? null, found?.estimated)} ${glyphs[found?.verdict ?? 'unknown']}`,
      ];
    });
    const lines = [...figures, ...(this.options.details?.(row) ?? [])];
    this.tip.dataset.key = key;
    fill(
      this.tip,
      make('strong', {}, key),
      make('dl', {}, ...lines.flatMap(([label, value]) => [make('dt', {}, label), make('dd', {}, value)])),
    );
    this.tip.hidden = false;
    const at = anchor.getBoundingClientRect();
    const { width, height } = this.tip.getBoundingClientRect();
    const below = at.bottom + 4 + height <= window.innerHeight;
    this.tip.style.top = `${Math.max(4, below ? at.bottom + 4 : at.top - height - 4)}px`;
    this.tip.style.left = `${Math.max(4, Math.min(at.left + 140, window.innerWidth - width - 8))}px`;
  }

  private hideTip(): void {
    this.tip.hidden = true;
  }
}

function indexOf(target: EventTarget | null): number | undefined {
  const row = target instanceof Element ? target.closest<HTMLElement>('.chart-row') : null;
  return row ? Number(row.dataset.index) : undefined;
}

function* figuresOf<R>(
  series: readonly ChartSeries<R>[],
  rows: readonly R[],
): Iterable<number | null | undefined> {
  for (const { figure } of series) for (const row of rows) yield figure(row)?.db;
}
