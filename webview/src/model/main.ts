/** The page of a model: facts, findings and the layer table. Shows the last view it got and sends what the user did. */
import type { FromModelPanel, RunNotice, ToModelPanel } from '../../../server/src/protocol/panel';
import { type LayerRow, type ModelView, verdictScale } from '../../../server/src/protocol/views';
import { Announcer } from '../shared/announcer';
import { copyMenu, copyTable } from '../shared/copy-menu';
import { fill, make, renew } from '../shared/dom';
import { layersCounted } from '../shared/figures';
import { Notice } from '../shared/notice';
import { connect, say } from '../shared/rpc';
import type { SortOrder } from '../shared/sort';
import { Table } from '../shared/table';
import { registerComponents } from '../shared/toolkit';
import { ColumnMenu } from './column-menu';
import { columnId } from './error-columns';
import { findingsList } from './findings';
import type { ChosenColumns } from './fit-columns';
import { headlines } from './headlines';
import { layerColumns, openLayerMenu, whyNoMenu } from './layers';
import { type ChartChoice, SensitivityChart } from './sensitivity';
import { banners, isQuantizedMostly, runLine, toolbar, topFacts } from './top';
import { WhatIfBlock } from './what-if';
import type { Choice } from './what-if-choice';

type Shown = 'table' | 'chart';

interface State {
  readonly order?: SortOrder;
  readonly filter: string;
  readonly allFindings: boolean;
  readonly shown: Shown;
  readonly chart: ChartChoice;
  /** Columns that the reader showed or hid; others follow the window's width. */
  readonly columns?: ChosenColumns;
  /** What the block was last set to. */
  readonly whatIf?: Choice;
  /** Layer last looked at, in the table or in the chart. */
  readonly selected?: string;
}

registerComponents();
const host = connect<FromModelPanel, ToModelPanel, State>();
let state: State = {
  filter: '',
  allFindings: false,
  shown: 'table',
  chart: { worstFirst: false },
  ...host.recall(),
};
let view: ModelView | undefined;
let notice: string | null = null;
let run: RunNotice | undefined;
/** Model whose findings are listed now. */
let shownFindings: string | undefined;

const top = make('div', { id: 'top' });
const runState = make('div', { id: 'run-state' });
const announcer = new Announcer();
const findings = make('section', { id: 'findings', attributes: { 'aria-label': say('findings') } });
const count = make('span', { class: 'quiet', id: 'layer-count', attributes: { role: 'status' } });
const filter = make('input', {
  id: 'filter',
  attributes: { type: 'search', placeholder: say('filter'), 'aria-label': say('filter') },
});
const switches = (['table', 'chart'] as const).map((shown) =>
  make(
    'button',
    {
      id: `show-${shown}`,
      class: 'small-button',
      attributes: { type: 'button' },
      onClick: () => show(shown),
    },
    say(`show.${shown}`),
  ),
);
const switchGroup = make(
  'span',
  { class: 'switch', attributes: { role: 'group', 'aria-label': say('showAs') } },
  ...switches,
);
const legend = make(
  'span',
  { class: 'quiet', id: 'legend' },
  say('legend', verdictScale.goodFrom, verdictScale.watchFrom),
);
const layersHead = make(
  'div',
  { id: 'layers-head' },
  make('h2', {}, say('layers')),
  switchGroup,
  filter,
  count,
);
const notices = new Notice();
const table = new Table<LayerRow>(
  {
    id: 'layers',
    label: say('layers'),
    key: ({ name }) => name,
    onActivate: (layer, element) => openMenuOf(layer, element),
    onMenu: (layer, element) => openMenuOf(layer, element),
    onSorted: (order) => remember({ order }),
    onFocused: ({ name }) => remember({ selected: name }),
    onCopy: () => {
      notices.say(copyTable(table, 'csv', host.post));
    },
  },
  state.order,
);
const columnMenu = new ColumnMenu(state.columns ?? {}, (columns) => {
  remember({ columns });
  renderLayers();
});
layersHead.append(columnMenu.element, copyMenu(table, host.post, notices), legend);
const headlineActions = { reveal: revealLayer, calibrate: () => host.post({ type: 'calibrate' }) };
const chart = new SensitivityChart(state.chart, {
  onChoice: (choice) => remember({ chart: choice }),
  onActivate: (layer, element) => openMenuOf(layer, element),
  onSelected: ({ name }) => remember({ selected: name }),
});

const whatIf = new WhatIfBlock(state.whatIf, {
  post: host.post,
  onChoice: (choice) => remember({ whatIf: choice }),
  onClosed: (layer) => {
    if (!chart.element.hidden) chart.select(layer, true);
    else table.reveal(layer);
  },
});

/** Where a reader of the layers points or types. */
const layerParts = [layersHead, table.element, chart.element];

filter.value = state.filter;
filter.addEventListener('input', () => {
  remember({ filter: filter.value });
  renderLayers();
});
document
  .querySelector('#app')
  ?.append(
    announcer.element,
    top,
    runState,
    findings,
    layersHead,
    table.element,
    chart.element,
    whatIf.element,
  );
host.listen((message) => {
  if (message.type === 'view') {
    const before = view;
    view = message.view;
    whatIf.update(view);
    announceAnalysis(view);
    render();
    renderRun();
    revealNewColumn(before, view);
    return;
  } else if (message.type === 'run') {
    const wasRunning = isRunning();
    run = message.notice;
    announce(run);
    renderRun();
    // Findings that waited for the end of the run.
    if (wasRunning && !isRunning()) render();
    return;
  } else if (message.type === 'busy') notice = message.text;
  else {
    whatIf.receive(message.id, message.answer);
    return;
  }
  render();
});
let renderedWidth = window.innerWidth;
new ResizeObserver(() => {
  if (window.innerWidth === renderedWidth) return;
  renderedWidth = window.innerWidth;
  if (view && !table.element.hidden) renderLayers();
}).observe(document.documentElement);
render();
keepPlace();
host.post({ type: 'ready' });

function render(): void {
  renew(
    top,
    ...(view
      ? [make('h1', {}, view.name), headlines(view, headlineActions)]
      : [make('p', { class: 'quiet', attributes: { role: 'status' } }, say('opening'))]),
    view && toolbar(view, host.post, (reason) => notices.say(reason)),
    view && topFacts(view),
    ...banners(run?.state === 'running' ? withoutProgress(view) : view, notice, host.post),
  );
  renderFindings();
  renderLayers();
}

/** While figures arrive the list stays as it is: findings that come and go would push the table under the reader. */
function renderFindings(): void {
  if (isRunning() && shownFindings === view?.uri) return;
  shownFindings = view?.uri;
  findings.hidden = !view || view.findings.length === 0;
  if (view) {
    const names = new Set(view.layers.map(({ name }) => name));
    const showAll = () => {
      remember({ allFindings: !state.allFindings });
      shownFindings = undefined;
      renderFindings();
    };
    renew(
      findings,
      ...findingsList(view, state.allFindings, {
        post: host.post,
        isLayer: (name) => names.has(name),
        reveal: revealLayer,
        showAll,
      }),
    );
  }
}

function renderRun(): void {
  fill(runState, runLine(run, view));
}

/** The analysis of the weights, which nobody started by hand, and runs that this window did not see begin. */
function announceAnalysis({ state: analysis }: ModelView): void {
  if (run?.state === 'running') return;
  if (analysis === 'weights-running' || analysis === 'measuring') announcer.begin();
  else announcer.end(say('said.ended'));
}

/** How it was cancelled or why it failed is said by the line itself. */
function announce(told: RunNotice): void {
  if (told.state === 'running') {
    if (told.progress) announcer.progress(told.progress);
    else announcer.begin();
  } else announcer.end(told.state === 'idle' ? say('said.ended') : '');
}

function isRunning(): boolean {
  return run?.state === 'running' || view?.state === 'measuring';
}

/** The line of the run tells more than the banner on running measurements. */
function withoutProgress(shown: ModelView | undefined): ModelView | undefined {
  return shown?.state === 'measuring' ? { ...shown, state: 'weights' } : shown;
}

/**
 * What changes above the rows moves nothing that the reader has scrolled to, or is at work in. Sizes are looked at when they
 * are final, before they are painted: what components make of their content comes after this page made it.
 */
function keepPlace(): void {
  const head = () => (table.element.hidden ? 0 : table.headHeight);
  const placed = () => layersHead.getBoundingClientRect().bottom + window.scrollY + head();
  let before = placed();
  let scrolledTo = window.scrollY;
  const observer = new ResizeObserver(() => {
    const now = placed();
    const isRead = window.scrollY > 0 || layerParts.some((part) => part.matches(':hover, :focus-within'));
    if (isRead && now !== before) {
      const from = window.scrollY;
      window.scrollBy({ top: now - before });
      scrolledTo = window.scrollY;
      // What the page was too short to make up for is made up for when it grows again.
      before += scrolledTo - from;
    } else before = now;
  });
  window.addEventListener('scroll', () => {
    if (window.scrollY !== scrolledTo) before = placed();
    scrolledTo = window.scrollY;
  });
  for (const part of [top, runState, findings, layersHead, table.element.tHead])
    if (part) observer.observe(part);
}

function renderLayers(): void {
  const all = view?.layers ?? [];
  const wanted = state.filter.trim().toLowerCase();
  const rows = wanted === '' ? all : all.filter((row) => matches(row, wanted));
  layersHead.hidden = all.length === 0;
  // Files that are quantized already have no figures to draw or to judge.
  const hasFigures = view !== undefined && view.columns.length > 0 && !isQuantizedMostly(view);
  const isChart = state.shown === 'chart' && hasFigures;
  switchGroup.hidden = !hasFigures;
  legend.hidden = !hasFigures;
  table.element.hidden = all.length === 0 || isChart;
  chart.element.hidden = all.length === 0 || !isChart;
  for (const one of switches)
    one.setAttribute('aria-pressed', String(one.id === `show-${isChart ? 'chart' : 'table'}`));
  const counted = layersCounted(rows.length, all.length);
  // The same text set again would be read aloud again.
  if (count.textContent !== counted) count.textContent = counted;
  if (!view) return;
  const { columns, hidden } = layerColumns(view, openMenuOf, window.innerWidth, state.columns ?? {});
  table.setContent(columns, rows);
  columnMenu.element.hidden = isChart;
  columnMenu.setColumns(columns.slice(1).map(({ id, label }) => ({ id, label, isShown: !hidden.has(id) })));
  // A chart that is not shown has no size to draw for.
  if (!isChart) return;
  chart.setContent(view, rows);
  chart.select(state.selected);
}

/** Table and chart show the same layers; the one looked at last stays in sight. */
function show(shown: Shown): void {
  remember({ shown });
  renderLayers();
  if (shown === 'table' && state.selected !== undefined) table.bringIntoView(state.selected);
}

/** Figures that a run just brought are what the user waits for: they come into sight sideways. */
function revealNewColumn(before: ModelView | undefined, now: ModelView): void {
  if (!before || before.columns.length === 0 || table.element.hidden) return;
  const known = new Set(before.columns.map(columnId));
  const added = now.columns.find((one) => !known.has(columnId(one)));
  if (added) table.revealColumn(columnId(added));
}

function matches({ name, op, findings: codes, planned, dataType }: LayerRow, wanted: string): boolean {
  return [name, op, planned ?? '', dataType, ...codes].some((text) => text.toLowerCase().includes(wanted));
}

function revealLayer(name: string): void {
  if (filter.value !== '') {
    filter.value = '';
    remember({ filter: '' });
    renderLayers();
  }
  remember({ selected: name });
  if (!chart.element.hidden) chart.select(name, true);
  else table.reveal(name);
}

function openMenuOf(layer: LayerRow, anchor: HTMLElement): void {
  if (!view) return;
  const now = view;
  const reason = whyNoMenu(now, layer);
  if (reason !== undefined) {
    notices.say(reason);
    return;
  }
  openLayerMenu(now, layer, anchor, host.post, () => whatIf.open(now, layer));
}

function remember(part: Partial<State>): void {
  state = { ...state, ...part };
  host.remember(state);
}
