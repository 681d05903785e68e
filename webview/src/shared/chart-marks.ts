/**
 * Pieces of the charts as SVG in the editor's own colours. Written here because a chart library brings its own styles,
 * colours and 100 kB and more to a page whose policy forbids most of what it does; bars, dots and steps need 200 lines.
 */

const namespace = 'http://www.w3.org/2000/svg';

/** An SVG element; positions may be percentages, so that a chart follows the width of the page by itself. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: readonly (Node | string | false | undefined)[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  made.append(...children.filter((child) => child !== false && child !== undefined));
  return made;
}

/** Series are told apart by shape, because colour alone reaches not everybody. */
export const markShapes = ['circle', 'square', 'diamond', 'triangle', 'cross', 'star'] as const;

export type MarkShape = (typeof markShapes)[number];

/** Points of the shapes around the origin, 10 units wide. */
const outlines: Readonly<Record<Exclude<MarkShape, 'circle'>, string>> = {
  square: '-4,-4 4,-4 4,4 -4,4',
  diamond: '0,-5.5 5.5,0 0,5.5 -5.5,0',
  triangle: '0,-5 5,4 -5,4',
  cross: '-1.6,-5 1.6,-5 1.6,-1.6 5,-1.6 5,1.6 1.6,1.6 1.6,5 -1.6,5 -1.6,1.6 -5,1.6 -5,-1.6 -1.6,-1.6',
  star: '0,-6 1.6,-1.9 5.7,-1.9 2.4,0.8 3.5,4.9 0,2.5 -3.5,4.9 -2.4,0.8 -5.7,-1.9 -1.6,-1.9',
};

/** A mark at a share of the width (`42%`) and a height in pixels. Hollow marks are estimates. */
export function mark(shape: MarkShape, x: string, y: number, hollow: boolean): SVGElement {
  const classes = `mark ${hollow ? 'hollow' : 'solid'}`;
  const figure =
    shape === 'circle'
      ? svg('circle', { r: 4.5, class: classes })
      : svg('polygon', { points: outlines[shape], class: classes });
  return svg('svg', { x, y, overflow: 'visible' }, figure);
}

/** Range of dB that a chart shows, and the ticks on it. */
export interface Scale {
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly number[];
}

/** Never narrower than this, so that the lines of the verdicts are always in sight. */
const leastMaximum = 30;

/** Figures beyond are drawn at the edge: noise that far down is the same to everybody. */
const largestMaximum = 70;

/** A scale that holds the figures: from 0, or below where one is negative, in steps of ten. */
export function scaleOf(values: Iterable<number | null | undefined>): Scale {
  let low = 0;
  let high = leastMaximum;
  for (const value of values) {
    if (value === null || value === undefined) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const min = Math.max(-40, Math.floor(low / 10) * 10);
  const max = Math.min(largestMaximum, Math.ceil(high / 10) * 10);
  const ticks = Array.from({ length: (max - min) / 10 + 1 }, (_, index) => min + 10 * index);
  return { min, max, ticks };
}

/** Position of a figure on a scale, in percent of the width; figures beyond stay at its ends. */
export function percentOf({ min, max }: Scale, db: number): string {
  const share = (Math.min(Math.max(db, min), max) - min) / (max - min);
  return `${(100 * share).toFixed(2)}%`;
}
