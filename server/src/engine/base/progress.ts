/** Progress sinks; the plain data type lives in `protocol/progress.ts` because the client shows it. */
import type { ProgressSink } from '../../protocol/progress';

export type { Progress, ProgressSink, ProgressStage } from '../../protocol/progress';

/** A sink for callers that do not watch. */
export const noProgress: ProgressSink = () => {};
