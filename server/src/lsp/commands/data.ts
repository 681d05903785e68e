/** Where samples come from, as the fields of a form say it. */
import { issue } from '../../engine/base/issue';
import type { Issue } from '../../protocol/issues';
import type { DataSpec } from '../../protocol/reports';
import type { CalibrationRequest, Preprocessing } from '../../protocol/views';

export type DataRequest = Preprocessing &
  Pick<CalibrationRequest, 'source' | 'samples' | 'seed' | 'dimensions'>;

/** Panel fields as a data spec; numbers that are none are issues naming their field. */
export function dataOf(request: DataRequest): {
  readonly value?: DataSpec;
  readonly issues: readonly Issue[];
} {
  const issues: Issue[] = [];
  const numbers = (key: string, text: string | undefined): readonly number[] | undefined => {
    if (text === undefined || text.trim() === '') return undefined;
    const values = text.split(',').map(toNumber);
    if (values.every(Number.isFinite)) return values;
    issues.push(
      issue('recipe-value', {
        key,
        reason: `${text} is not a number`,
        expected: 'numbers such as 0.485 or 1/255, separated by commas',
      }),
    );
    return undefined;
  };
  const scale = numbers('scale', request.scale);
  const mean = numbers('mean', request.mean);
  const std = numbers('std', request.std);
  if (issues.length > 0) return { issues };
  const { source, samples, seed, resize, crop, layout, color, dimensions = {} } = request;
  return {
    issues,
    value: {
      source,
      samples,
      seed,
      dimensions,
      preprocessing: { scale: scale?.[0], mean, std, resize, crop, layout, color },
    },
  };
}

function toNumber(text: string): number {
  const [numerator, denominator, ...rest] = text
    .split('/')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (numerator === undefined || rest.length > 0) return Number.NaN;
  return denominator === undefined ? numerator : numerator / denominator;
}
