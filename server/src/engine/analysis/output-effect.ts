/**
 * Output effect: each layer alone quantized, everything else float, measured at the model's first real output. Exact by
 * segments (`segments.ts`): the float network's tensors at the cuts are kept for one batch of samples; the layers of a
 * segment run in one session from its cut on, and what each of them makes of the segment's end runs through the float
 * sessions of the segments behind it (`segment-chain.ts`). Before that a noise-gain model tells all layers at once from
 * one sample (`output-effect-estimate.ts`). Segments are measured most sensitive first; memory holds one batch.
 */
import type { Basis, Decibel } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { defined } from '../base/invariant';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model, Value } from '../graph/ir';
import { cloneModel } from '../graph/walk';
import { sqnr } from '../numerics/metrics';
import { createRandom } from '../numerics/random';
import type { FeedBatch, Feeds } from '../runtime/feeds';
import type { InputTensors } from '../runtime/ort';
import { pairedSegments, realTarget } from './effect-segments';
import { JoinedTensors, KeptBatch, type Piece, power } from './kept-batch';
import { estimateNoises } from './output-effect-estimate';
import {
  type OpenSession,
  type PairedSegment,
  SegmentChain,
  type Tensors,
  type VariantEnd,
} from './segment-chain';
import type { CutLayer } from './segments';
import type { LayerPair } from './shadow';
import { passing, sizeOf, together } from './variant-ends';

export type { OpenSession } from './segment-chain';

export interface OutputEffectInput {
  /** Float network in the operator set of the twin; not changed. */
  readonly float: Model;
  /** Layers to quantize, of `float` and its quantized twin. */
  readonly pairs: readonly LayerPair[];
  /** Layers with their costs, of `float`. */
  readonly layers: readonly CutLayer[];
  readonly open: OpenSession;
  readonly feeds: Feeds;
  /** Samples whose activations at the cuts are kept at once, and the most that run together. */
  readonly batchSize: number;
  /** Samples per run where activations are large, at most `batchSize`; as many as that when not given. */
  readonly runSize?: number;
  /** Bindings of symbolic dimensions. */
  readonly dimensions?: Readonly<Record<string, number>>;
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** Layers of a batch done and to do, with the layer's name; called for every layer. */
  readonly progress?: (done: number, total: number, layer: string) => void;
  /** Called with the estimates of all layers, then after every measured layer. */
  readonly effects?: (effects: ReadonlyMap<string, OutputEffect>) => void;
}

export interface OutputEffect {
  readonly sqnr: Decibel;
  /** Σe² at the output relative to Σx². */
  readonly noise: number;
  readonly basis: Basis;
  /** Σe² of each batch of samples so far, where it is measured. */
  readonly batches?: readonly BatchNoise[];
}

/** Noise at the output on some samples. */
export interface BatchNoise {
  readonly samples: number;
  readonly noise: number;
}

/** Measures all layers; none when no output is real. Issues: whatever opening or running a session finds. */
export async function outputEffects(
  input: OutputEffectInput,
): Promise<Outcome<ReadonlyMap<string, OutputEffect>>> {
  const float = cloneModel(input.float);
  const target = realTarget(float);
  if (!target) return ok(new Map());
  const segments = pairedSegments(
    { ...input, samples: Math.min(input.batchSize, input.feeds.count) },
    float,
    target,
  );
  const params = input.layers.reduce((sum, layer) => sum + layer.params, 0);
  const chain = new SegmentChain({ float, target, segments, open: input.open, roomy: params <= ROOMY });
  const sweep = new EffectSweep(input, segments, chain, target);
  try {
    const failed = await sweep.run();
    return failed ?? ok(sweep.effects);
  } finally {
    await chain.release();
  }
}

/** Weights of networks that may be held several times (256 MB in float32). */
const ROOMY = 64e6;

/** Elements of variants' ends that are kept until the target is known (384 MB in float32). */
const ROOM_FOR_ENDS = 96e6;

/**
 * Runs together so many samples that a weight is used about as often: below that reading weights takes the time,
 * above it nothing is gained and activations leave the cache.
 */
const ENOUGH_REUSE = 400;

/** Tensors at a cut that one layer changed, by piece of the batch. */
type Carried = readonly { readonly piece: Piece; readonly changed: Tensors }[];

class EffectSweep {
  readonly effects = new Map<string, OutputEffect>();
  private readonly sums = new Map<string, { noise: number; signal: number; batches: BatchNoise[] }>();
  /** Segments, most sensitive first. */
  private order: number[];
  /** Samples per run of each segment; never fewer than of the one before. */
  private rows: readonly number[] = [];
  private done = 0;
  private total = 0;
  /** What the layers of a segment make of pieces of the batch, by the piece's number, as far as it is known already. */
  private readonly ends = new Map<number, Map<number, readonly VariantEnd[]>>();
  /** Segments whose variants run as part of the float network's pass: {@link ROOM_FOR_ENDS} holds what they make. */
  private passing: ReadonlySet<number>;

  constructor(
    private readonly input: OutputEffectInput,
    private readonly segments: readonly PairedSegment[],
    private readonly chain: SegmentChain,
    private readonly target: Value,
  ) {
    this.order = segments.map((_, index) => index);
    this.passing = new Set(chain.roomy ? this.order.slice(0, -1) : []);
  }

  async run(): Promise<Outcome<never> | undefined> {
    if (this.segments.length === 0) return undefined;
    const first = await this.firstSample();
    if (!first.value) return fail(...first.issues);
    const exact = await this.exact(first.value.feeds, 0);
    if (!exact.value) return fail(...exact.issues);
    const failed = await this.estimate(exact.value);
    if (failed) return failed;
    this.input.effects?.(this.effects);
    return this.measure(exact.value, first.value.count);
  }

  /** Inputs, cuts and target of the float network on one piece of the batch; and of some segments the variants' ends. */
  private async exact(feeds: InputTensors, piece: number): Promise<Outcome<Tensors>> {
    let tensors: Tensors = feeds;
    for (let index = 0; index < this.chain.length; index++) {
      await checkpoint(this.input.signal);
      const made = this.passing.has(index)
        ? await this.exactWithEnds(index, tensors, piece)
        : await this.chain.exact(index, tensors);
      if (!made.value) return fail(...made.issues);
      tensors = { ...tensors, ...made.value };
    }
    return ok(tensors);
  }

  private async exactWithEnds(index: number, tensors: Tensors, piece: number): Promise<Outcome<Tensors>> {
    const ran = await this.chain.both(index, tensors);
    if (!ran.value) return fail(...ran.issues);
    this.know(index, piece, ran.value.ends);
    return ok(ran.value.exact);
  }

  private know(index: number, piece: number, ends: readonly VariantEnd[]): void {
    const known = this.ends.get(index) ?? new Map<number, readonly VariantEnd[]>();
    this.ends.set(index, known.set(piece, ends));
  }

  private async estimate(exact: Tensors): Promise<Outcome<never> | undefined> {
    const { name } = this.target;
    const signal = power(defined(exact[name], 'target of the base run'));
    const random = createRandom(this.input.seed);
    const urgency: number[] = [];
    for (const index of this.order) {
      await checkpoint(this.input.signal);
      const ran = await this.endsOfFirst(index, exact);
      if (!ran.value) return fail(...ran.issues);
      const noises = await estimateNoises(this.chain, index, exact, ran.value, name, random);
      if (!noises.value) return fail(...noises.issues);
      urgency[index] = 0;
      for (const [layer, noise] of noises.value) {
        this.effects.set(layer, { sqnr: sqnr({ signal, noise }), noise: noise / signal, basis: 'estimated' });
        urgency[index] = Math.max(urgency[index] ?? 0, noise / signal);
      }
    }
    this.keepSmallEnds();
    this.order = [...this.order].sort((one, other) => (urgency[other] ?? 0) - (urgency[one] ?? 0));
    return undefined;
  }

  private async endsOfFirst(index: number, exact: Tensors): Promise<Outcome<readonly VariantEnd[]>> {
    const known = this.ends.get(index)?.get(0);
    if (known) return ok(known);
    const ran = await this.chain.run(
      index,
      exact,
      defined(exact[this.target.name], 'target of the base run'),
    );
    await this.chain.leave(index);
    if (ran.value) this.know(index, 0, ran.value);
    return ran;
  }

  /** Decides what is kept of variants until the target is known: late segments first, their cuts are small. */
  private keepSmallEnds(): void {
    const samples = Math.min(this.input.batchSize, this.input.feeds.count);
    const kept = new Set<number>();
    let room = ROOM_FOR_ENDS;
    for (let index = this.chain.length - 1; index >= 0; index--) {
      const single = sizeOf(this.ends.get(index)?.get(0) ?? []);
      if (single > room) {
        this.ends.delete(index);
        continue;
      }
      if (this.passing.has(index) && single * samples <= room) kept.add(index);
      room -= kept.has(index) ? single * samples : single;
    }
    this.passing = kept;
  }

  /** @param single the first sample's tensors, which are a piece of their own. */
  private async measure(single: Tensors, first: number): Promise<Outcome<never> | undefined> {
    const { feeds, batchSize } = this.input;
    const layers = this.segments.reduce((sum, segment) => sum + segment.pairs.length, 0);
    const runSize = Math.min(this.input.runSize ?? batchSize, batchSize);
    this.total = layers * batchesOf(feeds.count, runSize, batchSize);
    let kept = new KeptBatch();
    kept.append(single, first);
    for await (const batch of this.rest(first, runSize)) {
      if (!batch.value) return fail(...batch.issues);
      const { count } = batch.value;
      if (kept.size >= batchSize) {
        const failed = await this.measureKept(kept);
        if (failed) return failed;
        kept = new KeptBatch();
      }
      const exact = await this.exact(batch.value.feeds, kept.parts.length);
      if (!exact.value) return fail(...exact.issues);
      if (this.rows.length === 0 && count > 1 && this.chain.roomy)
        this.rows = await this.rowsOf(single, exact.value, count);
      kept.append(exact.value, count);
    }
    return this.measureKept(kept);
  }

  /** The samples behind the `first`, so that with them every batch is whole. */
  private async *rest(first: number, runSize: number): AsyncGenerator<Outcome<FeedBatch>> {
    const { feeds, signal } = this.input;
    let start = first;
    if (first < runSize) {
      for await (const batch of feeds.batches(runSize - first, signal, first)) {
        yield batch;
        start += batch.value?.count ?? 0;
        break;
      }
    }
    yield* feeds.batches(runSize, signal, start);
  }

  /** Pieces can be joined only where every tensor at a cut has the samples along its first axis. */
  private async rowsOf(single: Tensors, several: Tensors, count: number): Promise<readonly number[]> {
    const alone = this.segments.map(() => 1);
    if (count < 2) return alone;
    const names = new Set([
      this.target.name,
      ...this.segments.flatMap(({ outputs }) => outputs.map((one) => one.name)),
    ]);
    for (let index = 0; index < this.chain.length; index++) {
      for (const name of (await this.chain.inputsOfVariants(index)).value ?? []) names.add(name);
    }
    for (const name of names) {
      const [one, more] = [single[name]?.dims, several[name]?.dims];
      if (one?.[0] !== 1 || more?.[0] !== count) return alone;
    }
    let rows = 1;
    return this.segments.map((_, index) => {
      const wanted = 2 ** Math.ceil(Math.log2(ENOUGH_REUSE / Math.max(this.reuseFrom(index), 1)));
      rows = Math.max(rows, Math.min(wanted, this.input.batchSize));
      return rows;
    });
  }

  /** How often a weight is used in a sample's run of the session that starts at a segment. */
  private reuseFrom(index: number): number {
    const ran = this.segments.slice(index, this.chain.hasTail(index) ? undefined : index + 1);
    const params = ran.reduce((sum, one) => sum + one.params, 0);
    return ran.reduce((sum, one) => sum + one.reuse * one.params, 0) / Math.max(params, 1);
  }

  private async measureKept(kept: KeptBatch): Promise<Outcome<never> | undefined> {
    if (this.rows.length === 0) this.rows = this.segments.map(() => 1);
    for (const index of this.order) {
      const failed = await this.measureSegment(index, kept);
      if (failed) return failed;
    }
    this.ends.clear();
    return undefined;
  }

  /**
   * All layers of a segment. As long as the pieces stay the same, a piece is carried on at once; only where they are
   * joined, tensors of all layers are held.
   */
  private async measureSegment(index: number, kept: KeptBatch): Promise<Outcome<never> | undefined> {
    const layers = new Map<string, Carried>();
    const noises = new Map<string, number>();
    const inPass = this.ends.get(index)?.size === kept.parts.length;
    const pieces = inPass ? kept.parts : kept.pieces(this.rows[index] ?? 1);
    const joins = pieces.length > kept.pieces(this.rows[index] ?? 1).length;
    const same = joins ? index : this.rows[index + 1] === this.rows[index] ? this.stageEnd(index + 1) : index;
    for (const [at, piece] of pieces.entries()) {
      await checkpoint(this.input.signal);
      const ends = await this.runVariants(index, kept, piece);
      if (!ends.value) return fail(...ends.issues);
      for (const { layer, changed, noise } of ends.value) {
        const end =
          noise === undefined
            ? await this.carry(index + 1, same, kept, piece, changed)
            : ok({ changed, noise });
        if (!end.value) return fail(...end.issues);
        layers.set(layer, [...(layers.get(layer) ?? []), { piece, changed: end.value.changed }]);
        if (end.value.noise === undefined) continue;
        noises.set(layer, (noises.get(layer) ?? 0) + end.value.noise);
        if (at === pieces.length - 1) await this.finish(layer, noises.get(layer) ?? 0, kept);
      }
    }
    await this.chain.leave(index);
    if (same === this.chain.length - 1) return undefined;
    const joined = new JoinedTensors();
    for (const [layer, carried] of layers) {
      layers.delete(layer);
      const noise = await this.carryJoined(same + 1, kept, carried, joined);
      if (noise.value === undefined) return fail(...noise.issues);
      await this.finish(layer, noise.value, kept);
    }
    return undefined;
  }

  /** The last segment that runs the same pieces as segment `from`, from which on they are carried. */
  private stageEnd(from: number): number {
    if (this.chain.hasTail(from)) return this.chain.length - 1;
    let end = from;
    while (this.rows[end + 1] === this.rows[from] && !this.chain.hasTail(end + 1)) end++;
    return end;
  }

  private async runVariants(
    index: number,
    kept: KeptBatch,
    piece: Piece,
  ): Promise<Outcome<readonly VariantEnd[]>> {
    const known = this.ends.get(index);
    let all: readonly VariantEnd[] | undefined;
    for (let from = piece.from; from < piece.to; ) {
      let to = from + 1;
      while (!known?.has(from) && to < piece.to && !known?.has(to)) to++;
      const ended = known?.get(from);
      const ran = ended ? ok(ended) : await this.runPiece(index, kept, { from, to });
      if (!ran.value) return ran;
      const more = ran.value;
      all = all ? all.map((end, at) => together(end, defined(more[at], 'the same layers'))) : more;
      from = to;
    }
    return ok(all ?? []);
  }

  private async runPiece(index: number, kept: KeptBatch, piece: Piece) {
    const names = await this.chain.inputsOfVariants(index);
    if (!names.value) return fail(...names.issues);
    return this.chain.run(index, kept.of(names.value, piece), kept.tensor(this.target.name, piece));
  }

  /** Changed tensors of one piece through the segments from..to. */
  private async carry(
    from: number,
    to: number,
    kept: KeptBatch,
    piece: Piece,
    start: Tensors,
  ): Promise<Outcome<Omit<VariantEnd, 'layer'>>> {
    let changed = start;
    for (let index = from; index <= to; index++) {
      await checkpoint(this.input.signal);
      const atOnce = this.chain.hasTail(index);
      const names = atOnce ? await this.chain.inputsToTarget(index) : await this.chain.inputsOf(index);
      if (!names.value) return fail(...names.issues);
      const unchanged = names.value.filter((name) => changed[name] === undefined);
      const tensors = { ...kept.of(unchanged, piece), ...changed };
      const reference = kept.tensor(this.target.name, piece);
      if (atOnce) {
        const noise = await this.chain.finish(index, tensors, reference);
        return noise.value === undefined ? fail(...noise.issues) : ok({ changed: {}, noise: noise.value });
      }
      const end = await this.chain.carry(index, tensors, reference);
      if (!end.value || end.value.noise !== undefined) return end;
      changed = { ...passing(changed, this.segments[index]), ...end.value.changed };
    }
    return ok({ changed });
  }

  /** The rest of the way for all pieces of one layer. */
  private async carryJoined(
    from: number,
    kept: KeptBatch,
    start: Carried,
    joined: JoinedTensors,
  ): Promise<Outcome<number>> {
    let carried = start;
    let noise = 0;
    for (let index = from; index < this.chain.length; index = this.stageEnd(index) + 1) {
      const next: { piece: Piece; changed: Tensors }[] = [];
      for (const piece of kept.pieces(this.rows[index] ?? 1)) {
        const parts = carried.filter((part) => part.piece.from >= piece.from && part.piece.to <= piece.to);
        const changed = joined.of(
          parts.map((part) => part.changed),
          piece,
        );
        const end = await this.carry(index, this.stageEnd(index), kept, piece, changed);
        if (!end.value) return fail(...end.issues);
        noise += end.value.noise ?? 0;
        next.push({ piece, changed: end.value.changed });
      }
      carried = next;
    }
    return ok(noise);
  }

  /** Adds a layer's noise on a batch and tells of it. */
  private async finish(layer: string, noise: number, kept: KeptBatch): Promise<void> {
    await checkpoint(this.input.signal);
    const sums = this.sums.get(layer) ?? { noise: 0, signal: 0, batches: [] };
    this.sums.set(layer, sums);
    sums.noise += noise;
    sums.batches.push({ samples: kept.size, noise });
    sums.signal += kept.power(this.target.name);
    this.effects.set(layer, {
      sqnr: sqnr(sums),
      noise: sums.noise / sums.signal,
      basis: 'measured',
      batches: sums.batches,
    });
    this.done++;
    this.input.progress?.(this.done, this.total, layer);
    this.input.effects?.(this.effects);
  }

  private async firstSample(): Promise<Outcome<FeedBatch>> {
    for await (const batch of this.input.feeds.batches(1, this.input.signal)) return batch;
    return fail(issue('data-empty', { source: this.input.feeds.description }));
  }
}

/** Batches of at least `batchSize` samples when they come in runs. */
function batchesOf(samples: number, runSize: number, batchSize: number): number {
  return Math.max(1, Math.ceil(samples / (Math.ceil(batchSize / runSize) * runSize)));
}
