/** Graphs under mutated files; see `readers.test.ts` for the two environment variables. */
import { expect, it } from 'vitest';
import { fuzz } from './driver';
import { graphTarget } from './targets/graph';

const seconds = Number(process.env.QUANTLENS_FUZZ_SECONDS ?? 10);
const seed = Number(process.env.QUANTLENS_FUZZ_SEED ?? 1);

it(
  `graphs give only outcomes, in bounds, seed ${seed}`,
  () => {
    const report = fuzz(graphTarget, { seed, milliseconds: seconds * 200 });
    expect(report.accepted).toBeGreaterThanOrEqual(graphTarget.seeds.length);
  },
  60_000 + 400 * seconds,
);
