/** Job `weights`: weight error of every layer, of a model or of a weight file without a graph. */
import { quantizedFacts } from '../analysis/quantized-facts';
import { namedErrors, type WeightReport, weightReports } from '../analysis/weight-reports';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { isWeightFile, openWeights } from '../graph/from-weights';
import type { Model } from '../graph/ir';
import type { WeightsJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import { withModel } from './open';
import { spaced } from './spaced';

type Reports = Outcome<readonly WeightReport[]>;

export function weightsHandler(job: WeightsJob, context: ServedContext): Promise<Reports> {
  const partial = spaced(context.partial);
  const measure = async (model: Model, folded: () => Model): Promise<Reports> => {
    const input = {
      model,
      formats: job.formats,
      signal: context.signal,
      progress: context.progress,
      partial: (reports: readonly WeightReport[]) => partial(() => reports),
    };
    if (job.layers) {
      const named = await namedErrors(job.layers, input);
      return ok(named.reports, named.issues);
    }
    const result = await weightReports({ ...input, folded: folded() });
    // Layers that are stored quantized: what their codes tell.
    const facts = await quantizedFacts(model, {
      ...input,
      partial: (some) => input.partial([...result.reports, ...some]),
    });
    return ok([...result.reports, ...facts], result.issues);
  };
  if (isWeightFile(job.model)) return measureWeightFile(job.model, (model) => measure(model, () => model));
  return withModel(job.model, (prepared) => measure(prepared.open.model, prepared.folded));
}

async function measureWeightFile(
  path: string,
  measure: (model: Model) => Promise<Reports>,
): Promise<Reports> {
  const opened = openWeights(path);
  if (!opened.value) return fail(...opened.issues);
  const weights = opened.value;
  try {
    const reports = await measure(weights.model);
    if (!weights.unchanged()) return fail(issue('file-changed', { path }, { path }));
    return { value: reports.value, issues: [...opened.issues, ...reports.issues] };
  } finally {
    weights.close();
  }
}
