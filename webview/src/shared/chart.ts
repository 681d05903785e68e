/**
 * A chart of layers: one row each, error figures as bars or marks on a scale in dB with the lines of the verdicts. A list
 * box for keyboard and screen readers; only rows near the screen have elements, so 1,700 layers scroll smoothly.
 */
import { type Verdict, verdictScale } from '../../../server/src/protocol/views';
import { type MarkShape, mark, markShapes, percentOf, type Scale, scaleOf, svg } from './chart-marks';
import { type Child, fill, make } from './dom';
import { decibels, glyphs } from './figures';
import { covers, type RowsWindow, rowsWindow } from './rows-window';
import { say } from './rpc';

export interface ChartFigure {
  readonly db: number | null;
  readonly verdict: Verdict;
  readonly estimated: boolean;
}

export interface ChartSeries<R> {
  readonly label: string;
  readonly title?: string;
  readonly figure: (row: R) => ChartFigure | undefined;
}

export interface ChartOptions<R> {
  readonly id: string;
  readonly label: string;
  /** Bars suit two figures that belong together, marks any number. */
  readonly kind: 'bars' | 'marks';
  readonly key: (row: R) => string;
  /** Further lines of the tooltip. */
  readonly details?: (row: R) => readonly (readonly [label: string, value: string])[];
  /** Click, Enter or Space. */
  readonly onActivate: (row: R, element: HTMLElement) => void;
  /** Another row became the current one. */
  readonly onSelected?: (row: R) => void;
}

/** Heights of a row in pixels, name beside or above its figures; the style sheet says the same. */
const heights = { wide: 26, narrow: 46 } as const;

/** Below this width names stand above. */
const narrowWidth = 460;

const plotHeight = heights.wide;

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
    this.series = series;
    this.rows = rows;
    this.scale = scaleOf(figuresOf(series, rows));
    fill(this.legend, ...this.legendItems());
    fill(
      this.axis,
      make('span', { class: 'chart-name' }),
      this.axisPlot(),
      make('span', { class: 'chart-value' }, this.valueTitle()),
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

  private legendItems(): readonly Child[] {
    const swatch = (index: number, hollow: boolean) =>
      svg(
        'svg',
        {
          class: `chart-swatch series-${index}`,
          viewBox: '-8 -8 16 16',
          width: 16,
          height: 16,
          'aria-hidden': 'true',
        },
        this.options.kind === 'bars'
          ? svg('rect', { x: -8, y: -4, width: 16, height: 8, class: `bar-${index}` })
          : mark(shapeOf(index), '0', 0, hollow),
      );
    const estimated = this.rows.some((row) => this.series.some(({ figure }) => figure(row)?.estimated));
    return [
      ...this.series.map(({ label, title }, index) => make('li', { title }, swatch(index, false), label)),
      estimated && make('li', { class: 'quiet' }, swatch(0, true), say('chart.hollow')),
    ];
  }

  private axisPlot(): SVGElement {
    const { ticks } = this.scale;
    return svg(
      'svg',
      { class: 'chart-plot', height: 20 },
      ...ticks.map((tick, index) => {
        const last = index === ticks.length - 1;
        const anchor = index === 0 ? 'start' : last ? 'end' : 'middle';
        const sign =
          tick === verdictScale.goodFrom
            ? ` ${glyphs.good}`
            : tick === verdictScale.watchFrom
              ? ` ${glyphs.watch}`
              : '';
        // Where there is no room only the verdicts' lines and the ends are labelled.
        const minor = sign === '' && index > 0 && !last;
        const text = last ? `${tick} dB` : `${tick}${sign}`;
        const x = percentOf(this.scale, tick);
        return svg('text', { x, y: 14, 'text-anchor': anchor, class: minor ? 'minor' : 'major' }, text);
      }),
    );
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
      this.plot(row),
      make('span', { class: 'chart-value' }, ...this.value(row)),
    );
    element.style.top = `${index * this.rowHeight}px`;
    return element;
  }

  /** Lines of the verdicts behind, then the figures. */
  private plot(row: R): SVGElement {
    const line = (db: number, name: string) => {
      const x = percentOf(this.scale, db);
      return svg('line', { x1: x, x2: x, y1: 0, y2: plotHeight, class: `threshold ${name}` });
    };
    const origin = percentOf(this.scale, 0);
    return svg(
      'svg',
      { class: 'chart-plot', height: plotHeight, 'aria-hidden': 'true' },
      svg('line', { x1: origin, x2: origin, y1: 0, y2: plotHeight, class: 'origin' }),
      line(verdictScale.watchFrom, 'watch'),
      line(verdictScale.goodFrom, 'good'),
      ...this.series.flatMap(({ figure }, index) => {
        const found = figure(row);
        if (!found || found.db === null) return [];
        return this.options.kind === 'bars'
          ? this.bar(found, found.db, index)
          : this.dot(found, found.db, index);
      }),
    );
  }

  private bar({ verdict }: ChartFigure, db: number, index: number): readonly SVGElement[] {
    const ends = [percentOf(this.scale, 0), percentOf(this.scale, db)].map(Number.parseFloat);
    const [start = 0, end = 0] = ends;
    const y = this.series.length === 1 ? 8 : index === 0 ? 4 : 14;
    const bar = svg('rect', {
      x: `${Math.min(start, end)}%`,
      width: `${Math.abs(end - start)}%`,
      y,
      height: 8,
      class: `bar-${index} ${verdict}`,
    });
    return [bar];
  }

  private dot({ estimated }: ChartFigure, db: number, index: number): readonly SVGElement[] {
    const made = mark(shapeOf(index), percentOf(this.scale, db), plotHeight / 2, estimated);
    made.classList.add(`series-${index}`);
    return [made];
  }

  /** Of bars the last series' figure, of marks the lowest one, with its sign. */
  private value(row: R): readonly Child[] {
    const figures = this.series.map(({ figure }) => figure(row)).filter((one) => one !== undefined);
    const known = figures.filter(({ db }) => db !== null);
    const lowest = known.reduce<ChartFigure | undefined>(
      (best, one) => (best === undefined || (one.db ?? 0) < (best.db ?? 0) ? one : best),
      undefined,
    );
    const found = this.options.kind === 'bars' ? this.series.at(-1)?.figure(row) : lowest;
    if (!found) return ['–'];
    return [
      make('span', { class: 'number' }, decibels(found.db, found.estimated)),
      make('span', { class: `glyph ${found.verdict}` }, glyphs[found.verdict]),
    ];
  }

  /** What the figures on the right are. */
  private valueTitle(): string {
    const isLast = this.options.kind === 'bars' || this.series.length === 1;
    return isLast ? (this.series.at(-1)?.label ?? '') : say('chart.lowest');
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

/** A long name loses its middle, never its end: that is what tells layers apart. */
export function nameParts(name: string): readonly Child[] {
  const tail = 12;
  if (name.length <= tail + 6) return [make('b', { class: 'head', title: name }, name)];
  return [
    make('b', { class: 'head', title: name }, name.slice(0, -tail)),
    make('b', { class: 'tail', title: name }, name.slice(-tail)),
  ];
}

function shapeOf(index: number): MarkShape {
  return markShapes[index % markShapes.length] ?? 'circle';
}

function* figuresOf<R>(
  series: readonly ChartSeries<R>[],
  rows: readonly R[],
): Iterable<number | null | undefined> {
  for (const { figure } of series) for (const row of rows) yield figure(row)?.db;
}

function indexOf(target: EventTarget | null): number | undefined {
  const row = target instanceof Element ? target.closest<HTMLElement>('.chart-row') : null;
  return row ? Number(row.dataset.index) : undefined;
}
