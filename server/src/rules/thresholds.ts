/** The numbers that findings compare with, as users set them: `CODE.name`. Defaults and bounds stand in the rules. */
import type { ModelRule, Threshold } from './rule';

/** Setting `quantlens.thresholds`; keys as {@link thresholdTable} lists them. */
export type ThresholdSettings = Readonly<Record<string, number>>;

/** All thresholds of some rules by setting key, `M01.spread`. */
export function thresholdTable(rules: readonly ModelRule[]): Readonly<Record<string, Threshold>> {
  return Object.fromEntries(
    rules.flatMap((rule) =>
      Object.entries(rule.thresholds ?? {}).map(
        ([name, threshold]) => [`${rule.code}.${name}`, threshold] as const,
      ),
    ),
  );
}

/** The thresholds of one rule in force; a setting outside its bounds counts as not made. */
export function limitsOf(rule: ModelRule, settings: ThresholdSettings): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(rule.thresholds ?? {}).map(([name, threshold]) => {
      const value = settings[`${rule.code}.${name}`];
      return [name, value !== undefined && isWithin(threshold, value) ? value : threshold.default];
    }),
  );
}

export function isWithin({ minimum, maximum }: Threshold, value: number): boolean {
  return value >= minimum && value <= maximum;
}
