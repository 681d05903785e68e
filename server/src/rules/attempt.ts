/** A rule that throws costs its own findings and no others: one line says which rule it was. */
import { issue } from '../engine/base/issue';
import type { Issue } from '../protocol/issues';

/** What a check gives, or the issue that stands in its place. */
export function attempt<T>(rule: string, check: () => T): { readonly value: T } | { readonly failed: Issue } {
  try {
    return { value: check() };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { failed: issue('rule-failed', { rule, reason }, {}, 'warning') };
  }
}
