/** Columns of the compare view's table: the same figures as the chart and its tooltips, sortable and to be copied. */
import type { ErrorMetrics } from '../../../server/src/protocol/reports';
import type { CompareView } from '../../../server/src/protocol/views';
import { make } from '../shared/dom';
import { figure, verdictOf } from '../shared/figures';
import { number } from '../shared/histogram';
import { openMenu } from '../shared/menu';
import { say } from '../shared/rpc';
import type { Column } from '../shared/table';

export type CompareRow = CompareView['layers'][number];

/** Metrics beside the dB, of the error that the chart's last bar shows. */
export function metricsOf(row: CompareRow): ErrorMetrics | undefined {
  return row.cumulativeMetrics ?? row.metrics;
}

export interface RowAction {
  readonly label: string;
  readonly run: (row: CompareRow) => void;
}

export function compareColumns(
  rows: readonly CompareRow[],
  actions: readonly RowAction[],
): readonly Column<CompareRow>[] {
  const some = (column: Column<CompareRow>, has: (row: CompareRow) => unknown) =>
    rows.some((row) => has(row) !== undefined) ? [column] : [];
  return [
    {
      id: 'name',
      label: say('column.layer'),
      class: 'name',
      sortValue: ({ name }) => name,
      render: (row) => [
        make(
          'div',
          { class: 'name-cell' },
          make('span', { class: 'layer-name', title: row.name }, row.name),
          row.findings.length > 0 &&
            make('span', { class: 'codes', title: say('findings') }, row.findings.join(' ')),
          menuButton(row, actions),
        ),
      ],
    },
    { id: 'op', label: say('column.op'), sortValue: ({ op }) => op, render: ({ op }) => [op] },
    errorColumn('local', (row) => row.local),
    errorColumn('cumulative', (row) => row.cumulative),
    ...some(
      errorColumn('localWeights', (row) => row.localWeights),
      (row) => row.localWeights,
    ),
    ...some(
      errorColumn('localActivations', (row) => row.localActivations),
      (row) => row.localActivations,
    ),
    ...(['mse', 'cosine', 'normRatio', 'meanShift'] as const).flatMap((metric) =>
      some(
        metricColumn(metric, (row) => metricsOf(row)?.[metric]),
        (row) => metricsOf(row)?.[metric],
      ),
    ),
    {
      id: 'findings',
      label: say('findings'),
      class: 'copied-only',
      render: () => [],
      copy: [{ label: say('findings'), value: ({ findings }) => findings.join(' ') }],
    },
  ];
}

export function openRowMenu(row: CompareRow, anchor: HTMLElement, actions: readonly RowAction[]): void {
  openMenu(
    anchor,
    say('actionsOn', row.name),
    actions.map(({ label, run }) => ({ label, run: () => run(row) })),
  );
}

function menuButton(row: CompareRow, actions: readonly RowAction[]): HTMLElement {
  const label = say('actionsOn', row.name);
  const button = make(
    'button',
    {
      class: 'row-menu',
      title: label,
      // The row itself is the tab stop and opens the menu by Enter.
      attributes: { type: 'button', tabindex: '-1', 'aria-haspopup': 'menu', 'aria-label': label },
      onClick: () => openRowMenu(row, button, actions),
    },
    '⋯',
  );
  return button;
}

function errorColumn(
  id: 'local' | 'cumulative' | 'localWeights' | 'localActivations',
  value: (row: CompareRow) => number | null | undefined,
): Column<CompareRow> {
  const label = say(`column.${id}`);
  return {
    id,
    label,
    title: say(`columnTitle.${id}`),
    class: 'figure-column number-column',
    sortValue: value,
    render: (row) => {
      const db = value(row) ?? null;
      return figure(
        { db, verdict: verdictOf(db) },
        db === null ? say('undefinedFigure') : say(`columnTitle.${id}`),
      );
    },
    copy: [{ label: `${label} (dB)`, value }],
  };
}

function metricColumn(
  id: 'mse' | 'cosine' | 'normRatio' | 'meanShift',
  value: (row: CompareRow) => number | null | undefined,
): Column<CompareRow> {
  return {
    id,
    label: say(`metric.${id}`),
    title: say(`metricTitle.${id}`),
    class: 'number-column',
    sortValue: value,
    render: (row) => [metricText(id, value(row))],
  };
}

/** Four digits, fixed ones where 1 is perfect; `–` where undefined. */
export function metricText(
  metric: 'mse' | 'cosine' | 'normRatio' | 'meanShift' | 'kl',
  value: number | null | undefined,
): string {
  if (value === null || value === undefined) return '–';
  return metric === 'cosine' || metric === 'normRatio' ? value.toFixed(4) : number(value);
}
