/**
 * Which layer is it? Answers that need fewer runs than layers, from a function that measures the output noise with a
 * set of layers quantized: halving suspects, racing on few samples, and a two-level design whose lack of fit tells how
 * far effects are from adding up (1 − R², as LAPQ does: Nahshan et al. 2021).
 */

/** Output noise with exactly these layers quantized. */
export type MeasureGroup = (layers: readonly string[]) => Promise<number>;

export interface FoundLayer {
  readonly layer: string;
  readonly noise: number;
}

export interface GroupSearch {
  /** Loudest first. */
  readonly found: readonly FoundLayer[];
  readonly runs: number;
}

interface Group {
  readonly layers: readonly string[];
  readonly noise: number;
}

/**
 * The `count` layers that alone move the output most. The loudest group is split until it is one layer; under noise
 * that never shrinks when a layer is added the result is exact, after about 2·count·log₂(layers / count) runs.
 */
export async function findLoudest(
  layers: readonly string[],
  count: number,
  measure: MeasureGroup,
): Promise<GroupSearch> {
  const found: FoundLayer[] = [];
  const groups: Group[] = [];
  let runs = 0;
  const add = async (members: readonly string[]) => {
    if (members.length === 0) return;
    runs++;
    groups.push({ layers: members, noise: await measure(members) });
  };
  await add(layers);
  while (found.length < count && groups.length > 0) {
    groups.sort((one, other) => one.noise - other.noise);
    const loudest = groups.pop();
    const [layer] = loudest?.layers ?? [];
    if (!loudest || layer === undefined) break;
    if (loudest.layers.length === 1) {
      found.push({ layer, noise: loudest.noise });
      continue;
    }
    const half = Math.ceil(loudest.layers.length / 2);
    await add(loudest.layers.slice(0, half));
    await add(loudest.layers.slice(half));
  }
  return { found, runs };
}

/** Output noise of one layer alone, sample by sample, of samples [from, to). */
export type MeasureSamples = (layer: string, from: number, to: number) => Promise<readonly number[]>;

export interface RacedLayer extends FoundLayer {
  /** Samples that were needed. */
  readonly samples: number;
}

/** Half the width of an interval in standard errors: 95 % of a normal distribution. */
const INTERVAL = 1.96;

/**
 * Ranks candidates by mean noise. All see `first` samples; those whose interval crosses the border between the `count`
 * loudest and the rest see twice as many, until none crosses or there are no more.
 */
export async function raceLayers(
  candidates: readonly string[],
  count: number,
  { first, available }: { readonly first: number; readonly available: number },
  measure: MeasureSamples,
): Promise<readonly RacedLayer[]> {
  const seen = new Map<string, number[]>(candidates.map((layer) => [layer, []]));
  const extend = async (layer: string, to: number) => {
    const noises = seen.get(layer);
    if (noises && noises.length < to) noises.push(...(await measure(layer, noises.length, to)));
  };
  for (const layer of candidates) await extend(layer, Math.min(first, available));
  for (;;) {
    const ranked = [...seen].map(([layer, noises]) => ({ layer, ...intervalOf(noises) }));
    ranked.sort((one, other) => other.noise - one.noise);
    const [inside, outside] = [ranked[count - 1], ranked[count]];
    const border = inside && outside ? (inside.noise + outside.noise) / 2 : undefined;
    const unsure = ranked.filter(
      ({ noise, error, samples }) =>
        border !== undefined && Math.abs(noise - border) < INTERVAL * error && samples < available,
    );
    if (unsure.length === 0) {
      return ranked.slice(0, count).map(({ layer, noise, samples }) => ({ layer, noise, samples }));
    }
    for (const { layer, samples } of unsure) await extend(layer, Math.min(2 * samples, available));
  }
}

/** Mean, and its standard error; infinite for a single sample, which says nothing of the spread. */
function intervalOf(noises: readonly number[]): { noise: number; error: number; samples: number } {
  const samples = noises.length;
  const noise = noises.reduce((sum, one) => sum + one, 0) / Math.max(samples, 1);
  const variance = noises.reduce((sum, one) => sum + (one - noise) ** 2, 0) / (samples - 1);
  return { noise, error: samples < 2 ? Number.POSITIVE_INFINITY : Math.sqrt(variance / samples), samples };
}

export interface Separability {
  /** Of the additive fit, adjusted for its parameters; 1 = effects add up. */
  readonly rSquared: number;
  /** Its standard error over samples (jackknife); missing for a single sample. */
  readonly error?: number;
  readonly runs: number;
  /** Sets of neighbouring layers that were switched together. */
  readonly groups: number;
}

/** More groups need more runs than a user waits for. */
const LARGEST_DESIGN = 31;

/** Output noise with exactly these layers quantized, sample by sample; always of the same samples. */
export type MeasureEach = (layers: readonly string[]) => Promise<readonly number[]>;

/** Runs of the design for a number of layers. */
export function designRuns(layers: number): number {
  const groups = Math.min(layers, LARGEST_DESIGN);
  return groups < 2 ? 0 : 2 * 2 ** Math.ceil(Math.log2(groups));
}

/**
 * Fits noise = base + Σ effects of groups to the runs of a Hadamard design; every effect is averaged over all runs.
 * Columns are taken from the half whose products of two lie in the other half (resolution IV, a fold-over): no
 * interaction of two groups can pass for an effect. `undefined` where noise does not vary.
 */
export async function separability(
  layers: readonly string[],
  measure: MeasureEach,
): Promise<Separability | undefined> {
  const groups = groupsOf(layers, LARGEST_DESIGN);
  if (groups.length < 2) return undefined;
  const runs = designRuns(layers.length);
  const entry = (run: number, column: number) => sylvester(run, runs / 2 + column);
  const each: (readonly number[])[] = [];
  for (let run = 0; run < runs; run++) {
    const chosen = groups.filter((_, column) => entry(run, column) > 0).flat();
    each.push(chosen.length === 0 ? [] : await measure(chosen));
  }
  const samples = Math.max(...each.map((noises) => noises.length));
  const totals = each.map((noises) => noises.reduce((sum, one) => sum + one, 0));
  const rSquaredOf = (noises: readonly number[]) => adjustedFit(noises, groups.length, entry);
  const rSquared = rSquaredOf(totals);
  if (rSquared === undefined) return undefined;
  const without = Array.from({ length: samples < 2 ? 0 : samples }, (_, sample) =>
    rSquaredOf(totals.map((total, run) => total - (each[run]?.[sample] ?? 0))),
  ).filter((one) => one !== undefined);
  const center = without.reduce((sum, one) => sum + one, 0) / without.length;
  const spread = without.reduce((sum, one) => sum + (one - center) ** 2, 0);
  const error = Math.sqrt((spread * (samples - 1)) / samples);
  const known = without.length === samples && Number.isFinite(error);
  return { rSquared, ...(known ? { error } : {}), runs, groups: groups.length };
}

/** R² of effects of `groups` columns, adjusted for their number; `undefined` where the noise does not vary. */
function adjustedFit(
  noises: readonly number[],
  groups: number,
  entry: (run: number, column: number) => number,
): number | undefined {
  const runs = noises.length;
  const mean = noises.reduce((sum, one) => sum + one, 0) / runs;
  const total = noises.reduce((sum, one) => sum + (one - mean) ** 2, 0);
  if (!(total > 0)) return undefined;
  // Columns are orthogonal: each effect explains its own share.
  let explained = 0;
  for (let column = 0; column < groups; column++) {
    const product = noises.reduce((all, noise, run) => all + noise * entry(run, column), 0);
    explained += product ** 2 / runs;
  }
  const lost = Math.max(1 - explained / total, 0);
  return 1 - (lost * (runs - 1)) / (runs - groups - 1);
}

/** Neighbours together, sizes differing by one at most. */
function groupsOf(layers: readonly string[], most: number): readonly (readonly string[])[] {
  const count = Math.min(layers.length, most);
  const start = (index: number) => Math.floor((index * layers.length) / count);
  return Array.from({ length: count }, (_, index) => layers.slice(start(index), start(index + 1)));
}

/** Entry of a Sylvester Hadamard matrix: −1 to the number of bits that row and column share. */
function sylvester(row: number, column: number): 1 | -1 {
  let shared = row & column;
  let sign: 1 | -1 = 1;
  for (; shared > 0; shared &= shared - 1) sign = sign === 1 ? -1 : 1;
  return sign;
}
