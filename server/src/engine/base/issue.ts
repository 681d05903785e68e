/** Constructors for {@link Issue}: code, facts, anchor. Words are made in `rules/words.ts` only. */
import type { Anchor, Issue, IssueCode, IssueFacts, Severity } from '../../protocol/issues';

export type { Anchor, Issue, IssueCode, IssueFacts, Severity } from '../../protocol/issues';

/** Builds an issue; severity defaults to `error`. */
export function issue<C extends IssueCode>(
  code: C,
  facts: IssueFacts[C],
  anchor: Anchor = {},
  severity: Severity = 'error',
): Issue {
  // The mapped union cannot be narrowed from a generic key; the parameters above already tie code and facts.
  return { code, facts, anchor, severity } as Issue;
}

/** True when any issue has error severity. */
export function hasErrors(issues: readonly Issue[]): boolean {
  return issues.some((one) => one.severity === 'error');
}

/** The same issue with further anchor parts; parts already set win. */
export function anchored(one: Issue, anchor: Anchor): Issue {
  return { ...one, anchor: { ...anchor, ...one.anchor } };
}
