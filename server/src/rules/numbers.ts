/** Numbers as users read them: fixed units, fixed digits, one place. */
import type { Decibel } from '../protocol/reports';

/** `39.6 dB`, `–` where undefined. */
export function decibels(value: Decibel | undefined): string {
  if (value === null || value === undefined) return '–';
  const text = value.toFixed(1);
  return `${text === '-0.0' ? '0.0' : text} dB`;
}

/** `1.2 MB`, decimal units. */
export function shortBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** `62.3 k`, `25.6 M`: counts of parameters and multiply-accumulates. */
export function shortCount(count: number): string {
  if (count < 1000) return String(count);
  const units = ['', ' k', ' M', ' G', ' T'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)}${units[unit]}`;
}

/** `91.65 %` of a fraction. */
export function percent(fraction: number | null | undefined): string {
  return fraction === null || fraction === undefined ? '–' : `${(fraction * 100).toFixed(2)} %`;
}

/** `16×3×3×3`. */
export function shapeText(shape: readonly (number | string | null)[]): string {
  return shape.length === 0 ? 'scalar' : shape.map((dimension) => dimension ?? '?').join('×');
}

/** `40.0×`, `124×`. */
export function times(factor: number): string {
  if (factor >= 1e7) return `${factor.toExponential(1)}×`;
  return `${factor >= 100 ? Math.round(factor) : factor.toFixed(1)}×`;
}

/** A share that may be far below a percent. */
export function smallShare(share: number): string {
  return share >= 0.001 ? percent(share) : `${(share * 100).toPrecision(1)} %`;
}

/** `5.9 bits` */
export function bits(count: number): string {
  return `${count.toFixed(1)} bits`;
}
