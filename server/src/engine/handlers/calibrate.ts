/** Job `calibrate`: activation ranges of the folded model on a data source; a stopped one can be taken up again. */
import type { DataSpec, RangesFile } from '../../protocol/reports';
import { type CalibrateInput, calibrate } from '../analysis/calibrate';
import { parseState } from '../analysis/calibration-state';
import { hasErrors } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { CalibrateJob, CommonOptions } from '../jobs';
import type { ServedContext } from '../runtime/child';
import { readState, removeState, writeState } from '../runtime/state-file';
import { type PreparedModel, withModel } from './open';
import { spaced } from './spaced';

type Further = Pick<CalibrateInput, 'partial' | 'untilStable' | 'resume' | 'keep' | 'fingerprints'>;

export function calibrateHandler(job: CalibrateJob, context: ServedContext): Promise<Outcome<RangesFile>> {
  const partial = spaced(context.partial);
  const further: Further = {
    partial: (ranges) => partial(() => ranges),
    untilStable: job.untilStable,
  };
  return withModel(job.model, async (prepared) => {
    const start = (more: Further) => rangesOf(prepared, job.data, job.estimator, job, context, more);
    const { state } = job;
    if (!state) return start(further);
    const keep: Further['keep'] = (made) => writeState(state.file, JSON.stringify(made()));
    const text = state.resume === 'no' ? undefined : readState(state.file);
    const read = text === undefined ? ok(undefined) : parseState(text, state.file);
    const strict = state.resume === 'strict';
    if (strict && hasErrors(read.issues)) return fail(...read.issues);
    let outcome = await start({ ...further, keep, resume: read.value });
    const stale = outcome.issues.some((one) => one.code === 'ranges-stale');
    // What nobody asked to be continued is started anew when it belongs to something else.
    if (!outcome.value && stale && !strict) outcome = await start({ ...further, keep });
    if (outcome.value) removeState(state.file);
    return outcome;
  });
}

/** Calibrates an opened model; shared by the jobs that need ranges on the way. */
export async function rangesOf(
  prepared: PreparedModel,
  data: DataSpec,
  estimator: string,
  options: CommonOptions,
  context: ServedContext,
  further: Further = {},
): Promise<Outcome<RangesFile>> {
  const outcome = await calibrate({
    open: prepared.open,
    model: prepared.folded(),
    data,
    estimator,
    threads: options.threads,
    signal: context.signal,
    progress: context.progress,
    ...further,
  });
  return outcome.value ? outcome : fail(...outcome.issues);
}
