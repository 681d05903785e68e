/** Which outputs of a tapped session a run copies out: copying is what observing costs beside computing. */
import type { CalibrationTaps, ShownTap } from './calibrate-taps';
import type { TensorWatch } from './tensor-watch';

/** Which outputs a run fetches, and what each watch finds among them. */
export interface FetchPlan {
  readonly names: readonly string[];
  readonly fetched: readonly {
    readonly watch: TensorWatch;
    readonly ends: ShownTap['ends'];
    readonly elements: string | undefined;
  }[];
}

/** `usual` leaves out the elements of tensors that are seldom shown; `whole` has them too. */
export function fetchPlans(
  watches: readonly TensorWatch[],
  taps: CalibrationTaps,
): Readonly<Record<'usual' | 'whole', FetchPlan>> {
  const plan = (whole: boolean): FetchPlan => {
    const fetched = watches.map((watch, at) => {
      const { ends = [], elements } = taps.shown[at] ?? {};
      return { watch, ends, elements: whole || watch.often ? elements : undefined };
    });
    const shown = fetched.flatMap(({ elements }) => elements ?? []);
    return { names: [...taps.ends, ...shown], fetched };
  };
  return { usual: plan(false), whole: plan(true) };
}
