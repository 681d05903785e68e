/**
 * Noise that a network may take for its input: standard normal noise moved to the moments that the first
 * BatchNormalization tells of. Standard normal noise is not what a network of raw pixels ever sees.
 */
import type { DataSpec } from '../../protocol/reports';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import { createRandom } from '../numerics/random';
import { type FeedBatch, type Feeds, openFeeds } from '../runtime/feeds';
import { type RuntimeTensor, runtimeTensor } from '../runtime/runtime-tensor';
import { type InputMoments, inputMoments, momentsRange } from './input-moments';

/**
 * Opens a data source; without data, noise like the input of `original`.
 * @param original the model before BatchNormalization is folded.
 * @param batch as in {@link openFeeds}.
 * @returns issues of {@link openFeeds}.
 */
export async function openLikelyFeeds(
  spec: DataSpec,
  model: Model,
  original: Model,
  batch?: number,
): Promise<Outcome<Feeds>> {
  const feeds = await openFeeds(spec, model, batch);
  const moments = spec.source === 'none' ? inputMoments(original) : undefined;
  if (!feeds.value || !moments) return feeds;
  return ok(new LikelyNoise(feeds.value, moments, spec.seed), feeds.issues);
}

class LikelyNoise implements Feeds {
  readonly count: number;
  readonly available: number;
  readonly description: string;
  readonly names = undefined;

  constructor(
    private readonly noise: Feeds,
    private readonly moments: InputMoments,
    private readonly seed: number,
  ) {
    this.count = noise.count;
    this.available = noise.available;
    this.description = noise.description;
  }

  async *batches(batchSize: number, signal?: AbortSignal, start?: number): AsyncIterable<Outcome<FeedBatch>> {
    for await (const batch of this.noise.batches(batchSize, signal, start)) {
      yield batch.value ? ok(this.moved(batch.value), batch.issues) : fail(...batch.issues);
    }
  }

  fingerprint(signal?: AbortSignal, count?: number): Promise<string> {
    return this.noise.fingerprint(signal, count);
  }

  close(): void {
    this.noise.close();
  }

  private moved(batch: FeedBatch): FeedBatch {
    const { input } = this.moments;
    const tensor = batch.feeds[input];
    if (!(tensor?.data instanceof Float32Array)) return batch;
    return { ...batch, feeds: { ...batch.feeds, [input]: this.like(tensor, tensor.data, batch.first) } };
  }

  /** x ↦ m + √b·z + √a·x, z per sample, kept where the input is assumed to lie. */
  private like({ type, dims }: RuntimeTensor, data: Float32Array, first: number): RuntimeTensor {
    const { mean, within, between } = this.moments;
    const { min, max } = momentsRange(this.moments);
    const rows = Math.max(1, dims[0] ?? 1);
    const size = data.length / rows;
    const moved = new Float32Array(data.length);
    for (let row = 0; row < rows; row++) {
      const random = createRandom(
        (createRandom(this.seed).bits() ^ Math.imul(first + row + 1, 0x85ebca6b)) >>> 0,
      );
      const level = mean + Math.sqrt(between) * random.normal();
      for (let at = row * size; at < (row + 1) * size; at++) {
        moved[at] = Math.min(max, Math.max(min, level + Math.sqrt(within) * (data[at] ?? 0)));
      }
    }
    return runtimeTensor(type, dims, moved);
  }
}
