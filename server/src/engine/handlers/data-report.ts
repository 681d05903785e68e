/** Where the samples of a report came from. */
import type { DataReport } from '../../protocol/reports';

/** Without data the errors are those on noise. */
export function dataReport(source: string, samples: number): DataReport {
  return { source, samples, ...(source === 'none' ? { noData: 'noise' as const } : {}) };
}
