/** The order of findings: what was measured to gain most comes first, then what is graver, then as the rules stand. */
import type { Issue, Severity } from '../protocol/issues';

const ranks: Readonly<Record<Severity, number>> = { error: 0, warning: 1, information: 2, hint: 3 };

/** Decisive findings first; equal ones keep their order. */
export function decisiveFirst(found: readonly Issue[]): readonly Issue[] {
  return [...found].sort(
    (one, other) => outputGain(other) - outputGain(one) || ranks[one.severity] - ranks[other.severity],
  );
}

/** dB that the remedy gains at the output; 0 where it gains nothing or was not measured. */
function outputGain({ facts }: Issue): number {
  const gains = 'gains' in facts ? (facts.gains ?? []) : [];
  return Math.max(0, ...gains.filter(({ of }) => of === 'output').map(({ before, after }) => after - before));
}
