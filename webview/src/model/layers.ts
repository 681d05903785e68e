/** Columns and menu of the layer table. */
import type { FromModelPanel } from '../../../server/src/protocol/panel';
import type { FixKind } from '../../../server/src/protocol/reports';
import type { Effect, ErrorCell, LayerRow, ModelView } from '../../../server/src/protocol/views';
import { nameParts } from '../shared/chart-row';
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
      render: (layer) => {
        const { name, node, findings } = layer;
        const title = node === name ? name : `${name}\n${node}`;
        const codes = findings.join(' ');
        return [
          make(
            'div',
            { class: 'name-cell' },
            make('span', { class: 'layer-name', title }, ...nameParts(name)),
            codes !== '' && make('i', { class: 'codes', title: `${say('findings')}: ${codes}` }, codes),
            hasMenu(view, layer) && menuButton(layer, open),
          ),
        ];
      },
      copy: [
        { label: say('column.layer'), value: ({ name }) => name },
        { label: say('findings'), value: ({ findings }) => findings.join(' ') },
      ],
    },
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
      copy: [{ label: say('column.shape'), value: ({ shape }) => shape.join('×') }],
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
      copy: [
        { label: say('column.params'), value: ({ params }) => params },
        { label: say('copy.bytes'), value: ({ bytes }) => bytes },
        { label: say('copy.macs'), value: ({ macs }) => macs },
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
      errorColumn(view, column, say(isDone(view) && column.effect === 'weight' ? 'notFloat' : 'notMeasured')),
    ),
  ];
}

/** The row's menu: what if, what a recipe can make of the layer, and its place in the text. */
export function openLayerMenu(
  view: ModelView,
  layer: LayerRow,
  anchor: HTMLElement,
  post: (message: FromModelPanel) => void,
  askWhatIf: () => void,
): void {
  if (!hasMenu(view, layer)) return;
  const isFloat = layer.storedAs === undefined;
  const fixes = isOnnx(view) && isFloat ? layerFixes : [];
  openMenu(anchor, say('actionsOn', layer.name), [
    ...fixes.map((kind) => ({
      label: say(`fix.${kind}`),
      run: () => post({ type: 'recipe', actions: [{ kind, layer: layer.name }] }),
    })),
    ...(isFloat ? [{ label: say('whatIf'), run: askWhatIf }] : []),
    ...(isOnnx(view)
      ? [{ label: say('reveal'), run: () => post({ type: 'open-as-text', layer: layer.name }) }]
      : []),
  ]);
}

/** A weight that is stored quantized can become nothing else, and a file without a graph has no text. */
function hasMenu(view: ModelView, { storedAs }: LayerRow): boolean {
  return isOnnx(view) || storedAs === undefined;
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
function errorColumn(view: ModelView, column: ErrorColumn, missing: string): Column<LayerRow> {
  const { format, effect, label } = column;
  const find = cellFinder(column);
  const isEstimated = view.layers.some((row) => find(row)?.basis === 'estimated');
  // In a copy the sign for an estimate is a column of its own.
  const basis = {
    label: say('copy.basis', copyLabel(column)),
    value: (row: LayerRow) => {
      const cell = find(row);
      return cell && say(`basis.${cell.basis}`);
    },
  };
  return {
    id: columnId(column),
    label,
    title: say(`effect.${effect satisfies Effect}`, format),
    class: 'figure-column number-column',
    sortValue: (row) => find(row)?.db,
    render: (row) => {
      const cell = find(row);
      return cell ? figure(cell, cellTitle(cell)) : figure({ db: null, verdict: 'unknown' }, missing);
    },
    copy: [
      { label: say('copy.error', copyLabel(column)), value: (row) => find(row)?.db },
      ...(isEstimated ? [basis] : []),
    ],
  };
}

function copyLabel({ effect, label }: ErrorColumn): string {
  return effect === 'weight' ? `${label} ${say('effectName.weight')}` : label;
}

export type ErrorColumn = ModelView['columns'][number];

/** Name of an error column, as it is remembered and sorted by. */
export function columnId({ format, effect }: ErrorColumn): string {
  return `${effect}:${format}`;
}

/** Finds a layer's figure for a column. */
export function cellFinder({ format, effect }: ErrorColumn): (row: LayerRow) => ErrorCell | undefined {
  return ({ cells }) => cells.find((cell) => cell.format === format && cell.effect === effect);
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
