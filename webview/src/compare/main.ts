/**
 * The compare view: float against quantized, layer by layer. A chart and its table twin, one layer close up. Shows the
 * last view it got and sends what the user did.
 */
import type { CompareTarget, FromComparePanel, ToComparePanel } from '../../../server/src/protocol/panel';
import type { FixKind } from '../../../server/src/protocol/reports';
import { type CompareView, verdictScale } from '../../../server/src/protocol/views';
import { findingsList } from '../model/findings';
import { LayerChart } from '../shared/chart';
import { copyMenu, copyTable } from '../shared/copy-menu';
import type { DataValues } from '../shared/data-values';
import { fill, make, renew } from '../shared/dom';
import { layersCounted, verdictOf } from '../shared/figures';
import { Notice } from '../shared/notice';
import { connect, say } from '../shared/rpc';
import { type SortOrder, sortRows } from '../shared/sort';
import { Table } from '../shared/table';
import { registerComponents } from '../shared/toolkit';
import {
  type CompareRow,
  compareColumns,
  metricsOf,
  metricText,
  openRowMenu,
  type RowAction,
} from './columns';
import { DataForm } from './data-form';
import { DetailPane, type DetailState } from './detail';
import { banners, LiveProgress, toolbar, topFacts } from './top';

type ChartOrder = 'graph' | 'cumulative' | 'local';

interface State {
  readonly target?: CompareTarget;
  readonly order: ChartOrder;
  readonly tableOrder?: SortOrder;
  readonly filter: string;
  readonly selected?: string;
  readonly allFindings: boolean;
  /** Fields on data as they are typed, while they are open. */
  readonly draft?: DataValues;
}

registerComponents();
const host = connect<FromComparePanel, ToComparePanel, State>();
let state: State = { order: 'graph', filter: '', allFindings: false, ...host.recall() };
let view: CompareView | undefined;
let detail: DetailState | undefined;

const plan = (kind: FixKind, label: string): RowAction => ({
  label,
  run: ({ name }) => host.post({ type: 'recipe', actions: [{ kind, layer: name }] }),
});
const actions: readonly RowAction[] = [
  { label: say('reveal'), run: ({ name }) => host.post({ type: 'reveal', layer: name }) },
  plan('keep-float', say('fix.keep-float')),
  plan('quantize-int8', say('fix.quantize-int8')),
  plan('per-channel-weights', say('fix.per-channel-weights')),
];

const top = make('div', { id: 'top' });
const live = new LiveProgress(host.post);
const dataForm = new DataForm({
  onPick: (kind) => host.post({ type: 'pick-data', kind }),
  onCompare: (data) => host.post({ type: 'compare-on', data }),
  onDraft: (draft) => {
    remember({ draft });
    document.querySelector('#choose-data')?.setAttribute('aria-expanded', String(draft !== undefined));
  },
});
const notes = make('div', { id: 'notes' });
const findings = make('section', { id: 'findings', attributes: { 'aria-label': say('findings') } });
const count = make('span', { class: 'quiet', id: 'layer-count', attributes: { role: 'status' } });
const filter = make('input', {
  id: 'filter',
  attributes: { type: 'search', placeholder: say('filterCompare'), 'aria-label': say('filterCompare') },
});
const order = make(
  'select',
  { id: 'order', attributes: { 'aria-label': say('order') } },
  ...(['graph', 'cumulative', 'local'] as const).map((value) =>
    make('option', { attributes: { value } }, say(`order.${value}`)),
  ),
);
const chart = new LayerChart<CompareRow>({
  id: 'bars',
  label: say('chartLabel'),
  kind: 'bars',
  key: ({ name }) => name,
  details: (row) => {
    const metrics = metricsOf(row);
    if (!metrics) return [];
    return (['mse', 'cosine', 'normRatio', 'meanShift'] as const).map((metric) => [
      say(`metric.${metric}`),
      metricText(metric, metrics[metric]),
    ]);
  },
  onActivate: (row) => openDetail(row.name),
});
const pane = new DetailPane(host.post, actions);
const notices = new Notice();
const table = new Table<CompareRow>(
  {
    id: 'layers',
    label: say('tableLabel'),
    key: ({ name }) => name,
    onActivate: (row, element) => openRowMenu(row, element, actions),
    onSorted: (tableOrder) => remember({ tableOrder }),
    onCopy: () => {
      notices.say(copyTable(table, 'csv', host.post));
    },
    onFocused: ({ name }) => chart.select(name),
  },
  state.tableOrder,
);
const overviewHead = make(
  'div',
  { id: 'overview-head', class: 'table-head' },
  make('h2', {}, say('layers')),
  make('label', {}, say('order'), ' ', order),
  filter,
  count,
  make(
    'span',
    { class: 'quiet', id: 'legend' },
    say('legend', verdictScale.goodFrom, verdictScale.watchFrom),
  ),
);
const overview = make('div', { id: 'overview' }, chart.element, pane.element);
const tableHead = make(
  'div',
  { id: 'table-head', class: 'table-head' },
  make('h2', {}, say('asTable')),
  copyMenu(table, host.post, notices),
);

order.value = state.order;
order.addEventListener('change', () => {
  remember({ order: order.value as ChartOrder });
  renderLayers();
});
filter.value = state.filter;
filter.addEventListener('input', () => {
  remember({ filter: filter.value });
  renderLayers();
});
document
  .querySelector('#app')
  ?.append(
    top,
    dataForm.element,
    live.element,
    notes,
    findings,
    overviewHead,
    overview,
    tableHead,
    table.element,
  );
if (state.draft) dataForm.open(state.draft);
host.listen(receive);
render();
host.post({ type: 'ready' });

function receive(message: ToComparePanel): void {
  switch (message.type) {
    case 'target':
      // Other data or another pair: what is known of the layer is no longer about it.
      if (JSON.stringify(message.target) !== JSON.stringify(state.target)) detail = undefined;
      remember({ target: message.target });
      return;
    case 'picked':
      dataForm.setSource(message.source);
      return;
    case 'view': {
      const began = view === undefined || (view.state === 'running' && message.view.state !== 'running');
      view = message.view;
      render();
      // A page that came back asks for the layer that was open.
      if (began && state.selected !== undefined && !detail && view.layers.length > 0)
        openDetail(state.selected);
      return;
    }
    case 'progress':
      live.progress(message.progress);
      return;
    case 'detail':
      if (message.layer !== state.selected) return;
      detail = { view: message.view, complete: message.complete };
      renderDetail();
      return;
    default:
      message satisfies never;
  }
}

function render(): void {
  const isRunning = view === undefined || view.state === 'running';
  live.show(isRunning);
  dataForm.setState(isRunning, view?.state === 'failed');
  if (!view) {
    fill(top, make('p', { class: 'quiet', attributes: { role: 'status' } }, say('comparing')));
  } else {
    const focused = document.activeElement?.id;
    renew(top, ...topFacts(view, host.post), toolbar(view, dataForm.isOpen, chooseData, host.post));
    if (focused && document.activeElement?.id !== focused)
      document.querySelector<HTMLElement>(`#top #${CSS.escape(focused)}`)?.focus();
    renew(notes, ...banners(view, host.post));
    renderFindings(view);
  }
  renderLayers();
}

function chooseData(): void {
  dataForm.toggle(state.target);
}

function renderFindings(shown: CompareView): void {
  findings.hidden = shown.findings.length === 0;
  if (findings.hidden) return;
  renew(
    findings,
    ...findingsList({ name: shown.floatName, findings: shown.findings }, state.allFindings, {
      post: host.post,
      isLayer: (name) => shown.layers.some((row) => row.name === name),
      reveal: (layer) => {
        openDetail(layer);
        chart.select(layer, true);
      },
      showAll: () => {
        remember({ allFindings: !state.allFindings });
        render();
      },
    }),
  );
}

function renderLayers(): void {
  const all = view?.layers ?? [];
  const wanted = state.filter.trim().toLowerCase();
  const rows = wanted === '' ? all : all.filter((row) => matches(row, wanted));
  for (const part of [overviewHead, overview, tableHead, table.element]) part.hidden = all.length === 0;
  if (all.length === 0) return;
  const counted = layersCounted(rows.length, all.length);
  if (count.textContent !== counted) count.textContent = counted;
  chart.setContent(
    (['local', 'cumulative'] as const).map((kind) => ({
      label: say(`column.${kind}`),
      title: say(`columnTitle.${kind}`),
      figure: (row: CompareRow) => ({ db: row[kind], verdict: verdictOf(row[kind]), estimated: false }),
    })),
    ordered(rows),
  );
  chart.select(state.selected);
  table.setContent(compareColumns(all, actions), rows);
  renderDetail();
}

function ordered(rows: readonly CompareRow[]): readonly CompareRow[] {
  const by = state.order;
  return by === 'graph' ? rows : sortRows(rows, (row) => row[by], false);
}

function renderDetail(): void {
  pane.show(
    view?.layers.find(({ name }) => name === state.selected),
    detail,
  );
}

function openDetail(layer: string): void {
  remember({ selected: layer });
  detail = undefined;
  renderDetail();
  chart.select(layer);
  host.post({ type: 'detail', layer });
}

function matches({ name, op, findings: codes }: CompareRow, wanted: string): boolean {
  return [name, op, ...codes].some((text) => text.toLowerCase().includes(wanted));
}

function remember(part: Partial<State>): void {
  state = { ...state, ...part };
  host.remember(state);
}
