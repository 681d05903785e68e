/**
 * How unevenly the channels of an activation fill its range: largest magnitude per channel of every sample (without axes of space: of every run), reduced inside
 * the session, for activations that are quantized. A channel that is the widest on every sample decides the scale of
 * all others (Dettmers et al. 2022, arXiv 2208.07339; Xiao et al. 2023, arXiv 2211.10438).
 */
import type { InputChannels } from '../../protocol/reports';
import type { Value } from '../graph/ir';
import type { RuntimeTensor } from '../runtime/runtime-tensor';
import { outputBounds } from './activation-taps';
import type { Channels } from './comparisons';
import type { GraphBuilder } from './reductions';

/** Output names of one activation: of images [samples, channels] each, else [channels] of the whole run. */
export interface ChannelEnds {
  /** Layers that read it. */
  readonly layers: string[];
  readonly largest: string;
  /** Missing where nothing is below 0. */
  readonly smallest?: string;
}

/** Adds the ends of activations to a graph, each once. */
export class ChannelEndsWriter {
  private readonly known = new Map<Value, ChannelEnds>();

  constructor(private readonly builder: GraphBuilder) {}

  get all(): readonly ChannelEnds[] {
    return [...this.known.values()];
  }

  /** @param real the activation as float32. */
  add(layer: string, activation: Value, real: () => Value, { place, count }: Channels): void {
    // One channel is no distribution, and few have no median to speak of.
    if (count < FEWEST) return;
    const known = this.known.get(activation);
    if (known) {
      if (!known.layers.includes(layer)) known.layers.push(layer);
      return;
    }
    const { builder } = this;
    const name = `channels/${activation.name}`;
    const [shape, axes] = place === 'second' ? [[0, 0, -1], [2]] : [[-1, count], [0]];
    const view = builder.reshape(`${name}/view`, real(), shape);
    const end = (what: 'ReduceMax' | 'ReduceMin') =>
      builder.output(builder.reduce(what, `${name}/${what}`, view, axes));
    const positive = (outputBounds(activation.producer)?.min ?? -1) >= 0;
    const ends = { layers: [layer], largest: end('ReduceMax') };
    this.known.set(activation, positive ? ends : { ...ends, smallest: end('ReduceMin') });
  }
}

const FEWEST = 4;

/** Largest magnitudes of one activation over runs. */
export class ChannelPeaks {
  private peaks = new Float64Array(0);
  /** How often a channel was the widest. */
  private wins = new Float64Array(0);
  private looks = 0;

  constructor(private readonly ends: ChannelEnds) {}

  add(outputs: Readonly<Record<string, RuntimeTensor>>): void {
    const { largest, smallest } = this.ends;
    const [high, low] = [outputs[largest], smallest === undefined ? undefined : outputs[smallest]];
    const channels = high?.dims.at(-1) ?? 0;
    if (!high || channels === 0) return;
    if (this.peaks.length !== channels) {
      this.peaks = new Float64Array(channels);
      this.wins = new Float64Array(channels);
      this.looks = 0;
    }
    const magnitude = (at: number) =>
      Math.max(Math.abs(Number(high.data[at])), low ? Math.abs(Number(low.data[at])) : 0);
    for (let row = 0; row < high.data.length; row += channels) {
      let widest = 0;
      for (let channel = 0; channel < channels; channel++) {
        const peak = magnitude(row + channel);
        if (peak > magnitude(row + widest)) widest = channel;
        this.peaks[channel] = Math.max(this.peaks[channel] ?? 0, peak);
      }
      this.wins[widest] = (this.wins[widest] ?? 0) + 1;
      this.looks++;
    }
  }

  /** `undefined` where nothing but zeros, or something that is no number, was seen. */
  get facts(): InputChannels | undefined {
    const { peaks, wins, looks } = this;
    const alive = peaks.filter((peak) => peak > 0).sort();
    const median = alive[alive.length >> 1];
    const widest = peaks.reduce((best, peak, channel) => (peak > (peaks[best] ?? 0) ? channel : best), 0);
    const peak = peaks[widest] ?? 0;
    if (median === undefined || !Number.isFinite(peak)) return undefined;
    return { count: peaks.length, widest, peak, median, share: (wins[widest] ?? 0) / Math.max(1, looks) };
  }
}
