/**
 * Job `quantize`: plan → calibrate where needed → export → load the written file, run it, compare it with the float
 * model → only then give it its name.
 */
import type { DataSpec, OutputPart, PlannedLayer, QuantizeReport, RangesFile } from '../../protocol/reports';
import { agreements } from '../analysis/agreement';
import { batchSizeFor } from '../analysis/batch-size';
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
import { floatSibling } from '../runtime/float-sibling';
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
    const already = job.recipe === undefined ? quantizedAlready(job, prepared) : undefined;
    if (already) return fail(already);
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

/** Share of layers that are stored as codes from which the file counts as quantized. */
const QUANTIZED_SHARE = 0.75;

/** A file most of whose layers are codes was given by mistake, unless a recipe names those that are float. */
function quantizedAlready({ model: file }: QuantizeJob, prepared: PreparedModel): Issue | undefined {
  const layers = listLayers(prepared.folded());
  const stored = layers.filter((layer) => layer.quantized);
  if (stored.length === 0 || stored.length < QUANTIZED_SHARE * layers.length) return undefined;
  const original = floatSibling(file, stored);
  const facts = { path: file, layers: stored.length, total: layers.length };
  return issue('quantized-already', original === undefined ? facts : { ...facts, original }, { path: file });
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
  const grew = grownIssue(prepared.open.bytes, written.value.bytes, plan);
  const all = [...issues, ...written.issues, ...differs, ...grew, ...(slower ? [slower] : [])];
  return ok(
    {
      output: job.output,
      bytesBefore: prepared.open.bytes,
      bytesAfter: written.value.bytes,
      scheme: plan.scheme,
      layers,
      ...(ranges ? { estimator: ranges.estimator } : {}),
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
  const opened = await openExecutions(job, prepared, plain, file);
  try {
    if (!opened.value) return fail(...opened.issues);
    const { float, deployed, simulated } = opened.value;
    const compared = await agreements({
      reference: float,
      others: simulated ? [deployed, simulated] : [deployed],
      feeds: feeds.value,
      batchSize: batchSizeFor(plain, job.dimensions),
      signal: context.signal,
      progress: context.progress,
    });
    if (!compared.value) return fail(...compared.issues);
    const { samples } = compared.value;
    const [asDeployed, asSimulated] = compared.value.found;
    if (!(asDeployed instanceof AgreementScorer)) return fail(...(asDeployed ?? []));
    const output = outputOf(asDeployed);
    // Undefined alone is no failure: outputs of zeros that stay zeros have no ratio.
    if (asDeployed.losesNumbers)
      return fail(issue('verify-failed', { path: job.output, sqnr: output.sqnr }, { path: job.output }));
    // What only the simulation needed does not slow down what is timed.
    await simulated?.release();
    const latency = await latencyOf(float, deployed, feeds.value, context.signal);
    return ok({
      verification: {
        ...output,
        execution: 'deployed',
        basis: 'measured',
        samples,
        data: data.source === 'none' ? 'noise' : data.source,
        ...(asSimulated instanceof AgreementScorer ? { simulated: outputOf(asSimulated) } : {}),
      },
      latency,
    });
  } finally {
    for (const session of Object.values(opened.value ?? {})) await session?.release();
    feeds.value.close();
  }
}

interface Executions {
  readonly float: Session;
  /** The written file as onnxruntime runs it here. */
  readonly deployed: Session;
  /** The same operator by operator, nothing fused; missing where it cannot be run so. */
  readonly simulated: Session | undefined;
}

async function openExecutions(
  { threads }: QuantizeJob,
  prepared: PreparedModel,
  plain: Model,
  file: string,
): Promise<Outcome<Executions>> {
  const float = await openSession(plain, prepared.open, { threads, optimization: 'all' });
  if (!float.value) return fail(...float.issues);
  const deployed = await openModelFile(file, { threads, optimization: 'all' });
  if (!deployed.value) {
    await float.value.release();
    return fail(...deployed.issues);
  }
  const simulated = await openModelFile(file, { threads, optimization: 'disabled' });
  return ok({ float: float.value, deployed: deployed.value, simulated: simulated.value });
}

function outputOf(scorer: AgreementScorer): OutputPart {
  const { sqnr, agreement, varying } = scorer.figures();
  return { sqnr, topOneAgreement: agreement, ...(varying === undefined ? {} : { varying }) };
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

function grownIssue(before: number, after: number, { layers }: QuantPlan): readonly Issue[] {
  const weightsOnly = layers.every(({ activations }) => activations === 'float');
  return after > before ? [issue('file-grew', { before, after, weightsOnly }, {}, 'warning')] : [];
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
