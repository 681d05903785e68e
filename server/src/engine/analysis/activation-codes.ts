/**
 * Codes of activations of a model that is quantized already, counted on data: exact histograms of 2^bits entries per
 * tensor, so that memory does not grow with the samples, and what they tell of clipping and of levels that work.
 */
import type { ActivationFacts, ActivationQuantizer, QuantizedLayerFacts } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { DataTypeCode } from '../base/dtype';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import { addInitializer } from '../graph/edit';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { floatTensor } from '../graph/tensor';
import type { Feeds } from '../runtime/feeds';
import type { RuntimeArray } from '../runtime/runtime-tensor';
import { openSession } from '../runtime/session-model';
import { type Tap, tapModel } from '../runtime/tap';
import { effectiveLevels } from './quantized-facts';
import { rangeOf } from './quantizers';
import { GraphBuilder } from './reductions';

/** Wider codes have too many levels to count one by one. */
const MAX_BITS = 16;

export interface CountedCodes {
  readonly input: NonNullable<QuantizedLayerFacts['input']>;
  /** Missing where the scale is computed at run time. */
  readonly activation?: ActivationFacts;
}

export interface CountInput {
  /** Changed by nobody: a copy is tapped. */
  readonly model: Model;
  readonly source: { readonly path: string };
  readonly quantizers: readonly ActivationQuantizer[];
  readonly feeds: Feeds;
  readonly batchSize: number;
  readonly threads: number;
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
  /** All facts so far, after every batch. */
  readonly partial?: (facts: ReadonlyMap<string, CountedCodes>, samples: number) => void;
}

/** Runs the model and counts the codes of every quantizer; facts by the name of the codes' tensor. */
export async function countCodes(
  input: CountInput,
): Promise<Outcome<{ readonly facts: ReadonlyMap<string, CountedCodes>; readonly samples: number }>> {
  const { model, feeds } = input;
  const counters = countersOf(input);
  const taps: readonly Tap[] = counters.map(({ value, quantizer }) => ({
    value: value.name,
    what: 'all',
    // Types of less than a byte cannot leave a session; all others come out as they are.
    float: quantizer.bits >= 8,
  }));
  if (counters.length === 0) return ok({ facts: new Map(), samples: 0 });
  const tapped = tapModel(model, taps);
  const outside = counters.map(({ value, quantizer }) => outsideCount(tapped.model, value.name, quantizer));
  const session = await openSession(tapped.model, input.source, {
    threads: input.threads,
    // Integer kernels round otherwise; what is counted are the codes that the file states.
    optimization: 'disabled',
  });
  if (!session.value) return fail(...session.issues);
  let samples = 0;
  try {
    for await (const batch of feeds.batches(input.batchSize)) {
      await checkpoint(input.signal);
      if (!batch.value) return fail(...batch.issues);
      const ran = await session.value.run(batch.value.feeds);
      if (!ran.value) return fail(...ran.issues);
      for (const [index, counter] of counters.entries()) {
        const [name] = tapped.outputs[index] ?? [];
        const tensor = name === undefined ? undefined : ran.value[name];
        const beyond = outside[index] === undefined ? undefined : ran.value[outside[index]];
        if (tensor) counter.add(tensor.data, beyond && Number(beyond.data[0]));
      }
      samples += batch.value.count;
      input.progress({ stage: 'measure', done: samples, total: feeds.count, unit: 'samples' });
      input.partial?.(factsOf(counters), samples);
    }
  } finally {
    await session.value.release();
  }
  return ok({ facts: factsOf(counters), samples });
}

function countersOf({ model, quantizers }: CountInput): readonly CodeCounter[] {
  const counters = new Map<string, CodeCounter>();
  for (const quantizer of quantizers) {
    const value = model.graph.values.get(quantizer.tensor);
    if (!value || value.tensor || quantizer.bits > MAX_BITS || counters.has(value.name)) continue;
    counters.set(value.name, new CodeCounter(value, quantizer));
  }
  return [...counters.values()];
}

function factsOf(counters: readonly CodeCounter[]): ReadonlyMap<string, CountedCodes> {
  return new Map(
    counters.flatMap((counter) => {
      const facts = counter.facts();
      return facts ? [[counter.value.name, facts] as const] : [];
    }),
  );
}

/**
 * Adds the count of real numbers that a quantizer cuts off: more than half a step beyond its ends, where rounding no
 * longer reaches. An end that stands for 0 cuts as an activation function does and is left out.
 * @returns the output's name; `undefined` where the real numbers are not known.
 */
function outsideCount(
  model: Model,
  codes: string,
  { bits, signed, scale, zeroPoint }: ActivationQuantizer,
): string | undefined {
  const producer = model.graph.values.get(codes)?.producer;
  const real = producer?.opType === 'QuantizeLinear' ? producer.input(0) : undefined;
  const known = producer?.input(1)?.tensor?.dataType === DataTypeCode.float;
  if (!real || !known || scale === null || zeroPoint === null || defaultOpset(model) < SIGN_OPSET)
    return undefined;
  const range = rangeOf({ bits, signed, scale, zeroPoint });
  const builder = new GraphBuilder(model.graph, defaultOpset(model));
  const name = (what: string) => `${codes}/outside/${what}`;
  const end = (what: string, value: number) =>
    addInitializer(model.graph, name(what), floatTensor([], Float32Array.of(value)));
  const low = end('low', range.min === 0 ? -LARGEST : range.min - scale / 2);
  const high = end('high', range.max === 0 ? LARGEST : range.max + scale / 2);
  const raised = builder.node('Max', name('raised'), [real, low]);
  const inside = builder.node('Min', name('inside'), [raised, high]);
  const beyond = builder.node('Sub', name('beyond'), [real, inside]);
  const sign = builder.node('Sign', name('sign'), [beyond]);
  const one = builder.node('Abs', name('one'), [sign]);
  return builder.output(builder.reduce('ReduceSum', name('count'), one));
}

/** First operator set with Sign. */
const SIGN_OPSET = 9;

/** Beyond every activation, and finite in float32. */
const LARGEST = 3e38;

/** Histogram of the codes of one tensor. */
class CodeCounter {
  private readonly counts: Float64Array;
  private readonly lowest: number;
  private total = 0;
  /** Undefined as long as nobody counted them. */
  private outside: number | undefined;

  constructor(
    readonly value: Value,
    readonly quantizer: ActivationQuantizer,
  ) {
    this.counts = new Float64Array(2 ** quantizer.bits);
    this.lowest = quantizer.signed ? -(2 ** (quantizer.bits - 1)) : 0;
  }

  /** @param outside how many of the real numbers lay outside the range. */
  add(data: RuntimeArray, outside: number | undefined): void {
    const { counts, lowest, quantizer } = this;
    const real = data instanceof Float32Array || data instanceof Float64Array;
    // An operator that quantizes inside shows the real numbers it reads, which are no codes.
    if (!ArrayBuffer.isView(data) || (real && quantizer.bits >= 8)) return;
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) return;
    if (data instanceof Uint8Array || data instanceof Int8Array) countBytes(data, lowest, counts);
    else countCodesOf(data as ArrayLike<number>, lowest, counts);
    this.total += data.length;
    if (outside !== undefined) this.outside = (this.outside ?? 0) + outside;
  }

  facts(): CountedCodes | undefined {
    const { counts, lowest, total, quantizer } = this;
    if (total === 0) return undefined;
    const levels = counts.length;
    let codesUsed = 0;
    for (const count of counts) if (count > 0) codesUsed++;
    const clipped = this.outside === undefined ? {} : { clippedShare: this.outside / total };
    const input = { ...clipped, endsShare: this.endsShare(), codesUsed, levels };
    const { scale, zeroPoint } = quantizer;
    if (scale === null || zeroPoint === null) return { input };
    const real = (at: number) => (lowest + at - zeroPoint) * scale;
    return {
      input,
      activation: {
        tensor: this.realName(),
        ...moments(counts, total, real),
        p9999: percentile(counts, total, real, 0.9999),
        ...clipped,
        effectiveLevels: effectiveLevels(counts, total),
        levels,
      },
    };
  }

  /**
   * Codes at the ends, but for an end that stands for 0: there an activation function puts what it cuts off. Numbers
   * that round to an end are among them, so it is no measure of clipping.
   */
  private endsShare(): number {
    const { counts, lowest, total, quantizer } = this;
    const { zeroPoint } = quantizer;
    const low = zeroPoint === lowest ? 0 : (counts[0] ?? 0);
    const high = zeroPoint === lowest + counts.length - 1 ? 0 : (counts[counts.length - 1] ?? 0);
    return zeroPoint === null ? 0 : (low + high) / total;
  }

  /** The real tensor that was quantized. */
  private realName(): string {
    const { producer } = this.value;
    const real = producer?.opType === 'QuantizeLinear' ? producer.input(0) : undefined;
    return real?.name ?? this.value.name;
  }
}

function countCodesOf(codes: ArrayLike<number>, lowest: number, counts: Float64Array): void {
  for (let index = 0; index < codes.length; index++) {
    const at = (codes[index] ?? 0) - lowest;
    counts[at] = (counts[at] ?? 0) + 1;
  }
}

/**
 * The same for whole bytes, most of what there is. Neighbours are often equal, and a count that was just written cannot
 * be read at once: two tables in turn.
 */
function countBytes(codes: Uint8Array | Int8Array, lowest: number, counts: Float64Array): void {
  const bytes = new Uint8Array(codes.buffer, codes.byteOffset, codes.length);
  const tables = new Uint32Array(512);
  for (let index = 0; index < bytes.length; index++) {
    const at = ((index & 1) << 8) | (bytes[index] ?? 0);
    tables[at] = (tables[at] ?? 0) + 1;
  }
  for (let byte = 0; byte < 256; byte++) {
    const at = (lowest < 0 ? (byte << 24) >> 24 : byte) - lowest;
    if (at < counts.length) counts[at] = (counts[at] ?? 0) + (tables[byte] ?? 0) + (tables[byte | 256] ?? 0);
  }
}

function moments(counts: Float64Array, total: number, real: (at: number) => number) {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const [at, count] of counts.entries()) {
    if (count === 0) continue;
    min = Math.min(min, real(at));
    max = Math.max(max, real(at));
    sum += count * real(at);
  }
  const mean = sum / total;
  let squares = 0;
  for (const [at, count] of counts.entries()) squares += count * (real(at) - mean) ** 2;
  return { min, max, mean, std: Math.sqrt(squares / total) };
}

/** Smallest |x| that this share of the elements does not exceed. */
function percentile(
  counts: Float64Array,
  total: number,
  real: (at: number) => number,
  share: number,
): number {
  const sorted = [...counts.entries()]
    .filter(([, count]) => count > 0)
    .map(([at, count]) => ({ size: Math.abs(real(at)), count }))
    .sort((one, other) => one.size - other.size);
  let below = 0;
  for (const { size, count } of sorted) {
    below += count;
    if (below >= share * total) return size;
  }
  return sorted.at(-1)?.size ?? 0;
}
