/** What a pass is: a named rewrite of a model in place, with what it relies on and what it guarantees. */
import type { Issue } from '../../base/issue';
import type { Model } from '../ir';

/** Properties that passes establish and rely on. */
export type Property =
  | 'initializers-are-constant'
  | 'no-identity'
  | 'shapes-folded'
  | 'weights-unshared'
  | 'batch-norm-folded'
  | 'weights-stored-as-used';

export interface PassResult {
  readonly modified: boolean;
  readonly issues: readonly Issue[];
}

export interface Pass {
  /** Kebab-case, as methods in recipes are called. */
  readonly name: string;
  readonly requires: readonly Property[];
  readonly ensures: readonly Property[];
  /** Changes the model in place. Outputs stay the same up to float rounding; names of layers stay the same. */
  readonly run: (model: Model) => PassResult;
}
