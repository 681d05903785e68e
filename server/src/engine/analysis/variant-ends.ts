/** What layers make of the end of a segment: joined, counted, taken past a segment. */
import { joined } from './kept-batch';
import type { Tensors, VariantEnd } from './segment-chain';
import type { Segment } from './segments';

/** One layer's ends on two pieces that follow each other. */
export function together(one: VariantEnd, other: VariantEnd): VariantEnd {
  const changed = Object.entries(other.changed).map(([name, tensor]) => {
    const first = one.changed[name];
    return [name, first ? joined([first, tensor]) : tensor];
  });
  return {
    ...other,
    changed: Object.fromEntries(changed),
    ...(other.noise === undefined ? {} : { noise: other.noise + (one.noise ?? 0) }),
  };
}

/** Changed tensors that go past a segment and are needed behind it. */
export function passing(changed: Tensors, segment: Segment | undefined): Tensors {
  const needed = new Set(segment?.outputs.map(({ name }) => name));
  return Object.fromEntries(Object.entries(changed).filter(([name]) => needed.has(name)));
}

/** Elements. */
export function sizeOf(ends: readonly VariantEnd[]): number {
  return ends.reduce(
    (sum, { changed }) =>
      sum + Object.values(changed).reduce((elements, { data }) => elements + data.length, 0),
    0,
  );
}
