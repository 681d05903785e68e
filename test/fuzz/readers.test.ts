/**
 * File readers under mutated files. QUANTLENS_FUZZ_SECONDS is the time for all targets together (default 10),
 * QUANTLENS_FUZZ_SEED the seed, which stands in the test names.
 */
import { describe, expect, it } from 'vitest';
import { fuzz } from './driver';
import { readerTargets } from './targets/readers';

const seconds = Number(process.env.QUANTLENS_FUZZ_SECONDS ?? 10);
const seed = Number(process.env.QUANTLENS_FUZZ_SEED ?? 1);
const milliseconds = (seconds * 1000) / readerTargets.length;

describe(`readers, seed ${seed}`, () => {
  it.each(readerTargets)(
    '$name gives only outcomes, in bounds',
    (target) => {
      const report = fuzz(target, { seed, milliseconds });
      expect(report.accepted).toBeGreaterThanOrEqual(target.seeds.length);
    },
    60_000 + 2 * milliseconds,
  );
});
