/** Weights reduced to a few thousand evenly spaced elements: enough to tell whether two layers hold the same weight. */

const SAMPLES = 4096;

/** Every n-th element so that at most {@link SAMPLES} remain; the order is the input's. */
export function sampleOf(weight: Float32Array): Float32Array {
  const step = Math.max(1, Math.ceil(weight.length / SAMPLES));
  const sample = new Float32Array(Math.ceil(weight.length / step));
  for (let index = 0; index < sample.length; index++) sample[index] = weight[index * step] ?? 0;
  return sample;
}

/** Cosine of two samples of equal length; 0 when lengths differ or one is all zero. */
export function cosineOf(one: Float32Array, other: Float32Array): number {
  if (one.length !== other.length) return 0;
  let dot = 0;
  let left = 0;
  let right = 0;
  for (let index = 0; index < one.length; index++) {
    const a = one[index] ?? 0;
    const b = other[index] ?? 0;
    dot += a * b;
    left += a * a;
    right += b * b;
  }
  return left > 0 && right > 0 ? dot / Math.sqrt(left * right) : 0;
}
