/** The layers as a chart: the error of chosen columns per layer, what is estimated hollow, what is measured solid. */
import type { LayerRow, ModelView } from '../../../server/src/protocol/views';
import { LayerChart } from '../shared/chart';
import type { ChartSeries } from '../shared/chart-row';
import { fill, make } from '../shared/dom';
import { verdictOf } from '../shared/figures';
import { say } from '../shared/rpc';
import { sortRows } from '../shared/sort';
import { cellFinder, columnId, type ErrorColumn } from './error-columns';

/** More marks in a row than shapes to tell them apart would be noise. */
const mostSeries = 6;

export interface ChartChoice {
  /** Ids of the columns that are shown; undefined = a choice that suits what is known. */
  readonly series?: readonly string[];
  readonly worstFirst: boolean;
}

export interface SensitivityOptions {
  readonly onChoice: (choice: ChartChoice) => void;
  readonly onActivate: (row: LayerRow, anchor: HTMLElement) => void;
  readonly onSelected: (row: LayerRow) => void;
}

export class SensitivityChart {
  readonly element: HTMLElement;
  private readonly columns = make('fieldset', { id: 'chart-columns' });
  private readonly empty = make('p', { class: 'quiet' }, say('chartEmpty'));
  private readonly order = make(
    'select',
    { id: 'chart-order', attributes: { 'aria-label': say('order') } },
    ...(['graph', 'worst'] as const).map((value) =>
      make('option', { attributes: { value } }, say(`chart.order.${value}`)),
    ),
  );
  private readonly chart: LayerChart<LayerRow>;
  private view: ModelView | undefined;
  private rows: readonly LayerRow[] = [];

  constructor(
    private choice: ChartChoice,
    private readonly options: SensitivityOptions,
  ) {
    this.chart = new LayerChart<LayerRow>({
      id: 'sensitivity',
      label: say('chartLabel'),
      kind: 'marks',
      key: ({ name }) => name,
      onActivate: (row, anchor) => options.onActivate(row, anchor),
      onSelected: (row) => options.onSelected(row),
    });
    this.order.value = choice.worstFirst ? 'worst' : 'graph';
    this.order.addEventListener('change', () => this.choose({ worstFirst: this.order.value === 'worst' }));
    this.element = make(
      'div',
      { id: 'chart-view' },
      make('div', { id: 'chart-head' }, this.columns, make('label', {}, say('order'), ' ', this.order)),
      this.empty,
      this.chart.element,
    );
  }

  setContent(view: ModelView, rows: readonly LayerRow[]): void {
    this.view = view;
    this.rows = rows;
    this.render();
  }

  select(name: string | undefined, focus = false): void {
    this.chart.select(name, focus);
  }

  private render(): void {
    const { view } = this;
    if (!view) return;
    const chosen = this.chosen(view);
    const focused = document.activeElement?.id;
    fill(
      this.columns,
      make('legend', {}, say('chartColumns')),
      ...view.columns.map((one) => this.box(one, chosen)),
    );
    if (focused?.startsWith('series-'))
      document.querySelector<HTMLElement>(`#${CSS.escape(focused)}`)?.focus();
    this.empty.hidden = chosen.length > 0;
    this.chart.element.hidden = chosen.length === 0;
    this.chart.setContent(chosen.map(series), this.ordered(chosen));
  }

  /** The columns to show, in their own order. */
  private chosen(view: ModelView): readonly ErrorColumn[] {
    const wanted = this.choice.series;
    if (wanted) return view.columns.filter((one) => wanted.includes(columnId(one))).slice(0, mostSeries);
    const measured = view.columns.filter(({ effect }) => effect !== 'weight');
    const weights = view.columns.filter(({ effect }) => effect === 'weight');
    return (measured.length > 0 ? measured : weights).slice(0, 3);
  }

  /** By the worst of the figures shown. */
  private ordered(columns: readonly ErrorColumn[]): readonly LayerRow[] {
    if (!this.choice.worstFirst) return this.rows;
    const finders = columns.map(cellFinder);
    const worst = (row: LayerRow) => {
      const known = finders.map((find) => find(row)?.db).filter((db) => db !== null && db !== undefined);
      return known.length > 0 ? Math.min(...known) : null;
    };
    return sortRows(this.rows, worst, false);
  }

  private box(column: ErrorColumn, chosen: readonly ErrorColumn[]): HTMLElement {
    const id = columnId(column);
    const input = make('input', { id: `series-${id}`, attributes: { type: 'checkbox' } });
    input.checked = chosen.includes(column);
    input.disabled = !input.checked && chosen.length >= mostSeries;
    input.addEventListener('change', () => {
      const others = chosen.map(columnId).filter((one) => one !== id);
      this.choose({ series: input.checked ? [...others, id] : others });
    });
    return make('label', { title: say(`effect.${column.effect}`, column.format) }, input, column.label);
  }

  private choose(part: Partial<ChartChoice>): void {
    this.choice = { ...this.choice, ...part };
    this.options.onChoice(this.choice);
    this.render();
  }
}

function series(column: ErrorColumn): ChartSeries<LayerRow> {
  const find = cellFinder(column);
  return {
    label: column.label,
    title: say(`effect.${column.effect}`, column.format),
    figure: (row) => {
      const cell = find(row);
      return cell && { db: cell.db, verdict: verdictOf(cell.db), estimated: cell.basis === 'estimated' };
    },
  };
}
