/**
 * Comparisons of a tensor x with an error e inside a session, reduced to what every metric needs: Σx², Σe², Σxe, and
 * per channel Σx, Σx², Σe. Only sums leave native code; they add up over batches in float64.
 */
import type { Decibel, ErrorMetrics } from '../../protocol/reports';
import { DataTypeCode } from '../base/dtype';
import type { Value } from '../graph/ir';
import { type ChannelSums, errorMetrics, sqnr } from '../numerics/metrics';
import type { RuntimeTensor } from '../runtime/runtime-tensor';
import type { GraphBuilder } from './reductions';

/** Where a tensor's channels are: axis 1 of (N, C, …), or the last axis. */
export type ChannelPlace = 'second' | 'last';

/** Output names of one comparison. */
export interface ComparisonOutputs {
  /** Σx² and Σe², scalars. */
  readonly signal: string;
  readonly noise: string;
  /** Σxe */
  readonly cross?: string;
  /** Number of elements. */
  readonly size?: string;
  /** Per channel, any leading dimensions: Σx, Σx² and Σe. */
  readonly channels?: { readonly sum: string; readonly square: string; readonly shift: string };
}

/** Which axis holds the channels, and how many there are. */
export interface Channels {
  readonly place: ChannelPlace;
  readonly count: number;
}

type SignalOutputs = Pick<ComparisonOutputs, 'signal' | 'size'> & {
  readonly channels?: Channels & { readonly sum: string; readonly square: string };
};

/** Adds comparisons to a graph; sums of a tensor that several errors are compared with are made once. */
export class ComparisonWriter {
  private readonly signals = new Map<Value, SignalOutputs>();

  /** @param ratiosOnly signal and noise, which make the dB, without what the other metrics need. */
  constructor(
    private readonly builder: GraphBuilder,
    private readonly ratiosOnly = false,
  ) {}

  /**
   * @param error x̂ − x, float32 as `signal`.
   * @param channels of both; of several comparisons with one tensor the first decides.
   */
  add(name: string, signal: Value, error: Value, channels: Channels | undefined): ComparisonOutputs {
    const { builder } = this;
    const known = this.signals.get(signal) ?? this.addSignal(signal, channels);
    this.signals.set(signal, known);
    const noise = builder.output(builder.reduce('ReduceSumSquare', `${name}/noise`, error));
    if (known.size === undefined) return { signal: known.signal, noise };
    const outputs = {
      signal: known.signal,
      size: known.size,
      noise,
      cross: builder.output(builder.dot(`${name}/cross`, signal, error)),
    };
    if (!known.channels) return outputs;
    const { sum, square } = known.channels;
    const [view, axes] = channelAxes(builder, `${name}/channels`, error, known.channels);
    const shift = builder.output(builder.reduce('ReduceSum', `${name}/shift`, view, axes));
    return { ...outputs, channels: { sum, square, shift } };
  }

  private addSignal(signal: Value, channels: Channels | undefined): SignalOutputs {
    const { builder } = this;
    const name = `signal/${signal.name}`;
    if (this.ratiosOnly) {
      return { signal: builder.output(builder.reduce('ReduceSumSquare', name, signal)) };
    }
    const size = builder.output(builder.node('Size', `${name}/size`, [signal]), DataTypeCode.int64);
    if (channels === undefined) {
      return { signal: builder.output(builder.reduce('ReduceSumSquare', name, signal)), size };
    }
    const [view, axes] = channelAxes(builder, `${name}/view`, signal, channels);
    const square = builder.reduce('ReduceSumSquare', `${name}/square`, view, axes);
    const sum = builder.reduce('ReduceSum', `${name}/sum`, view, axes);
    return {
      signal: builder.output(builder.reduce('ReduceSum', name, square)),
      size,
      channels: { ...channels, sum: builder.output(sum), square: builder.output(square) },
    };
  }
}

/** A view whose reduction over the axes leaves the channels last: (N, C, rest) over rest, or (rows, C) over rows. */
function channelAxes(
  builder: GraphBuilder,
  name: string,
  value: Value,
  { place, count }: Channels,
): [Value, readonly number[]] {
  if (place === 'second') return [builder.reshape(name, value, [0, 0, -1]), [2]];
  return [builder.reshape(name, value, [-1, count]), [0]];
}

/** Sums of one comparison over batches. */
export class ComparisonSums {
  signal = 0;
  noise = 0;
  private cross = 0;
  private count = 0;
  private channels: ChannelSums | undefined;

  add(outputs: Readonly<Record<string, RuntimeTensor>>, names: ComparisonOutputs): void {
    this.signal += scalar(outputs[names.signal]);
    this.noise += scalar(outputs[names.noise]);
    if (names.cross !== undefined) this.cross += scalar(outputs[names.cross]);
    const size = names.size === undefined ? 0 : scalar(outputs[names.size]);
    this.count += size;
    if (!names.channels) return;
    const [sum, square, shift] = [names.channels.sum, names.channels.square, names.channels.shift].map(
      (name) => outputs[name],
    );
    const channels = sum?.dims.at(-1) ?? 0;
    if (!sum || !square || !shift || channels === 0) return;
    this.channels ??= {
      count: 0,
      sum: new Float64Array(channels),
      square: new Float64Array(channels),
      shift: new Float64Array(channels),
    };
    if (this.channels.sum.length !== channels) return;
    this.channels.count += size / channels;
    addTo(this.channels.sum, sum);
    addTo(this.channels.square, square);
    addTo(this.channels.shift, shift);
  }

  get sqnr(): Decibel {
    return Number.isFinite(this.signal + this.noise) ? sqnr(this) : null;
  }

  /** `undefined` where only signal and noise were summed. */
  get metrics(): ErrorMetrics | undefined {
    if (this.count === 0) return undefined;
    const { count, signal, noise, cross, channels } = this;
    return errorMetrics({ count, signal, noise, cross, ...(channels ? { channels } : {}) });
  }
}

function addTo(into: Float64Array, rows: RuntimeTensor): void {
  for (let at = 0; at < rows.data.length; at++) {
    const channel = at % into.length;
    into[channel] = (into[channel] ?? 0) + Number(rows.data[at]);
  }
}

/** The first element as a number; NaN where there is none. */
export function scalar(tensor: RuntimeTensor | undefined): number {
  return Number(tensor?.data[0] ?? Number.NaN);
}
