/** What `quantize` and `encodings` share: the plan of a job, and the activation ranges that it needs. */
import type { DataSpec, RangesFile } from '../../protocol/reports';
import { checkRanges } from '../analysis/calibrate';
import { targetNames } from '../base/format-names';
import { hasErrors, type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { parseRecipe } from '../format/recipe';
import { listLayers } from '../graph/layers';
import { allGraphs } from '../graph/walk';
import type { EncodingRanges, PlanningJob } from '../jobs';
import { isAvailable, methodIssue } from '../methods/available';
import { makePlan, type QuantPlan } from '../methods/plan';
import { fingerprintModel } from '../model-fingerprint';
import type { ServedContext } from '../runtime/child';
import { openFeeds } from '../runtime/feeds';
import { rangesOf } from './calibrate';
import { foldedNames } from './folded-names';
import type { PreparedModel } from './open';

/** The plan that a job's recipe, scheme and flags make. */
export function planOf(job: PlanningJob, prepared: PreparedModel): Outcome<QuantPlan> {
  const model = prepared.folded();
  const parsed = job.recipe === undefined ? undefined : parseRecipe(job.recipe);
  if (parsed && (!parsed.recipe || hasErrors(parsed.issues))) return fail(...parsed.issues);
  const missing = parsed?.recipe?.methods.find((method) => !isAvailable(method.name));
  if (missing) return fail(methodIssue(missing.name));
  const target = targetNames.find((name) => name === job.target);
  const plan = makePlan({
    model,
    layers: listLayers(model),
    recipe: parsed?.recipe,
    spans: parsed?.spans,
    scheme: job.scheme,
    estimator: job.estimator,
    keepFloat: job.keepFloat,
    target,
  });
  return { value: plan.value, issues: [...(parsed?.issues ?? []), ...plan.issues] };
}

/** Ranges as given, checked to be fresh, or calibrated now; none for a weight-only plan. Encodings win over both. */
export async function neededRanges(
  job: PlanningJob,
  context: ServedContext,
  prepared: PreparedModel,
  plan: QuantPlan,
): Promise<Outcome<RangesFile>> {
  const needed = plan.layers.some((layer) => layer.activations !== 'float');
  if (!needed) return { value: undefined, issues: [] };
  const encodings = job.encodings && withOurNames(job.encodings, prepared);
  if (encodings && !job.data)
    return ok(withEncodings(undefined, job, encodings), unusedEncodings(encodings, prepared));
  if (job.ranges) {
    const fingerprint = await fingerprintModel(job.model, context.signal);
    if (!fingerprint.value) return fail(...fingerprint.issues);
    const data = await dataFingerprint(job.ranges, job, context, prepared);
    const stale = checkRanges(job.ranges, fingerprint.value, job.rangesPath ?? '', data);
    return hasErrors(stale) ? fail(...stale) : ok(job.ranges, stale);
  }
  const data = job.data ?? noData(job);
  const ranges = await rangesOf(prepared, data, plan.estimator, job, context, { fingerprints: false });
  if (!ranges.value) return fail(...ranges.issues);
  const from = ranges.value.data.noData;
  if (encodings) {
    const unused = unusedEncodings(encodings, prepared);
    return ok(withEncodings(ranges.value, job, encodings), [...ranges.issues, ...unused]);
  }
  return ok(
    ranges.value,
    from ? [...ranges.issues, issue('data-none', { from }, {}, 'warning')] : ranges.issues,
  );
}

/** The tool that folded BatchNormalization names what comes behind it like the operator's own output. */
function withOurNames(encodings: EncodingRanges, prepared: PreparedModel): EncodingRanges {
  const names = foldedNames(prepared);
  const ranges = Object.entries(encodings.ranges).map(([name, range]) => {
    const ours = names.get(name);
    return [ours === undefined || ours in encodings.ranges ? name : ours, range] as const;
  });
  return { ...encodings, ranges: Object.fromEntries(ranges) };
}

/** Ranges that another tool chose over the calibrated ones, or alone. */
function withEncodings(
  calibrated: RangesFile | undefined,
  job: PlanningJob,
  { path, ranges }: EncodingRanges,
): RangesFile {
  const base = calibrated ?? {
    version: 1,
    model: { path: job.model, fingerprint: '' },
    data: { source: 'none', fingerprint: '', samples: 0 },
    estimator: path,
    preprocessing: {},
    seed: job.seed,
  };
  return { ...base, ranges: { ...calibrated?.ranges, ...ranges } };
}

/** One issue about everything of an encodings file that has no effect. */
function unusedEncodings(
  { path, ranges, weights, skipped }: EncodingRanges,
  prepared: PreparedModel,
): Issue[] {
  const names = new Set(allGraphs(prepared.folded().graph).flatMap((graph) => [...graph.values.keys()]));
  const unknown = Object.keys(ranges).filter((name) => !names.has(name));
  if (unknown.length === 0 && weights === 0 && skipped.length === 0) return [];
  const severity = unknown.length === 0 && skipped.length === 0 ? 'information' : 'warning';
  return [issue('encodings-unused', { unknown, skipped, weights }, { path }, severity)];
}

/** Ranges that an encodings file lacks as one issue: there may be a hundred, and the remedy is one. */
export function incomplete(job: PlanningJob, issues: readonly Issue[]): readonly Issue[] {
  const missing = issues.filter((one) => one.code === 'range-missing');
  if (job.encodings === undefined || !hasErrors(missing)) return issues;
  const tensors = missing.flatMap((one) => one.anchor.tensor ?? []);
  const { path } = job.encodings;
  return [
    ...issues.filter((one) => one.code !== 'range-missing'),
    issue('encodings-incomplete', { tensors }, { path }),
  ];
}

/** What the data of a ranges file is now; `undefined` when it cannot be opened (any more), which verifying reports. */
async function dataFingerprint(
  { data, seed, preprocessing }: RangesFile,
  { dimensions }: PlanningJob,
  context: ServedContext,
  prepared: PreparedModel,
): Promise<string | undefined> {
  if (data.source === 'none' || data.source === 'random') return undefined;
  const spec = { source: data.source, samples: data.samples, seed, preprocessing, dimensions };
  const feeds = await openFeeds(spec, prepared.folded());
  if (!feeds.value) return undefined;
  try {
    return await feeds.value.fingerprint(context.signal);
  } finally {
    feeds.value.close();
  }
}

/** Noise instead of data. */
export function noData(job: PlanningJob): DataSpec {
  return { source: 'none', seed: job.seed, preprocessing: {}, dimensions: job.dimensions };
}
