/**
 * Job `quantize`: plan → calibrate where needed → export → load the written file, run it, compare it with the float
 * model → only then give it its name.
 */
import type { DataSpec, OutputPart, PlannedLayer, QuantizeReport, RangesFile } from '../../protocol/reports';
import { batchSizeFor } from '../analysis/batch-size';
import { evaluate } from '../analysis/evaluate';
import { latencyOf } from '../analysis/latency';
import { openLikelyFeeds } from '../analysis/likely-noise';
import { AgreementScorer } from '../analysis/scorers';
import { hasErrors, type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { writeModel } from '../export/write';
import type { Model } from '../graph/ir';
import { listLayers } from '../graph/layers';
import type { QuantizeJob } from '../jobs';
import type { PlanLayer, QuantPlan } from '../methods/plan';
import { weightErrors } from '../numerics/weight-error';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import { openModelFile } from '../runtime/model-file';
import type { Session } from '../runtime/ort';
import { openSession } from '../runtime/session-model';
import { differsFromFloat } from './deployed';
import { type PreparedModel, withModel } from './open';
import { incomplete, neededRanges, noData, planOf } from './planned';
import { quantizedTwin } from './simulate';

/** Samples on which a written file is compared with the float model. */
const VERIFY_SAMPLES = 32;
const NOISE_SAMPLES = 8;

export function quantizeHandler(job: QuantizeJob, context: ServedContext): Promise<Outcome<QuantizeReport>> {
  return withModel(job.model, async (prepared) => {
    const plan = planOf(job, prepared);
    if (!plan.value || hasErrors(plan.issues)) return fail(...plan.issues);
    if (plan.value.layers.every((layer) => layer.form === 'float')) {
      const refused = plan.issues.find((one) => one.code === 'R02');
      const reason = refused ? refused.facts.reason : 'all are kept in float';
      return fail(issue('nothing-to-quantize', { reason }));
    }
    const issues: Issue[] = [...plan.issues];
    const ranges = await neededRanges(job, context, prepared, plan.value);
    issues.push(...ranges.issues);
    if (hasErrors(ranges.issues)) return fail(...issues);
    const twin = quantizedTwin(prepared, plan.value, ranges.value);
    issues.push(...twin.issues);
    if (!twin.value || hasErrors(twin.issues)) return fail(...incomplete(job, issues));
    return write(job, context, prepared, plan.value, twin.value, ranges.value, issues);
  });
}

async function write(
  job: QuantizeJob,
  context: ServedContext,
  prepared: PreparedModel,
  plan: QuantPlan,
  twin: Model,
  ranges: RangesFile | undefined,
  issues: Issue[],
): Promise<Outcome<QuantizeReport>> {
  const layers = plannedLayers(prepared, plan);
  let verified: Verified | undefined;
  const written = await writeModel(twin, job.output, {
    sources: [job.model, ...prepared.open.external.opened().map((file) => file.path)],
    external: prepared.open.external,
    signal: context.signal,
    progress: context.progress,
    accept: async (temporary) => {
      const outcome = await verify(job, context, prepared, temporary, ranges);
      verified = outcome.value;
      return outcome.issues;
    },
  });
  if (!written.value) return fail(...issues, ...written.issues);
  if (!verified)
    return fail(...issues, issue('verify-failed', { path: job.output, sqnr: null }, { path: job.output }));
  const slower = slowerIssue(verified, plan);
  const { sqnr, simulated } = verified.verification;
  const differs = simulated ? differsFromFloat(simulated.sqnr, sqnr) : [];
  const all = [...issues, ...written.issues, ...differs, ...(slower ? [slower] : [])];
  return ok(
    {
      output: job.output,
      bytesBefore: prepared.open.bytes,
      bytesAfter: written.value.bytes,
      scheme: plan.scheme,
      layers,
      verification: verified.verification,
      latency: verified.latency,
      issues: all,
    },
    all,
  );
}

interface Verified {
  readonly verification: QuantizeReport['verification'];
  readonly latency: QuantizeReport['latency'];
}

/** Loads the file as a user would, runs it beside the float model and times both. */
async function verify(
  job: QuantizeJob,
  context: ServedContext,
  prepared: PreparedModel,
  file: string,
  ranges: RangesFile | undefined,
): Promise<Outcome<Verified>> {
  const data = verificationData(job, ranges);
  const plain = prepared.plain();
  const feeds = await openLikelyFeeds(data, plain, prepared.open.model);
  if (!feeds.value) return fail(...feeds.issues);
  const sessions: Session[] = [];
  const options = { threads: job.threads, optimization: 'all' } as const;
  try {
    const float = await openSession(plain, prepared.open, options);
    if (!float.value) return fail(...float.issues);
    sessions.push(float.value);
    const quantized = await openModelFile(file, options);
    if (!quantized.value) return fail(...quantized.issues);
    sessions.push(quantized.value);
    const scorer = new AgreementScorer();
    const compared = await evaluate({
      session: quantized.value,
      reference: float.value,
      agreement: scorer,
      feeds: feeds.value,
      task: 'classify',
      batchSize: batchSizeFor(prepared.plain(), job.dimensions),
      signal: context.signal,
      progress: (progress) => context.progress({ ...progress, stage: 'verify' }),
    });
    if (!compared.value) return fail(...compared.issues);
    const { sqnr, agreement, samples } = compared.value;
    // Undefined alone is no failure: outputs of zeros that stay zeros have no ratio.
    if (scorer.losesNumbers)
      return fail(issue('verify-failed', { path: job.output, sqnr }, { path: job.output }));
    const simulated = await simulatedOf(job, context, plain, feeds.value, float.value, file);
    const latency = await latencyOf(float.value, quantized.value, feeds.value, context.signal);
    return ok({
      verification: {
        sqnr,
        topOneAgreement: agreement,
        execution: 'deployed',
        basis: 'measured',
        samples,
        data: data.source === 'none' ? 'noise' : data.source,
        ...(simulated ? { simulated } : {}),
      },
      latency,
    });
  } finally {
    for (const session of sessions) await session.release();
    feeds.value.close();
  }
}

/** The written file operator by operator, nothing fused, on the same samples; nothing where it cannot be run so. */
async function simulatedOf(
  job: QuantizeJob,
  context: ServedContext,
  plain: Model,
  feeds: Feeds,
  float: Session,
  file: string,
): Promise<OutputPart | undefined> {
  const session = await openModelFile(file, { threads: job.threads, optimization: 'disabled' });
  if (!session.value) return undefined;
  try {
    const compared = await evaluate({
      session: session.value,
      reference: float,
      feeds,
      task: 'classify',
      batchSize: batchSizeFor(plain, job.dimensions),
      signal: context.signal,
      progress: (progress) => context.progress({ ...progress, stage: 'verify' }),
    });
    const { sqnr, agreement } = compared.value ?? {};
    return sqnr === undefined ? undefined : { sqnr, topOneAgreement: agreement ?? null };
  } finally {
    await session.value.release();
  }
}

/** The calibration data where there is some, else noise. */
function verificationData(job: QuantizeJob, ranges: RangesFile | undefined): DataSpec {
  const given =
    job.data ??
    (ranges && {
      source: ranges.data.source,
      seed: ranges.seed,
      preprocessing: ranges.preprocessing,
      dimensions: job.dimensions,
    });
  if (!given || given.source === 'none') return { ...noData(job), samples: NOISE_SAMPLES };
  return { ...given, samples: Math.min(given.samples ?? VERIFY_SAMPLES, VERIFY_SAMPLES) };
}

function slowerIssue({ latency }: Verified, plan: QuantPlan): Issue | undefined {
  // Differences of a few per cent are noise of the clock.
  if (!latency || latency.quantized <= latency.float * 1.05) return undefined;
  const quantized = plan.layers.filter((layer) => layer.form !== 'float');
  const unfused = quantized.filter((layer) =>
    layer.changes.some((change) => change.kind === 'no-integer-kernel'),
  );
  const weightOnly = quantized.every((layer) => layer.activations === 'float');
  const because = weightOnly ? 'weight-only' : unfused.length > 0 ? 'unfused' : 'small';
  const layers = because === 'unfused' ? unfused.map((layer) => layer.name) : [];
  return issue(
    'slower-than-float',
    { ratio: latency.float / latency.quantized, because, layers },
    {},
    'warning',
  );
}

/** The plan as reported: with the SQNR that the exported codes have. */
function plannedLayers(prepared: PreparedModel, plan: QuantPlan): readonly PlannedLayer[] {
  const layers = new Map(listLayers(prepared.folded()).map((layer) => [layer.name, layer]));
  return plan.layers.map((planned) => {
    const layer = layers.get(planned.name);
    return {
      name: planned.name,
      weights: planned.weights,
      activations: planned.activations,
      bytes: planned.bytes,
      bytesIdeal: planned.bytesIdeal,
      weightSqnr: layer ? sqnrOf(layer, planned) : null,
    };
  });
}

function sqnrOf(layer: ReturnType<typeof listLayers>[number], planned: PlanLayer): number | null {
  if (planned.weights === 'float') return null;
  const data = layer.tensor.toFloat32().value;
  if (!data) return null;
  return (
    weightErrors(data, layer.shape, layer.channelAxis, [planned.weights]).value?.sqnr[planned.weights] ?? null
  );
}
