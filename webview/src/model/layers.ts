/** Columns and menu of the layer table. */
import type { FromModelPanel } from '../../../server/src/protocol/panel';
import type { FixKind } from '../../../server/src/protocol/reports';
import {
  type Effect,
  type ErrorCell,
  isQuantizedAlready,
  type LayerRow,
  type ModelView,
} from '../../../server/src/protocol/views';
import { nameParts } from '../shared/chart-row';
import { make } from '../shared/dom';
import { figure, shortBytes } from '../shared/figures';
import { openMenu } from '../shared/menu';
import { say } from '../shared/rpc';
import type { Column } from '../shared/table';
import { cellFinder, columnId, type ErrorColumn } from './error-columns';
import { type ChosenColumns, leftOut, rankOf, type SizedColumn } from './fit-columns';
import { quantizedColumns } from './quantized-columns';
import { isDone, isOnnx } from './top';

const layerFixes: readonly FixKind[] = [
  'quantize-int4',
  'quantize-int8',
  'keep-float',
  'per-channel-weights',
];

type OpenMenu = (layer: LayerRow, anchor: HTMLElement) => void;

/** Pixels: a letter, what surrounds a cell's text, the least of a figure, the menu beside a name, codes of findings. */
const sizes = { letter: 7, padding: 20, figure: 104, menu: 32, codes: 45, name: 400, page: 48 } as const;

/** A name takes at most this share of the window. */
const mostOfName = 0.45;

export interface LayerColumns {
  /** In the order to show, those that are left out as well: they are copied. */
  readonly columns: readonly Column<LayerRow>[];
  readonly hidden: ReadonlySet<string>;
}

/** Columns for a window of this width, as far as the reader chose nothing else. */
export function layerColumns(
  view: ModelView,
  open: OpenMenu,
  windowWidth: number,
  chosen: ChosenColumns,
): LayerColumns {
  const columns = allColumns(view, open);
  const sized = columns.map((column) => sizedColumn(column, view.layers, windowWidth));
  const always = mostTelling(view, columns);
  const ranked = sized.map((one) => (one.id === always ? one : { ...one, rank: rankOf(one.id) }));
  const hidden = leftOut(ranked, windowWidth - sizes.page, { ...withoutEmpty(view), ...chosen });
  return {
    columns: columns.map((column) =>
      hidden.has(column.id) ? { ...column, class: `${column.class ?? ''} copied-only` } : column,
    ),
    hidden,
  };
}

/** The column that is worth more than all others: it stays in the narrowest window. */
function mostTelling({ columns: figures, layers }: ModelView, columns: readonly Column<LayerRow>[]): string {
  const [first] = figures;
  const inQuantized = columns.find(({ id }) => id === 'quantized:weights')?.id;
  if (!first || (inQuantized && isQuantizedAlready({ layers }))) return inQuantized ?? 'name';
  const usual = figures.find((one) => columnId(one) === 'weight:int8.channel');
  return columnId(first.effect === 'weight' ? (usual ?? first) : first);
}

/** In a file that is quantized already a figure of the few layers left in float is not worth a column. */
function withoutEmpty(view: ModelView): ChosenColumns {
  if (!isDone(view) || !isQuantizedAlready(view)) return {};
  const isEmpty = (column: ErrorColumn) => {
    const find = cellFinder(column);
    return 2 * view.layers.filter((row) => find(row) !== undefined).length < view.layers.length;
  };
  return Object.fromEntries(view.columns.filter(isEmpty).map((one) => [columnId(one), false]));
}

/** A column with the width that its longest text takes, roughly. */
function sizedColumn(
  { id, label, class: kind }: Column<LayerRow>,
  layers: readonly LayerRow[],
  windowWidth: number,
): SizedColumn {
  const longest = (text: (row: LayerRow) => string) =>
    layers.reduce((most, row) => Math.max(most, text(row).length), label.length);
  const widthOf = (letters: number) => sizes.padding + sizes.letter * letters;
  const hasCodes = layers.some(({ findings }) => findings.length > 0);
  const known: Readonly<Record<string, () => number>> = {
    name: () =>
      sizes.padding +
      Math.min(
        sizes.name,
        mostOfName * windowWidth,
        sizes.letter * longest(({ name }) => name) + sizes.menu + (hasCodes ? sizes.codes : 0),
      ),
    op: () => widthOf(longest(({ op, depthwise }) => (depthwise ? say('depthwise', op) : op))),
    shape: () => widthOf(longest(({ shape }) => shape.join('×'))),
    planned: () => widthOf(longest(({ planned }) => planned ?? '')),
    'quantized:weights': () => widthOf(longest(({ quantized }) => quantized?.weights ?? '')),
    'quantized:form': () => widthOf(longest(({ quantized }) => quantized?.form ?? '')),
  };
  if (kind?.includes('figure-column')) {
    const words = label.split(' ').map((word) => word.length);
    return { id, width: Math.max(sizes.figure, widthOf(Math.max(...words))) };
  }
  return { id, width: known[id]?.() ?? widthOf(label.length) };
}

/** Columns for what the view holds, the error columns as the server orders them. */
function allColumns(view: ModelView, open: OpenMenu): readonly Column<LayerRow>[] {
  const figures = view.columns.map((column) =>
    errorColumn(view, column, say(isDone(view) && column.effect === 'weight' ? 'notFloat' : 'notMeasured')),
  );
  const measured = view.columns.filter(({ effect }) => effect !== 'weight').length;
  const some = <T>(wanted: boolean, column: T): readonly T[] => (wanted ? [column] : []);
  return [
    {
      id: 'name',
      label: say('column.layer'),
      class: 'name',
      spokenAs: ({ name, findings }) => [name, ...findings].join(', '),
      sortValue: ({ name }) => name,
      render: (layer) => {
        const { name, node, findings } = layer;
        const title = node === name ? name : `${name}\n${node}`;
        const codes = findings.join(' ');
        return [
          make(
            'div',
            { class: 'name-cell' },
            // The parts of a long name are for the eye; the cell itself carries the name in one piece.
            make(
              'span',
              { class: 'layer-name', title, attributes: { 'aria-hidden': 'true' } },
              ...nameParts(name),
            ),
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
    ...figures.slice(0, measured),
    {
      id: 'op',
      label: say('column.op'),
      sortValue: ({ op }) => op,
      render: ({ op, depthwise }) => [depthwise ? say('depthwise', op) : op],
    },
    {
      id: 'shape',
      label: say('column.shape'),
      render: ({ shape }) => [shape.join('×')],
      copy: [{ label: say('column.shape'), value: ({ shape }) => shape.join('×') }],
    },
    {
      id: 'params',
      label: say('column.params'),
      class: 'number-column',
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
    ...some<Column<LayerRow>>(view.recipeUri !== undefined && !view.layers.every(isStored), {
      id: 'planned',
      label: say('column.planned'),
      title: say('column.plannedTitle'),
      sortValue: ({ planned }) => planned,
      render: ({ planned }) => [planned === 'float' ? say('float') : (planned ?? '')],
    }),
    ...some<Column<LayerRow>>(view.layers.some(isWorthNaming), {
      id: 'stored',
      label: say('column.stored'),
      title: say('column.storedTitle'),
      sortValue: ({ dataType }) => dataType,
      render: ({ dataType }) => [dataType],
    }),
    ...quantizedColumns(view.layers),
    ...figures.slice(measured),
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
  const fixes = isOnnx(view) && !isStored(layer) ? layerFixes : [];
  openMenu(anchor, say('actionsOn', layer.name), [
    ...fixes.map((kind) => ({
      label: say(`fix.${kind}`),
      run: () => post({ type: 'recipe', actions: [{ kind, layer: layer.name }] }),
    })),
    ...(!isStored(layer) ? [{ label: say('whatIf'), run: askWhatIf }] : []),
    ...(isOnnx(view)
      ? [{ label: say('reveal'), run: () => post({ type: 'open-as-text', layer: layer.name }) }]
      : []),
  ]);
}

/** What Enter on the row cannot offer, and why; undefined where there is a menu. */
export function whyNoMenu(view: ModelView, layer: LayerRow): string | undefined {
  return hasMenu(view, layer) ? undefined : say('noMenu', layer.name, layer.storedAs ?? layer.dataType);
}

function isStored({ storedAs }: LayerRow): boolean {
  return storedAs !== undefined;
}

/** Where the form of the codes stands in columns of its own, and for plain floats, the type adds nothing. */
function isWorthNaming({ dataType, quantized }: LayerRow): boolean {
  return quantized === undefined && dataType !== 'float' && dataType !== 'F32';
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
    label: say('copy.basis', label),
    value: (row: LayerRow) => {
      const cell = find(row);
      return cell && say(`basis.${cell.basis}`);
    },
  };
  return {
    id: columnId(column),
    label,
    // Two lines: the format, and what the figure speaks of.
    lines: [format, label.slice(format.length).trim()],
    title: say(`effect.${effect satisfies Effect}`, format),
    class: 'figure-column number-column',
    sortValue: (row) => find(row)?.db,
    render: (row) => {
      const cell = find(row);
      return cell ? figure(cell, cellTitle(cell, row)) : figure({ db: null, verdict: 'unknown' }, missing);
    },
    copy: [
      { label: say('copy.error', label), value: (row) => find(row)?.db },
      ...(isEstimated ? [basis] : []),
    ],
  };
}

function cellTitle(cell: ErrorCell, { storedAs }: LayerRow): string {
  if (cell.db === null) return say('undefinedError');
  const parts = [
    say(`effect.${cell.effect}`, cell.format),
    say(`verdict.${cell.verdict}`),
    say(`basis.${cell.basis}`),
    cell.bytes === undefined ? undefined : shortBytes(cell.bytes),
    storedAs !== undefined && cell.effect === 'weight' ? say('againstStored', storedAs) : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(' · ');
}
