/** Job `weights`: weight error of every layer. */
import { type WeightReport, weightReports } from '../analysis/weight-reports';
import { type Outcome, ok } from '../base/outcome';
import type { WeightsJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import { withModel } from './open';

export function weightsHandler(
  job: WeightsJob,
  context: ServedContext,
): Promise<Outcome<readonly WeightReport[]>> {
  return withModel(job.model, async (prepared) => {
    const result = await weightReports({
      model: prepared.open.model,
      folded: prepared.folded(),
      formats: job.formats,
      signal: context.signal,
      progress: context.progress,
      partial: context.partial,
    });
    return ok(result.reports, result.issues);
  });
}
