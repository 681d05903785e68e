/** Columns and menu of the layer table. */
import type { FromModelPanel } from '../../../server/src/protocol/panel';
import type { FixKind } from '../../../server/src/protocol/reports';
import type { Effect, ErrorCell, LayerRow, ModelView } from '../../../server/src/protocol/views';
import { make } from '../shared/dom';
import { figure, shortBytes } from '../shared/figures';
import { openMenu } from '../shared/menu';
import { say } from '../shared/rpc';
import type { Column } from '../shared/table';
import { isDone, isOnnx } from './top';

const layerFixes: readonly FixKind[] = [
  'quantize-int4',
  'quantize-int8',
  'keep-float',
  'per-channel-weights',
];

type OpenMenu = (layer: LayerRow, anchor: HTMLElement) => void;

/** Columns for what the view holds, the error columns as the server orders them. */
export function layerColumns(view: ModelView, open: OpenMenu): readonly Column<LayerRow>[] {
  const some = <T>(wanted: boolean, column: T): readonly T[] => (wanted ? [column] : []);
  return [
    {
      id: 'name',
      label: say('column.layer'),
      class: 'name',
      sortValue: ({ name }) => name,
      render: ({ name, node, findings }) => [
        make('span', { title: node === name ? name : `${name}\n${node}` }, name),
        findings.length > 0 && make('span', { class: 'codes', title: say('findings') }, findings.join(' ')),
      ],
    },
    ...some<Column<LayerRow>>(isOnnx(view), {
      id: 'menu',
      label: '',
      class: 'menu-column',
      render: (layer) => [menuButton(layer, open)],
    }),
    {
      id: 'op',
      label: say('column.op'),
      sortValue: ({ op }) => op,
      render: ({ op, depthwise }) => [depthwise ? say('depthwise', op) : op],
    },
    {
      id: 'shape',
      label: say('column.shape'),
      class: 'wide-only',
      render: ({ shape }) => [shape.join('×')],
    },
    {
      id: 'params',
      label: say('column.params'),
      class: 'number-column wide-only',
      sortValue: ({ params }) => params,
      descendingFirst: true,
      render: ({ params, bytes, macs }) => [
        make(
          'span',
          { title: say('paramsTitle', shortBytes(bytes), macs === null ? '–' : macs.toLocaleString()) },
          params.toLocaleString(),
        ),
      ],
    },
    ...some<Column<LayerRow>>(view.recipeUri !== undefined, {
      id: 'planned',
      label: say('column.planned'),
      title: say('column.plannedTitle'),
      sortValue: ({ planned }) => planned,
      render: ({ planned }) => [planned === 'float' ? say('float') : (planned ?? '')],
    }),
    ...view.columns.map((column) =>
      errorColumn(column, say(isDone(view) && column.effect === 'weight' ? 'notFloat' : 'notMeasured')),
    ),
  ];
}

/** The row's menu: what a recipe can make of the layer, and its place in the text. */
export function openLayerMenu(
  view: ModelView,
  layer: LayerRow,
  anchor: HTMLElement,
  post: (message: FromModelPanel) => void,
): void {
  if (!isOnnx(view)) return;
  openMenu(anchor, say('actionsOn', layer.name), [
    ...layerFixes.map((kind) => ({
      label: say(`fix.${kind}`),
      run: () => post({ type: 'recipe', actions: [{ kind, layer: layer.name }] }),
    })),
    { label: say('reveal'), run: () => post({ type: 'open-as-text', layer: layer.name }) },
  ]);
}

function menuButton(layer: LayerRow, open: OpenMenu): HTMLElement {
  const label = say('actionsOn', layer.name);
  const button = make(
    'button',
    {
      class: 'row-menu',
      title: label,
      // The row itself is the tab stop and opens the menu by Enter.
      attributes: { type: 'button', tabindex: '-1', 'aria-haspopup': 'menu', 'aria-label': label },
      onClick: () => open(layer, button),
    },
    '⋯',
  );
  return button;
}

/** `missing` explains cells without a figure. */
function errorColumn(
  { format, effect, label }: ModelView['columns'][number],
  missing: string,
): Column<LayerRow> {
  const find = ({ cells }: LayerRow) =>
    cells.find((cell) => cell.format === format && cell.effect === effect);
  return {
    id: `${effect}:${format}`,
    label,
    title: say(`effect.${effect satisfies Effect}`, format),
    class: 'figure-column number-column',
    sortValue: (row) => find(row)?.db,
    render: (row) => {
      const cell = find(row);
      return cell ? figure(cell, cellTitle(cell)) : figure({ db: null, verdict: 'unknown' }, missing);
    },
  };
}

function cellTitle(cell: ErrorCell): string {
  if (cell.db === null) return say('undefinedError');
  const parts = [
    say(`effect.${cell.effect}`, cell.format),
    say(`verdict.${cell.verdict}`),
    say(`basis.${cell.basis}`),
    cell.bytes === undefined ? undefined : shortBytes(cell.bytes),
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}
