/** Which outputs of a tapped session a run copies out: copying is what observing costs beside computing. */
import type { TensorWatch } from './tensor-watch';

/** Which outputs a run fetches, and what each watch finds among them. */
export interface FetchPlan {
  readonly names: readonly string[];
  readonly fetched: readonly {
    readonly watch: TensorWatch;
    readonly extremes: readonly string[];
    readonly all: string | undefined;
  }[];
}

/** `usual` leaves out all elements of tensors whose estimator does with extremes; `whole` has them too. */
export function fetchPlans(
  watches: readonly TensorWatch[],
  outputs: readonly (readonly string[])[],
): Readonly<Record<'usual' | 'whole', FetchPlan>> {
  let at = 0;
  const found = watches.map((watch) => {
    const extremes = watch.extremes ? (outputs[at++] ?? []) : [];
    const [all] = outputs[at++] ?? [];
    return { watch, extremes, all };
  });
  const plan = (whole: boolean): FetchPlan => {
    const fetched = found.map(({ watch, extremes, all }) => {
      const needed = whole || watch.estimator.histogram !== undefined;
      return { watch, extremes, all: needed ? all : undefined };
    });
    const names = fetched.flatMap(({ extremes, all }) => (all === undefined ? extremes : [...extremes, all]));
    return { names, fetched };
  };
  return { usual: plan(false), whole: plan(true) };
}
