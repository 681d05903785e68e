/** How many samples one run may take so that activations stay small; the model's fixed batch wins. */
import type { Model } from '../graph/ir';

/** Elements of one sample's inputs: beyond the first bound batches shrink, beyond the second they are single. */
const SMALL_SAMPLE = 16_384;
const LARGE_SAMPLE = 524_288;
const SMALL_BATCH = 32;
/** At 224² × 3 a batch of eight keeps a network's activations below a few hundred megabytes. */
const LARGE_BATCH = 8;

/** Batch size for an input's sample size, 1 when the model fixes its batch at 1 or has no batch dimension. */
export function batchSizeFor(model: Model, dimensions: Readonly<Record<string, number>>): number {
  const [input] = model.graph.dataInputs;
  const [batch, ...rest] = input?.shape ?? [];
  if (input === undefined || batch === undefined) return 1;
  if (typeof batch === 'number') return Math.max(1, batch);
  const elements = rest.reduce<number>((product, dimension) => {
    const size = typeof dimension === 'string' ? dimensions[dimension] : dimension;
    return product * (size ?? 256);
  }, 1);
  if (elements <= SMALL_SAMPLE) return SMALL_BATCH;
  return elements <= LARGE_SAMPLE ? LARGE_BATCH : 1;
}
