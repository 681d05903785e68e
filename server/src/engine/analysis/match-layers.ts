/**
 * Pairs the layers of a float network with those of a quantized one by graph and weights, never by name alone: both
 * lists are in execution order, so the best pairing is an alignment (Needleman–Wunsch 1970) whose score asks for the
 * same kind of operator, the same weight shape and a high cosine between the dequantized weights.
 */
import { cosineOf } from './sampled-weights';

/** What matching needs to know of a layer. */
export interface MatchLayer {
  readonly name: string;
  /** `conv`, `matmul`, …: what quantized and float forms have in common. */
  readonly family: string;
  /** Weight elements. */
  readonly params: number;
  /** Evenly sampled weight elements in the order of the output channels, dequantized; undefined when unreadable. */
  readonly sample: Float32Array | undefined;
}

export interface MatchedPair {
  readonly float: number;
  readonly quantized: number;
  /** Cosine of the sampled weights; null when one was unreadable. */
  readonly cosine: number | null;
}

/** Below this two weights are not the same weight quantized: even 2-bit codes of one weight stay above it. */
const MINIMUM_COSINE = 0.5;

/** Pairs of indices, ascending in the float network. Layers without a counterpart are left out. */
export function matchLayers(
  float: readonly MatchLayer[],
  quantized: readonly MatchLayer[],
): readonly MatchedPair[] {
  const rows = float.length;
  const columns = quantized.length;
  const best = Array.from({ length: rows + 1 }, () => new Float64Array(columns + 1));
  const scores = float.map((one) => quantized.map((other) => similarity(one, other)));
  const at = (row: number, column: number) => best[row]?.[column] ?? 0;
  const scoreAt = (row: number, column: number) => scores[row]?.[column] ?? { score: 0, cosine: null };
  for (let row = rows - 1; row >= 0; row--) {
    for (let column = columns - 1; column >= 0; column--) {
      const { score } = scoreAt(row, column);
      const paired = score > 0 ? score + at(row + 1, column + 1) : 0;
      const line = best[row];
      if (line) line[column] = Math.max(paired, at(row + 1, column), at(row, column + 1));
    }
  }
  const pairs: MatchedPair[] = [];
  let row = 0;
  let column = 0;
  while (row < rows && column < columns) {
    const { score, cosine } = scoreAt(row, column);
    if (score > 0 && at(row, column) === score + at(row + 1, column + 1)) {
      pairs.push({ float: row++, quantized: column++, cosine });
    } else if (at(row, column) === at(row + 1, column)) row++;
    else column++;
  }
  return withReordered(pairs, scores);
}

/**
 * What matching by weights left over, paired where both networks have the same operators of the same size between the
 * same neighbours: the place is that of the layer, so its weight is another one. Where most weights are strange, so are
 * the networks, and nothing is paired.
 */
export function matchByPlace(
  float: readonly MatchLayer[],
  quantized: readonly MatchLayer[],
  known: readonly MatchedPair[],
): readonly { readonly float: number; readonly quantized: number }[] {
  if (known.length * 2 < float.length) return [];
  const theirs = new Set(known.map((pair) => pair.quantized));
  const ends = [...known, { float: float.length, quantized: quantized.length }];
  let [row, column] = [0, 0];
  return ends.flatMap((end) => {
    const rows = range(row, end.float);
    const columns = range(column, end.quantized).filter((index) => !theirs.has(index));
    [row, column] = [end.float + 1, end.quantized + 1];
    const alike =
      rows.length === columns.length &&
      rows.every((ours, at) => sameKind(float[ours], quantized[columns[at] ?? -1]));
    return alike ? rows.map((ours, at) => ({ float: ours, quantized: columns[at] ?? -1 })) : [];
  });
}

function range(from: number, to: number): readonly number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
}

function sameKind(one: MatchLayer | undefined, other: MatchLayer | undefined): boolean {
  return one !== undefined && one.family === other?.family && one.params === other.params;
}

/** Above this a weight is the other one wherever it stands: independent weights of 64 elements stay far below. */
const CERTAIN_COSINE = 0.9;

/** Adds layers that stand elsewhere in the other network, such as branches in another order; best weights first. */
function withReordered(
  pairs: readonly MatchedPair[],
  scores: readonly (readonly { readonly cosine: number | null }[])[],
): readonly MatchedPair[] {
  const ours = new Set(pairs.map((pair) => pair.float));
  const theirs = new Set(pairs.map((pair) => pair.quantized));
  const candidates = scores.flatMap((row, float) =>
    row.flatMap(({ cosine }, quantized) =>
      !ours.has(float) && !theirs.has(quantized) && cosine !== null && cosine >= CERTAIN_COSINE
        ? [{ float, quantized, cosine }]
        : [],
    ),
  );
  const added: MatchedPair[] = [];
  for (const pair of candidates.sort((one, other) => other.cosine - one.cosine)) {
    if (ours.has(pair.float) || theirs.has(pair.quantized)) continue;
    ours.add(pair.float);
    theirs.add(pair.quantized);
    added.push(pair);
  }
  return added.length === 0 ? pairs : [...pairs, ...added].sort((one, other) => one.float - other.float);
}

function similarity(one: MatchLayer, other: MatchLayer): { score: number; cosine: number | null } {
  if (!sameKind(one, other)) return { score: 0, cosine: null };
  if (!one.sample || !other.sample) return { score: 1, cosine: null };
  const cosine = cosineOf(one.sample, other.sample);
  return cosine >= MINIMUM_COSINE ? { score: 1 + cosine, cosine } : { score: 0, cosine };
}
