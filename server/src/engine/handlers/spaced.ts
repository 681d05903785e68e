/**
 * Partial results at a rate that their reader bears: the report of a model of a thousand layers costs an editor's
 * server more time to read than the next layer takes to measure.
 */

/** At most one partial result per this many milliseconds. */
const INTERVAL = 300;

/** Passes the first result and then one per interval; what is held back is in the next, or in the job's own result. */
export function spaced<T>(sink: (partial: T) => void): (make: () => T) => void {
  let at = Number.NEGATIVE_INFINITY;
  return (make) => {
    if (performance.now() - at < INTERVAL) return;
    sink(make());
    at = performance.now();
  };
}
