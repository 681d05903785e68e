/** Job `calibrate`: activation ranges of the folded model on a data source. */
import type { DataSpec, RangesFile } from '../../protocol/reports';
import { calibrate } from '../analysis/calibrate';
import { fail, type Outcome } from '../base/outcome';
import type { CalibrateJob, CommonOptions } from '../jobs';
import type { ServedContext } from '../runtime/child';
import { type PreparedModel, withModel } from './open';
import { spaced } from './spaced';

export function calibrateHandler(job: CalibrateJob, context: ServedContext): Promise<Outcome<RangesFile>> {
  const partial = spaced(context.partial);
  return withModel(job.model, (prepared) =>
    rangesOf(prepared, job.data, job.estimator, job, context, (ranges) => partial(() => ranges)),
  );
}

/** Calibrates an opened model; shared by the jobs that need ranges on the way. */
export async function rangesOf(
  prepared: PreparedModel,
  data: DataSpec,
  estimator: string,
  options: CommonOptions,
  context: ServedContext,
  partial?: (ranges: RangesFile) => void,
): Promise<Outcome<RangesFile>> {
  const outcome = await calibrate({
    open: prepared.open,
    model: prepared.folded(),
    data,
    estimator,
    threads: options.threads,
    signal: context.signal,
    progress: context.progress,
    partial,
  });
  return outcome.value ? outcome : fail(...outcome.issues);
}
