/**
 * "Which layer is it?" for a whole network: suspects are halved on a few samples, the last ones race on more, and a
 * design of switched runs tells whether the answer, layer by layer, can be trusted to add up. One session serves all
 * runs (`analysis/switches.ts`).
 */
import type { OutputReport } from '../../protocol/reports';
import { designRuns, findLoudest, raceLayers, separability } from '../analysis/group-testing';
import type { LayerPair } from '../analysis/shadow';
import { type SwitchedModel, switchedModel } from '../analysis/switches';
import { checkpoint } from '../base/cancel';
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import type { Issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import { sqnr } from '../numerics/metrics';
import type { ServedContext } from '../runtime/child';
import type { Feeds } from '../runtime/feeds';
import type { InputTensors, RuntimeTensor, Session } from '../runtime/ort';
import { floats, runtimeTensor } from '../runtime/runtime-tensor';

export interface FindWorstInput {
  /** In the operator set of the twin. */
  readonly float: Model;
  readonly pairs: readonly LayerPair[];
  readonly count: number;
  readonly open: (model: Model, optimization: 'all' | 'disabled') => Promise<Outcome<Session>>;
  readonly feeds: Feeds;
  readonly batchSize: number;
  readonly context: Pick<ServedContext, 'signal' | 'progress'>;
}

export type WorstLayers = Required<Pick<OutputReport, 'worst'>> & Pick<OutputReport, 'separability'>;

/** Samples on which groups are compared. */
const FIRST_SAMPLES = 8;

/** Samples that are kept in memory for the race. */
const MOST_SAMPLES = 64;

/**
 * Output elements over which products of two layers' errors cancel: over few of them independent errors look as if
 * they acted together.
 */
const FIT_ELEMENTS = 4096;

/** Layers beyond those asked for that take part in the race. */
const RUNNERS_UP = 2;

/** Finds the layers. Without a value: issues of sessions and data. */
export async function findWorst(input: FindWorstInput): Promise<Outcome<WorstLayers>> {
  const [target] = input.float.graph.outputs;
  if (target?.elementType !== DataTypeCode.float) return ok({ worst: [] });
  const samples = await readSamples(input, target.name);
  if (!samples.value) return fail(...samples.issues);
  const switched = switchedModel(input.float, input.pairs);
  const session = await input.open(switched.model, 'all');
  if (!session.value) return fail(...session.issues);
  const bench = new Bench(session.value, switched, samples.value, input);
  try {
    return ok(await bench.find(input.count));
  } catch (error) {
    if (error instanceof Stopped) return fail(...error.issues);
    throw error;
  } finally {
    await session.value.release();
  }
}

/** Batches with the float network's output. */
interface Batch {
  readonly feeds: InputTensors;
  readonly reference: RuntimeTensor;
  readonly count: number;
}

/** Carries a session's issues out of a search that knows no outcomes. */
class Stopped extends Error {
  constructor(readonly issues: readonly Issue[]) {
    super('stopped');
  }
}

async function readSamples(input: FindWorstInput, target: string): Promise<Outcome<readonly Batch[]>> {
  const session = await input.open(input.float, 'all');
  if (!session.value) return fail(...session.issues);
  const batches: Batch[] = [];
  let count = 0;
  try {
    const size = Math.min(input.batchSize, FIRST_SAMPLES);
    for await (const batch of input.feeds.batches(size, input.context.signal)) {
      if (!batch.value) return fail(...batch.issues);
      const ran = await session.value.run(batch.value.feeds);
      if (!ran.value) return fail(...ran.issues);
      const reference = defined(ran.value[target], 'the first output');
      batches.push({ feeds: batch.value.feeds, reference, count: batch.value.count });
      count += batch.value.count;
      if (count >= MOST_SAMPLES) break;
    }
    return ok(batches);
  } finally {
    await session.value.release();
  }
}

class Bench {
  /** Runs done and to do at most. */
  private runs = 0;
  private total = 0;

  constructor(
    private readonly session: Session,
    private readonly switched: SwitchedModel,
    private readonly batches: readonly Batch[],
    private readonly input: FindWorstInput,
  ) {}

  async find(count: number): Promise<WorstLayers> {
    const layers = [...this.switched.switches.keys()];
    const [first] = this.batches;
    const few = first?.count ?? 0;
    const available = this.batches.reduce((sum, batch) => sum + batch.count, 0);
    const wanted = count + RUNNERS_UP;
    const batches = this.batches.length;
    const size = (first?.reference.data.length ?? 0) / Math.max(few, 1);
    const enough = Math.min(available, Math.max(few, Math.ceil(FIT_ELEMENTS / Math.max(size, 1))));
    // At most: halving ends earlier where few layers are loud, the race where the order is clear.
    const halving = Math.min(2 * layers.length - 1, 1 + 2 * wanted * Math.ceil(Math.log2(layers.length + 1)));
    const racing = Math.min(wanted, layers.length) * batches;
    this.total = halving + racing + designRuns(layers.length) * Math.ceil(enough / Math.max(few, 1));
    const { found } = await findLoudest(layers, wanted, async (members) =>
      (await this.noises(members, 0, few)).reduce((sum, one) => sum + one, 0),
    );
    this.runs = halving;
    const raced = await raceLayers(
      found.map((one) => one.layer),
      count,
      { first: few, available },
      (layer, from, to) => this.noises([layer], from, to),
    );
    this.runs = halving + racing;
    const fit = await separability(layers, (members) => this.noises(members, 0, enough));
    const power = this.batches.map(({ reference }) => sumOfSquares(reference));
    const signal = power.reduce((sum, one) => sum + one, 0) / Math.max(available, 1);
    const worst = raced.map(({ layer, noise, samples }) => ({
      layer,
      sqnr: sqnr({ signal, noise }),
      samples,
    }));
    return { worst, ...(fit ? { separability: fit } : {}) };
  }

  /** Σe² at the output per sample of [from, to), with exactly these layers quantized. */
  private async noises(layers: readonly string[], from: number, to: number): Promise<readonly number[]> {
    const chosen = new Set(layers);
    const flags = [...this.switched.switches].map(([layer, input]) => [
      input,
      runtimeTensor('bool', [], Uint8Array.of(chosen.has(layer) ? 1 : 0)),
    ]);
    const noises: number[] = [];
    let at = 0;
    for (const batch of this.batches) {
      const start = at;
      at += batch.count;
      if (at <= from || start >= to) continue;
      await checkpoint(this.input.context.signal);
      const { data, dims } = batch.reference;
      const reference = floats(dims, data instanceof Float32Array ? data : new Float32Array());
      const feeds: Record<string, RuntimeTensor> = {
        ...batch.feeds,
        ...Object.fromEntries(flags),
        [this.switched.reference]: reference,
      };
      const inputs = this.session.inputs.map(({ name }) => [name, defined(feeds[name], `input ${name}`)]);
      const ran = await this.session.run(Object.fromEntries(inputs));
      if (!ran.value) throw new Stopped(ran.issues);
      const rows = ran.value[this.switched.noise]?.data ?? [];
      for (let row = 0; row < rows.length; row++) {
        if (start + row >= from && start + row < to) noises.push(Number(rows[row]));
      }
      this.runs++;
      const detail = layers.length === 1 ? (layers[0] ?? '') : `${layers.length} layers`;
      this.input.context.progress({
        stage: 'measure',
        done: Math.min(this.runs, this.total),
        total: this.total,
        unit: 'steps',
        detail,
      });
    }
    return noises;
  }
}

function sumOfSquares({ data }: RuntimeTensor): number {
  let sum = 0;
  for (let at = 0; at < data.length; at++) sum += Number(data[at]) ** 2;
  return sum;
}
