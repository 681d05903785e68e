/**
 * The three errors of layers inside If, Loop and Scan bodies. Cumulative error and output effect come from whole
 * networks, quantized up to the layer or in this layer alone; where a loop or branch runs another way in the quantized
 * network there is no cumulative error, and the report says so.
 */
import { innerSweep, liftedPairs } from '../analysis/inner-layers';
import { innerPairs } from '../analysis/layer-pairs';
import type { OpenSession, OutputEffect } from '../analysis/output-effect';
import { runShadow, type ShadowResult } from '../analysis/run-shadow';
import type { LayerPair } from '../analysis/shadow';
import { floatName } from '../base/format-names';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { cloneModel } from '../graph/walk';
import type { MeasureJob } from '../jobs';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import type { PreparedModel } from './open';
import { floatBeside, type PreparedScheme } from './schemes';
import { quantizedTwin, simulate } from './simulate';

export interface InnerInput {
  readonly prepared: PreparedModel;
  readonly scheme: PreparedScheme;
  readonly feeds: Feeds;
  readonly job: MeasureJob;
  readonly batchSize: number;
  readonly open: OpenSession;
  readonly context: ServedContext;
}

/** Pairs of those layers inside bodies that the plan quantizes. */
function plannedInner({ prepared, scheme }: InnerInput): readonly string[] {
  const planned = new Set(
    scheme.plan.layers.filter(({ form }) => form !== floatName).map(({ name }) => name),
  );
  return innerPairs(prepared.folded(), scheme.twin).flatMap(({ name }) => (planned.has(name) ? [name] : []));
}

/** Own errors of layers inside bodies, and which of them the float network never comes to on the data. */
export interface InnerLocal {
  readonly errors: ShadowResult;
  readonly idle: readonly string[];
}

/** Own error of the weights of all such layers; without a value for a scheme that has none. */
export async function innerLocal(input: InnerInput): Promise<Outcome<InnerLocal>> {
  const { prepared, scheme, feeds, batchSize, context } = input;
  const names = new Set(plannedInner(input));
  if (names.size === 0) return { value: undefined, issues: [] };
  const float = floatBeside(prepared, [scheme.twin]);
  const pairs = innerPairs(float, scheme.twin).filter(({ name }) => names.has(name));
  const { model, comparisons } = innerSweep(float, pairs);
  if (comparisons.length === 0) return { value: undefined, issues: [] };
  const session = await input.open(model, 'disabled');
  if (!session.value) return fail(...session.issues);
  try {
    const shadow = { model, comparisons, topOne: undefined };
    const { signal, progress } = context;
    const ran = await runShadow({
      shadow,
      session: session.value,
      feeds,
      batchSize,
      stage: 'measure',
      signal,
      progress,
    });
    if (!ran.value) return fail(...ran.issues);
    return ok({ errors: asLocal(ran.value, scheme), idle: idleLayers(ran.value) }, ran.issues);
  } finally {
    await session.value.release();
  }
}

/** Layers of which no turn and no branch made an element have nothing but zeros to tell. */
function idleLayers({ sqnr, metrics }: ShadowResult): readonly string[] {
  return Object.keys(sqnr.localWeights).filter((name) => metrics.localWeights[name] === undefined);
}

export function neverRuns(layers: readonly string[]): Issue {
  return issue('layer-never-runs', { layers }, { layer: layers[0] }, 'information');
}

/** What weights do alone is the layer's own error where its activation stays float as planned, and a part where not. */
function asLocal(result: ShadowResult, { plan }: PreparedScheme): ShadowResult {
  const partly = new Set(
    plan.layers
      .filter(({ changes }) =>
        changes.some((change) => change.kind === 'kept-float' && change.part === 'activations'),
      )
      .map(({ name }) => name),
  );
  const weights = Object.entries(result.sqnr.localWeights);
  const local = Object.fromEntries(weights.map(([name, db]) => [name, partly.has(name) ? null : db]));
  const localWeights = Object.fromEntries(weights.filter(([name]) => partly.has(name)));
  const metrics = Object.entries(result.metrics.localWeights).filter(([name]) => !partly.has(name));
  return {
    ...result,
    sqnr: { ...result.sqnr, local, localWeights },
    metrics: { ...result.metrics, local: Object.fromEntries(metrics), localWeights: {} },
  };
}

/** Everything up to each layer quantized; layer by layer where all at once does not run. */
export async function innerCumulative(input: InnerInput): Promise<readonly Outcome<ShadowResult>[]> {
  const names = plannedInner(input);
  if (names.length === 0) return [];
  const whole = await compareInside(input, new Set(names));
  if (whole.value) return [whole];
  const results: Outcome<ShadowResult>[] = [];
  const lost: string[] = [];
  for (const name of names) {
    const one = names.length === 1 ? whole : await compareInside(input, new Set([name]));
    if (one.value) results.push(one);
    else lost.push(name);
  }
  return lost.length === 0 ? results : [...results, { value: undefined, issues: [notCompared(lost)] }];
}

function notCompared(layers: readonly string[]): Issue {
  return issue('inner-not-compared', { layers }, { layer: layers[0] }, 'information');
}

function compareInside(input: InnerInput, names: ReadonlySet<string>): Promise<Outcome<ShadowResult>> {
  const { prepared, scheme, feeds, job, context } = input;
  const float = floatBeside(prepared, [scheme.twin]);
  const quantized = cloneModel(scheme.twin);
  const pairs = liftedPairs(innerPairs(float, quantized).filter(({ name }) => names.has(name)));
  const what = { local: false, cumulative: true, output: false };
  return simulate({
    float,
    quantized,
    pairs,
    prepared,
    feeds,
    what,
    options: job,
    stage: 'measure',
    context,
    part: Math.max(1, pairs.length),
  });
}

const asFloat = { weights: floatName, activations: floatName, form: floatName, storage: floatName } as const;

/**
 * Each layer alone quantized, at the model output.
 * @param idle layers that never run: whatever they hold moves nothing, which says nothing of them.
 */
export async function innerEffects(
  input: InnerInput,
  idle: ReadonlySet<string>,
): Promise<Outcome<ReadonlyMap<string, OutputEffect>>> {
  const { prepared, scheme, feeds, job, context } = input;
  const effects = new Map<string, OutputEffect>();
  for (const name of plannedInner(input)) {
    if (idle.has(name)) {
      effects.set(name, { sqnr: null, noise: 0, basis: 'measured', batches: [] });
      continue;
    }
    const layers = scheme.plan.layers.map((layer) =>
      layer.name === name ? layer : { ...layer, ...asFloat },
    );
    const twin = quantizedTwin(prepared, { ...scheme.plan, layers }, scheme.ranges);
    if (!twin.value) return fail(...twin.issues);
    const pairs: readonly LayerPair[] = [];
    const what = { local: false, cumulative: false, output: true };
    const float = floatBeside(prepared, [twin.value]);
    const ran = await simulate({
      float,
      quantized: twin.value,
      pairs,
      prepared,
      feeds,
      what,
      options: job,
      stage: 'measure',
      context,
    });
    if (!ran.value) return fail(...ran.issues);
    const [sqnr = null] = Object.values(ran.value.sqnr.output);
    const noise = sqnr === null ? 0 : 10 ** (-sqnr / 10);
    effects.set(name, { sqnr, noise, basis: 'measured', batches: ran.value.runs ?? [] });
  }
  return ok(effects);
}
