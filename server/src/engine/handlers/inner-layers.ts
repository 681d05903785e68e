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
import type { ProgressStage } from '../base/progress';
import type { Model } from '../graph/ir';
import { cloneModel } from '../graph/walk';
import type { CommonOptions } from '../jobs';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import type { PreparedModel } from './open';
import { floatBeside, type PreparedScheme } from './schemes';
import { quantizedTwin, simulate } from './simulate';

/** Two networks whose layers inside bodies are compared. */
export interface InnerRun {
  /** Fresh copies, which may be changed, and their pairs inside bodies. */
  readonly twins: () => InnerTwins;
  readonly prepared: PreparedModel;
  readonly feeds: Feeds;
  readonly options: CommonOptions;
  readonly stage: ProgressStage;
  readonly batchSize: number;
  readonly open: OpenSession;
  readonly context: Pick<ServedContext, 'signal' | 'progress'>;
}

export interface InnerTwins {
  readonly float: Model;
  readonly quantized: Model;
  readonly pairs: readonly LayerPair[];
}

/** A scheme beside the float network, of one `measure` job. */
export interface InnerScheme extends Omit<InnerRun, 'twins' | 'stage'> {
  readonly scheme: PreparedScheme;
}

export function innerRun(input: InnerScheme): InnerRun {
  const { prepared, scheme } = input;
  const names = new Set(plannedInner(input));
  const twins = () => {
    const float = floatBeside(prepared, [scheme.twin]);
    const quantized = cloneModel(scheme.twin);
    return { float, quantized, pairs: innerPairs(float, quantized).filter(({ name }) => names.has(name)) };
  };
  return { ...input, twins, stage: 'measure' };
}

/** Pairs of those layers inside bodies that the plan quantizes. */
function plannedInner({ prepared, scheme }: InnerScheme): readonly string[] {
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

/**
 * Own errors of all such layers; without a value where there are none.
 * @param partly layers whose activations should be quantized and are not: only their weights' part is known.
 */
export async function innerLocal(
  run: InnerRun,
  partly: ReadonlySet<string> = new Set(),
): Promise<Outcome<InnerLocal>> {
  const { float, pairs } = run.twins();
  if (pairs.length === 0) return { value: undefined, issues: [] };
  const { model, comparisons } = innerSweep(float, pairs);
  if (comparisons.length === 0) return { value: undefined, issues: [] };
  const session = await run.open(model, 'disabled');
  if (!session.value) return fail(...session.issues);
  try {
    const { feeds, batchSize, stage, context } = run;
    const { signal, progress } = context;
    const shadow = { model, comparisons, topOne: undefined };
    const ran = await runShadow({
      shadow,
      session: session.value,
      feeds,
      batchSize,
      stage,
      signal,
      progress,
    });
    if (!ran.value) return fail(...ran.issues);
    return ok({ errors: asLocal(ran.value, partly), idle: idleLayers(ran.value) }, ran.issues);
  } finally {
    await session.value.release();
  }
}

/** Layers of which no turn and no branch made an element have nothing but zeros to tell. */
function idleLayers({ sqnr, metrics }: ShadowResult): readonly string[] {
  const seen = { ...metrics.localWeights, ...metrics.local };
  const all = { ...sqnr.localWeights, ...sqnr.local };
  return Object.keys(all).filter((name) => seen[name] === undefined);
}

export function neverRuns(layers: readonly string[]): Issue {
  return issue('layer-never-runs', { layers }, { layer: layers[0] }, 'information');
}

/** Layers of a plan whose activations stay float against what was asked for. */
export function partlyQuantized({ plan }: PreparedScheme): ReadonlySet<string> {
  const partly = plan.layers.filter(({ changes }) =>
    changes.some((change) => change.kind === 'kept-float' && change.part === 'activations'),
  );
  return new Set(partly.map(({ name }) => name));
}

/** What weights do alone is the layer's own error where its activation stays float as planned, and a part where not. */
function asLocal(result: ShadowResult, partly: ReadonlySet<string>): ShadowResult {
  const isWhole = (name: string) => !partly.has(name) && !(name in result.sqnr.local);
  const moved = <T>(
    local: Readonly<Record<string, T>>,
    weights: Readonly<Record<string, T>>,
    unknown: Readonly<Record<string, T>> = {},
  ) => {
    const entries = Object.entries(weights);
    const whole = Object.fromEntries(entries.filter(([name]) => isWhole(name)));
    const part = Object.fromEntries(entries.filter(([name]) => !isWhole(name)));
    return { local: { ...unknown, ...whole, ...local }, localWeights: part };
  };
  const { sqnr, metrics } = result;
  const unknown = Object.fromEntries(
    [...partly].filter((name) => name in sqnr.localWeights).map((name) => [name, null]),
  );
  return {
    ...result,
    sqnr: { ...sqnr, ...moved(sqnr.local, sqnr.localWeights, unknown) },
    metrics: { ...metrics, ...moved(metrics.local, metrics.localWeights) },
  };
}

/** Everything up to each layer quantized; layer by layer where all at once does not run. */
export async function innerCumulative(run: InnerRun): Promise<readonly Outcome<ShadowResult>[]> {
  const names = run.twins().pairs.map(({ name }) => name);
  if (names.length === 0) return [];
  const whole = await compareInside(run, new Set(names));
  if (whole.value) return [whole];
  const results: Outcome<ShadowResult>[] = [];
  const lost: string[] = [];
  for (const name of names) {
    const one = names.length === 1 ? whole : await compareInside(run, new Set([name]));
    if (one.value) results.push(one);
    else lost.push(name);
  }
  return lost.length === 0 ? results : [...results, { value: undefined, issues: [notCompared(lost)] }];
}

function notCompared(layers: readonly string[]): Issue {
  return issue('inner-not-compared', { layers }, { layer: layers[0] }, 'information');
}

function compareInside(run: InnerRun, names: ReadonlySet<string>): Promise<Outcome<ShadowResult>> {
  const { float, quantized, pairs: all } = run.twins();
  const pairs = liftedPairs(all.filter(({ name }) => names.has(name)));
  const what = { local: false, cumulative: true, output: false };
  return simulate({ ...run, float, quantized, pairs, what, part: Math.max(1, pairs.length) });
}

const asFloat = { weights: floatName, activations: floatName, form: floatName, storage: floatName } as const;

/**
 * Each layer alone quantized, at the model output.
 * @param idle layers that never run: whatever they hold moves nothing, which says nothing of them.
 */
export async function innerEffects(
  input: InnerScheme,
  idle: ReadonlySet<string>,
): Promise<Outcome<ReadonlyMap<string, OutputEffect>>> {
  const { prepared, scheme, feeds, options, context } = input;
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
      options,
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
