/** One layer close up: its figures, what a recipe can make of it, distributions before and after, worst channels. */
import type { FromComparePanel } from '../../../server/src/protocol/panel';
import type { LayerDetail } from '../../../server/src/protocol/reports';
import type { LayerDetailView } from '../../../server/src/protocol/views';
import { copyMenu, copyTable } from '../shared/copy-menu';
import { type Child, fill, make } from '../shared/dom';
import { figure, judged, verdictOf } from '../shared/figures';
import { histogramFigure, number } from '../shared/histogram';
import { say } from '../shared/rpc';
import { type Column, Table } from '../shared/table';
import { progressRing } from '../shared/toolkit';
import { type CompareRow, metricsOf, metricText, type RowAction } from './columns';

type Channel = LayerDetail['channels'][number];

/** So many are shown before *Show all*. */
const channelsAtFirst = 8;

export interface DetailState {
  readonly view: LayerDetailView;
  readonly complete: boolean;
}

export class DetailPane {
  private allChannels = false;
  readonly element = make('section', { id: 'detail', attributes: { 'aria-label': say('detail') } });
  private readonly channels: Table<Channel>;
  private shown: { row: CompareRow | undefined; detail: DetailState | undefined } = {
    row: undefined,
    detail: undefined,
  };

  constructor(
    private readonly post: (message: FromComparePanel) => void,
    private readonly actions: readonly RowAction[],
  ) {
    this.channels = new Table<Channel>({
      id: 'channels',
      label: say('worstChannels'),
      key: ({ channel }) => String(channel),
      onActivate: () => undefined,
      onSorted: () => undefined,
      onCopy: () => void copyTable(this.channels, 'csv', post),
    });
  }

  /** Without a row a hint; without a detail, that it is on its way. */
  show(row: CompareRow | undefined, detail: DetailState | undefined): void {
    const { shown } = this;
    const isEmpty = this.element.childElementCount === 0;
    // Figures that stream in must not rebuild pictures that stay the same.
    if (!isEmpty && shown.detail === detail && same(shown.row, row)) return;
    this.shown = { row, detail };
    if (!row) {
      fill(this.element, make('p', { class: 'quiet hint' }, say('chooseLayer')));
      return;
    }
    fill(this.element, ...this.head(row), ...(detail ? this.body(detail) : [waiting(say('readingWeight'))]));
  }

  private head(row: CompareRow): readonly Child[] {
    const pair = (label: string, title: string, ...value: readonly Child[]) =>
      make('div', { class: 'fact', title }, make('dt', {}, label), make('dd', {}, ...value));
    const metrics = metricsOf(row);
    return [
      make('h2', { class: 'wrap' }, row.name, ' ', make('span', { class: 'quiet' }, row.op)),
      make(
        'dl',
        { class: 'facts' },
        pair(say('column.local'), say('columnTitle.local'), judged(row.local)),
        pair(say('column.cumulative'), say('columnTitle.cumulative'), judged(row.cumulative)),
        ...(['mse', 'cosine', 'normRatio', 'meanShift'] as const).map(
          (metric) =>
            metrics &&
            pair(say(`metric.${metric}`), say(`metricTitle.${metric}`), metricText(metric, metrics[metric])),
        ),
      ),
      make(
        'div',
        { class: 'actions', attributes: { role: 'toolbar', 'aria-label': say('actionsOn', row.name) } },
        ...this.actions.map(({ label, run }) =>
          make(
            'button',
            { class: 'small-button', attributes: { type: 'button' }, onClick: () => run(row) },
            label,
          ),
        ),
      ),
    ];
  }

  private body({ view, complete }: DetailState): readonly Child[] {
    const { detail, problems } = view;
    const figureOf = (kind: 'weight' | 'output') => {
      const histogram = detail?.[kind];
      const options = { id: `histogram-${kind}`, label: say(`histogram.${kind}`), post: this.post };
      return histogram && histogramFigure(histogram, options);
    };
    const all = detail?.channels ?? [];
    const shown = this.allChannels ? all : all.slice(0, channelsAtFirst);
    this.channels.setContent(channelColumns(all), shown);
    const hasChannels = all.length > 0;
    const more = make(
      'button',
      {
        class: 'link',
        id: 'all-channels',
        attributes: { type: 'button' },
        onClick: () => {
          this.allChannels = true;
          this.channels.setContent(channelColumns(all), all);
          more.remove();
          this.channels.reveal(String(all[channelsAtFirst]?.channel));
        },
      },
      say('allChannels', all.length),
    );
    return [
      detail && legend(),
      figureOf('weight'),
      figureOf('output'),
      !complete && waiting(say('measuringOutput')),
      ...(complete ? problems : []).map((text) =>
        make('div', { class: 'banner warning', attributes: { role: 'alert' } }, text),
      ),
      hasChannels &&
        make(
          'div',
          { class: 'table-head' },
          make('h3', {}, say('worstChannels')),
          copyMenu(this.channels, this.post),
        ),
      hasChannels && this.channels.element,
      shown.length < all.length && more,
    ];
  }
}

function same(one: CompareRow | undefined, other: CompareRow | undefined): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function legend(): HTMLElement {
  return make(
    'ul',
    { class: 'chart-legend' },
    make('li', {}, make('span', { class: 'swatch before' }), say('histogram.float')),
    make('li', {}, make('span', { class: 'swatch after' }), say('histogram.quantized')),
  );
}

function waiting(text: string): HTMLElement {
  return make(
    'div',
    { class: 'banner', attributes: { role: 'status' } },
    progressRing(),
    make('span', {}, text),
  );
}

function channelColumns(channels: readonly Channel[]): readonly Column<Channel>[] {
  const sqnr = (id: 'weightSqnr' | 'outputSqnr'): Column<Channel> => ({
    id,
    label: say(`channel.${id}`),
    class: 'figure-column number-column',
    sortValue: (channel) => channel[id],
    render: (channel) => {
      const db = channel[id] ?? null;
      return figure(
        { db, verdict: verdictOf(db) },
        db === null ? say('undefinedFigure') : say(`channel.${id}`),
      );
    },
    copy: [{ label: `${say(`channel.${id}`)} (dB)`, value: (channel) => channel[id] }],
  });
  return [
    {
      id: 'channel',
      label: say('channel.index'),
      sortValue: ({ channel }) => channel,
      render: ({ channel }) => [String(channel)],
    },
    sqnr('weightSqnr'),
    ...(channels.some(({ outputSqnr }) => outputSqnr !== undefined) ? [sqnr('outputSqnr')] : []),
    {
      id: 'range',
      label: say('channel.range'),
      class: 'number-column',
      sortValue: ({ floatRange: [min, max] }) => max - min,
      descendingFirst: true,
      render: ({ floatRange: [min, max] }) => [`${number(min)} … ${number(max)}`],
      copy: [
        { label: say('channel.minimum'), value: ({ floatRange }) => floatRange[0] },
        { label: say('channel.maximum'), value: ({ floatRange }) => floatRange[1] },
      ],
    },
  ];
}
