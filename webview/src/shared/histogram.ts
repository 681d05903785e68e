/** Two distributions over one range: the quantized one as bars, the float one as a line of steps over them. */

import type { CopyMessage } from '../../../server/src/protocol/panel';
import type { Histogram } from '../../../server/src/protocol/reports';
import { svg } from './chart-marks';
import { tableText } from './copy';
import { type Copyable, copyMenu } from './copy-menu';
import { type Child, make } from './dom';
import { say } from './rpc';

/** Drawing area in its own units; the picture is stretched to the width of the page. */
const width = 640;
const height = 120;

export interface HistogramOptions {
  readonly id: string;
  /** What is distributed. */
  readonly label: string;
  readonly post: (message: CopyMessage) => void;
}

/** The picture with its axis, and the same as a table that can be copied. */
export function histogramFigure(histogram: Histogram, options: HistogramOptions): HTMLElement {
  const { min, max, float, quantized } = histogram;
  const occupied = (counts: readonly number[]) => counts.filter((count) => count > 0).length;
  const summary = say(
    'histogram.summary',
    options.label,
    number(min),
    number(max),
    float.length,
    occupied(float),
    occupied(quantized),
  );
  return make(
    'figure',
    { id: options.id, class: 'histogram' },
    make('figcaption', {}, options.label, ' ', make('span', { class: 'quiet' }, say('histogram.scale'))),
    picture(histogram, summary),
    axis(min, max),
    twin(histogram, options),
  );
}

function picture({ float, quantized }: Histogram, summary: string): SVGElement {
  const bins = Math.max(1, float.length);
  const top = Math.log1p(Math.max(1, ...float, ...quantized));
  const step = width / bins;
  const heightOf = (count: number | undefined) => (height * Math.log1p(count ?? 0)) / top;
  const bars = quantized.map((count, bin) =>
    svg('rect', {
      x: bin * step,
      y: height - heightOf(count),
      width: step,
      height: heightOf(count),
      class: 'after',
    }),
  );
  const line = float.map(
    (count, bin) =>
      `${bin * step},${height - heightOf(count)} ${(bin + 1) * step},${height - heightOf(count)}`,
  );
  return svg(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': summary },
    ...bars,
    svg('polyline', {
      points: [`0,${height}`, ...line, `${width},${height}`].join(' '),
      class: 'before',
      'vector-effect': 'non-scaling-stroke',
    }),
  );
}

/** Ends of the range, and zero where it lies inside. */
function axis(min: number, max: number): HTMLElement {
  const span = max - min;
  const share = span > 0 ? -min / span : 0;
  const zero = share > 0.12 && share < 0.88 && make('span', { class: 'zero' }, '0');
  if (zero) zero.style.left = `${(100 * share).toFixed(1)}%`;
  return make(
    'div',
    { class: 'histogram-axis', attributes: { 'aria-hidden': 'true' } },
    make('span', {}, number(min)),
    zero,
    make('span', {}, number(max)),
  );
}

function twin({ min, max, float, quantized }: Histogram, { post, label }: HistogramOptions): HTMLElement {
  const bins = float.map((count, bin) => ({
    from: min + ((max - min) * bin) / float.length,
    to: min + ((max - min) * (bin + 1)) / float.length,
    float: count,
    quantized: quantized[bin] ?? 0,
  }));
  const columns = (['from', 'to', 'float', 'quantized'] as const).map((id) => ({
    label: say(`histogram.${id}`),
    value: (row: (typeof bins)[number]) => row[id],
  }));
  const copyable: Copyable = {
    rowCount: bins.length,
    copyText: (format) => tableText(columns, bins, format),
  };
  const details = make('details', {}, make('summary', {}, say('histogram.asTable')));
  // Built when it is asked for: few look at it, and it is four cells a bin.
  details.addEventListener('toggle', () => {
    if (!details.open || details.childElementCount > 1) return;
    details.append(
      copyMenu(copyable, post),
      make(
        'table',
        { attributes: { 'aria-label': label } },
        make('thead', {}, make('tr', {}, ...columns.map((column) => headCell(column.label)))),
        make(
          'tbody',
          {},
          ...bins.map((bin) =>
            make(
              'tr',
              {},
              ...columns.map(({ value }) => make('td', { class: 'number-column' }, text(value(bin)))),
            ),
          ),
        ),
      ),
    );
  });
  return details;
}

function headCell(label: string): HTMLElement {
  return make('th', { class: 'number-column', attributes: { scope: 'col' } }, label);
}

function text(value: number): Child {
  return Number.isInteger(value) ? value.toLocaleString() : number(value);
}

/** Four significant digits, without an exponent where that is not longer. */
export function number(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e6 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}
