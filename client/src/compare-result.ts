/** What a compare view shows while a comparison is repeated, and when the repetition brings nothing: never less than before. */
import type { CompareView } from '../../server/src/protocol/views';

export interface EarlierWords {
  /** Said beside figures of the comparison before. */
  readonly kept: string;
  readonly cancelled: string;
}

/** True for a comparison that came to its end with figures: worth keeping beside a later one. */
export function isComplete(view: CompareView): boolean {
  return view.state === 'done' && view.layers.length > 0;
}

/**
 * The view itself where it says more than the complete one before it, else the one before it with what happened since.
 * @param sameData both stand on the same samples; then a complete comparison says more than a cancelled one.
 */
export function besideEarlier(
  view: CompareView,
  earlier: CompareView | undefined,
  sameData: boolean,
  words: EarlierWords,
): CompareView {
  if (!earlier || view.state === 'done') return view;
  const isSurpassed = view.layers.length === 0 || (view.state === 'cancelled' && sameData);
  if (!isSurpassed) return view;
  const { trusted, floatBytes, quantizedBytes } = view;
  const known = { ...earlier, trusted, floatBytes, quantizedBytes };
  switch (view.state) {
    case 'running':
      return { ...known, state: 'running', problems: [words.kept] };
    // "Cancelled" would say of the figures that they were.
    case 'cancelled':
      return { ...known, problems: [`${words.cancelled} ${words.kept}`] };
    case 'failed': {
      const [first = '', ...rest] = view.problems;
      return { ...known, state: 'failed', problems: [`${first} ${words.kept}`.trim(), ...rest] };
    }
  }
}
