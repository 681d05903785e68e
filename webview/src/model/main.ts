/** The page of a model: facts, findings and the layer table. Shows the last view it got and sends what the user did. */
import type { FromModelPanel, ToModelPanel } from '../../../server/src/protocol/panel';
import { type LayerRow, type ModelView, verdictScale } from '../../../server/src/protocol/views';
import { fill, make } from '../shared/dom';
import { connect, say } from '../shared/rpc';
import type { SortOrder } from '../shared/sort';
import { Table } from '../shared/table';
import { registerComponents } from '../shared/toolkit';
import { findingsList } from './findings';
import { layerColumns, openLayerMenu } from './layers';
import { banners, toolbar, topFacts } from './top';

interface State {
  readonly order?: SortOrder;
  readonly filter: string;
  readonly allFindings: boolean;
}

registerComponents();
const host = connect<FromModelPanel, ToModelPanel, State>();
let state: State = { filter: '', allFindings: false, ...host.recall() };
let view: ModelView | undefined;
let notice: string | null = null;

const top = make('div', { id: 'top' });
const findings = make('section', { id: 'findings', attributes: { 'aria-label': say('findings') } });
const count = make('span', { class: 'quiet', id: 'layer-count', attributes: { role: 'status' } });
const filter = make('input', {
  id: 'filter',
  attributes: { type: 'search', placeholder: say('filter'), 'aria-label': say('filter') },
});
const layersHead = make(
  'div',
  { id: 'layers-head' },
  make('h2', {}, say('layers')),
  filter,
  count,
  make(
    'span',
    { class: 'quiet', id: 'legend' },
    say('legend', verdictScale.goodFrom, verdictScale.watchFrom),
  ),
);
const table = new Table<LayerRow>(
  {
    id: 'layers',
    label: say('layers'),
    key: ({ name }) => name,
    onActivate: (layer, element) => openMenuOf(layer, element),
    onSorted: (order) => remember({ order }),
  },
  state.order,
);

filter.value = state.filter;
filter.addEventListener('input', () => {
  remember({ filter: filter.value });
  renderLayers();
});
document.querySelector('#app')?.append(top, findings, layersHead, table.element);
host.listen((message) => {
  if (message.type === 'view') view = message.view;
  else notice = message.text;
  render();
});
render();
host.post({ type: 'ready' });

function render(): void {
  fill(
    top,
    ...(view
      ? topFacts(view)
      : [make('p', { class: 'quiet', attributes: { role: 'status' } }, say('opening'))]),
    view && toolbar(view, host.post),
    ...banners(view, notice, host.post),
  );
  findings.hidden = !view || view.findings.length === 0;
  if (view) {
    const showAll = () => {
      remember({ allFindings: !state.allFindings });
      render();
    };
    fill(
      findings,
      ...findingsList(view, state.allFindings, {
        post: host.post,
        reveal: revealLayer,
        showAll,
      }),
    );
  }
  renderLayers();
}

function renderLayers(): void {
  const all = view?.layers ?? [];
  const wanted = state.filter.trim().toLowerCase();
  const rows = wanted === '' ? all : all.filter((row) => matches(row, wanted));
  layersHead.hidden = all.length === 0;
  table.element.hidden = all.length === 0;
  count.textContent =
    rows.length === all.length ? say('layerCount', all.length) : say('layerCountOf', rows.length, all.length);
  if (view) table.setContent(layerColumns(view, openMenuOf), rows);
}

function matches({ name, op, findings: codes, planned }: LayerRow, wanted: string): boolean {
  return [name, op, planned ?? '', ...codes].some((text) => text.toLowerCase().includes(wanted));
}

function revealLayer(name: string): void {
  if (filter.value !== '') {
    filter.value = '';
    remember({ filter: '' });
    renderLayers();
  }
  table.reveal(name);
}

function openMenuOf(layer: LayerRow, anchor: HTMLElement): void {
  if (view) openLayerMenu(view, layer, anchor, host.post);
}

function remember(part: Partial<State>): void {
  state = { ...state, ...part };
  host.remember(state);
}
