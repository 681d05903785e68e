/** Figures as users read them, with units and verdicts that do not speak by colour alone. */
import { type ErrorCell, type Verdict, verdictScale } from '../../../server/src/protocol/views';
import { type Child, make, spoken } from './dom';
import { say } from './rpc';

/** A bar is full at this error; more is as good as float for the eye. */
const fullBar = 60;

export const glyphs: Readonly<Record<Verdict, string>> = { good: '✓', watch: '△', bad: '✗', unknown: '' };

/** `39.6 dB`, `≈ 39.6 dB` when estimated, `–` where undefined. */
export function decibels(db: number | null, estimated = false): string {
  return db === null ? '–' : `${estimated ? '≈ ' : ''}${db.toFixed(1)} dB`;
}

/** Verdict of a figure that comes without one. */
export function verdictOf(db: number | null): Verdict {
  if (db === null) return 'unknown';
  // Judged as it is shown, to a tenth: "20.0 dB" must not be called less than good.
  const shown = Math.round(db * 10) / 10;
  if (shown >= verdictScale.goodFrom) return 'good';
  return shown >= verdictScale.watchFrom ? 'watch' : 'bad';
}

/** `36.0 dB ✓` in one line, the sign with its colour and a word for screen readers. */
export function judged(db: number | null): Child {
  const verdict = verdictOf(db);
  return make(
    'span',
    { class: `judged ${verdict}`, title: say(`verdict.${verdict}`) },
    `${decibels(db)} `,
    make('span', { class: 'glyph', attributes: { 'aria-hidden': 'true' } }, glyphs[verdict]),
    spoken(say(`verdict.${verdict}`)),
  );
}

/** A figure in dB with its verdict as sign and colour, and as a bar. */
export function figure(
  cell: Pick<ErrorCell, 'db' | 'verdict'> & Partial<ErrorCell>,
  title: string,
): readonly Child[] {
  const { db, verdict } = cell;
  const isEstimate = cell.basis === 'estimated';
  const bar = make('span', { class: 'bar', attributes: { 'aria-hidden': 'true' } }, make('span'));
  const share = db === null ? 0 : Math.min(Math.max(db / fullBar, 0), 1);
  bar.style.setProperty('--share', `${(100 * share).toFixed(1)}%`);
  return [
    make(
      'span',
      { class: `figure ${verdict}${isEstimate ? ' estimated' : ''}`, title },
      make('span', { class: 'number' }, decibels(db, isEstimate)),
      // The style sheet draws a hollow sign: nobody measured this yet.
      make(
        'span',
        { class: 'glyph', attributes: { 'aria-hidden': 'true' } },
        isEstimate ? '' : glyphs[verdict],
      ),
      spoken(
        isEstimate ? `${say('basis.estimated')}, ${say(`verdict.${verdict}`)}` : say(`verdict.${verdict}`),
      ),
      bar,
    ),
  ];
}

/** `91.65 %` of a fraction. */
export function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(2)} %`;
}

/** `1.2 MB`, decimal units. */
export function shortBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
}

/** `21 layers`, `1 layer`, `3 of 21 layers`. */
export function layersCounted(shown: number, all: number): string {
  if (shown !== all) return say('layerCountOf', shown, all);
  return all === 1 ? say('oneLayer') : say('layerCount', all);
}
