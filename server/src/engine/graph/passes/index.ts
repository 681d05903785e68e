/** The passes in the order they run. One pass = one file + one line here. */
import { invariant } from '../../base/invariant';
import type { Issue } from '../../base/issue';
import type { Model } from '../ir';
import { dropIdentity } from './drop-identity';
import { dropInitializerInputs } from './drop-initializer-inputs';
import { foldConstants } from './fold-constants';
import { fuseBatchNorm } from './fuse-batchnorm';
import type { Pass, Property } from './pass';
import { transposeWeights } from './transpose-weights';
import { unshareWeights } from './unshare-weights';

export type { Pass, PassResult, Property } from './pass';
export {
  dropIdentity,
  dropInitializerInputs,
  foldConstants,
  fuseBatchNorm,
  transposeWeights,
  unshareWeights,
};

/** Every pass, in order. */
export const passes: readonly Pass[] = [
  dropInitializerInputs,
  dropIdentity,
  foldConstants,
  unshareWeights,
  fuseBatchNorm,
  transposeWeights,
];

/** Passes that leave all weights as they are in the file: enough for reading and for float inference. */
export const structuralPasses: readonly Pass[] = [
  dropInitializerInputs,
  dropIdentity,
  foldConstants,
  unshareWeights,
];

export interface PassesResult {
  /** Names of the passes that changed something. */
  readonly modified: readonly string[];
  readonly issues: readonly Issue[];
}

/** Runs passes in the given order on the model, in place. What one requires, an earlier one must ensure. */
export function runPasses(model: Model, list: readonly Pass[] = passes): PassesResult {
  const ensured = new Set<Property>();
  const modified: string[] = [];
  const issues: Issue[] = [];
  for (const pass of list) {
    const missing = pass.requires.find((property) => !ensured.has(property));
    invariant(missing === undefined, `pass ${pass.name} runs after one that ensures ${missing}`);
    const result = pass.run(model);
    if (result.modified) modified.push(pass.name);
    issues.push(...result.issues);
    for (const property of pass.ensures) ensured.add(property);
  }
  return { modified, issues };
}
