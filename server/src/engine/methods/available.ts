/** Which methods of the contract this version runs; asking for another is an issue, never silently skipped. */
import { type Issue, issue } from '../base/issue';

/** BatchNormalization is folded before anything is measured, asked for or not. */
const available: ReadonlySet<string> = new Set(['fold-batchnorm']);

export function isAvailable(method: string): boolean {
  return available.has(method);
}

/** `not-implemented` for a method that {@link isAvailable} denies. */
export function methodIssue(method: string): Issue {
  return issue('not-implemented', {
    what: `method ${method}`,
    next: 'Leave it out; fold-batchnorm always runs.',
  });
}
