/** Which outputs of a tapped session a run copies out: copying is what observing costs beside computing. */
import { type CalibrationTaps, PACKED, type ShownTap } from './calibrate-taps';
import type { TensorWatch } from './tensor-watch';

/** Which outputs a run fetches, and what each watch finds among them. */
export interface FetchPlan {
  readonly names: readonly string[];
  readonly taps: CalibrationTaps;
  readonly fetched: readonly { readonly watch: TensorWatch; readonly shown: ShownTap }[];
}

/** `usual` leaves out the elements of tensors that are seldom looked at; `whole` has them too. */
export function fetchPlans(
  watches: readonly TensorWatch[],
  taps: CalibrationTaps,
): Readonly<Record<'usual' | 'whole', FetchPlan>> {
  const plan = (whole: boolean): FetchPlan => {
    const fetched = watches.map((watch, at) => {
      const { ends = [], elements, share } = taps.shown[at] ?? {};
      return { watch, shown: { ends, share, elements: whole || watch.often ? elements : undefined } };
    });
    const own = fetched.flatMap(({ shown }) => (typeof shown.elements === 'string' ? shown.elements : []));
    return { names: taps.packed ? [PACKED, ...own] : own, taps, fetched };
  };
  return { usual: plan(false), whole: plan(true) };
}
