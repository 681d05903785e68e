/** What one row of a chart draws: lines of the verdicts, bars or marks, the figure beside them, and the name. */
import { type Verdict, verdictScale } from '../../../server/src/protocol/views';
import { type MarkShape, mark, markShapes, percentOf, type Scale, svg } from './chart-marks';
import { type Child, make } from './dom';
import { decibels, glyphs } from './figures';
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

/** Bars suit two figures that belong together, marks any number. */
export type ChartKind = 'bars' | 'marks';

export interface Drawing<R> {
  readonly kind: ChartKind;
  readonly series: readonly ChartSeries<R>[];
  readonly scale: Scale;
}

/** Height of a row's figures in pixels. */
export const plotHeight = 26;

/** Ticks with the signs of the verdicts, the unit at the end. */
export function axisPlot(scale: Scale): SVGElement {
  const { ticks } = scale;
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
      const x = percentOf(scale, tick);
      return svg('text', { x, y: 14, 'text-anchor': anchor, class: minor ? 'minor' : 'major' }, text);
    }),
  );
}

/** Lines of the verdicts behind, then the figures. */
export function rowPlot<R>({ kind, series, scale }: Drawing<R>, row: R): SVGElement {
  const line = (db: number, name: string) => {
    const x = percentOf(scale, db);
    return svg('line', { x1: x, x2: x, y1: 0, y2: plotHeight, class: `threshold ${name}` });
  };
  const origin = percentOf(scale, 0);
  return svg(
    'svg',
    { class: 'chart-plot', height: plotHeight, 'aria-hidden': 'true' },
    svg('line', { x1: origin, x2: origin, y1: 0, y2: plotHeight, class: 'origin' }),
    line(verdictScale.watchFrom, 'watch'),
    line(verdictScale.goodFrom, 'good'),
    ...series.flatMap(({ figure }, index) => {
      const found = figure(row);
      if (!found || found.db === null) return [];
      return kind === 'bars'
        ? bar(series.length, scale, found.verdict, found.db, index)
        : dot(scale, found.estimated, found.db, index);
    }),
  );
}

function bar(count: number, scale: Scale, verdict: Verdict, db: number, index: number): SVGElement {
  const ends = [percentOf(scale, 0), percentOf(scale, db)].map(Number.parseFloat);
  const [start = 0, end = 0] = ends;
  const y = count === 1 ? 8 : index === 0 ? 4 : 14;
  return svg('rect', {
    x: `${Math.min(start, end)}%`,
    width: `${Math.abs(end - start)}%`,
    y,
    height: 8,
    class: `bar-${index} ${verdict}`,
  });
}

function dot(scale: Scale, estimated: boolean, db: number, index: number): SVGElement {
  const made = mark(shapeOf(index), percentOf(scale, db), plotHeight / 2, estimated);
  made.classList.add(`series-${index}`);
  return made;
}

/** Of bars the last series' figure, of marks the lowest one, with its sign. */
export function rowValue<R>({ kind, series }: Drawing<R>, row: R): readonly Child[] {
  const figures = series.map(({ figure }) => figure(row)).filter((one) => one !== undefined);
  const known = figures.filter(({ db }) => db !== null);
  const lowest = known.reduce<ChartFigure | undefined>(
    (best, one) => (best === undefined || (one.db ?? 0) < (best.db ?? 0) ? one : best),
    undefined,
  );
  const found = kind === 'bars' ? series.at(-1)?.figure(row) : lowest;
  if (!found) return ['–'];
  return [
    make('span', { class: 'number' }, decibels(found.db, found.estimated)),
    make('span', { class: `glyph ${found.verdict}` }, glyphs[found.verdict]),
  ];
}

/** What the figures on the right are. */
export function valueTitle<R>({ kind, series }: Drawing<R>): string {
  const isLast = kind === 'bars' || series.length === 1;
  return isLast ? (series.at(-1)?.label ?? '') : say('chart.lowest');
}

/** The sign of a series in the legend. */
export function swatch(kind: ChartKind, index: number, hollow: boolean): SVGElement {
  return svg(
    'svg',
    {
      class: `chart-swatch series-${index}`,
      viewBox: '-8 -8 16 16',
      width: 16,
      height: 16,
      'aria-hidden': 'true',
    },
    kind === 'bars'
      ? svg('rect', { x: -8, y: -4, width: 16, height: 8, class: `bar-${index}` })
      : mark(shapeOf(index), '0', 0, hollow),
  );
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
