/** Accuracy from raw output scores: top-k against labels and next-token cross-entropy. */
import { argMax } from '../numerics/metrics';

/** Counts over samples; `top5` counts a hit when fewer than five other classes score higher. */
export interface TopCounts {
  samples: number;
  top1: number;
  top5: number;
}

/** Adds one sample's scores. A class tied with the label counts as higher only when it stands before it. */
export function countTop(
  counts: TopCounts,
  scores: ArrayLike<number>,
  offset: number,
  classes: number,
  label: number,
): void {
  counts.samples++;
  const own = scores[offset + label];
  if (own === undefined || Number.isNaN(own) || label >= classes || label < 0) return;
  let higher = 0;
  for (let index = 0; index < classes; index++) {
    const score = scores[offset + index] ?? 0;
    if (score > own || (score === own && index < label)) higher++;
  }
  if (higher < 1) counts.top1++;
  if (higher < 5) counts.top5++;
}

/** −log softmax(scores)[label] in nats, computed from the largest score down so that it cannot overflow. */
export function crossEntropy(
  scores: ArrayLike<number>,
  offset: number,
  classes: number,
  label: number,
): number {
  const largest = scores[offset + argMax(scores, offset, classes)] ?? 0;
  let sum = 0;
  for (let index = 0; index < classes; index++) sum += Math.exp((scores[offset + index] ?? 0) - largest);
  return Math.log(sum) + largest - (scores[offset + label] ?? 0);
}
