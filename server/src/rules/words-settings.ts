/** What is said of settings that cannot be obeyed: the key, the value, the reason. */
import { quote } from './quote';

/** Keys named in one message; the log has all. */
const MAX_NAMED = 3;

export const settingWords = {
  problem: (key: string, reason: string) => `quantlens.${key}: ${reason}`,
  noSuchCode: 'there is no finding of that code.',
  noSuchSeverity: (value: unknown) =>
    `${shown(value)} is no severity. Use error, warning, information, hint or off.`,
  noSuchThreshold: 'there is no such threshold. The settings list those there are.',
  outside: (value: unknown, minimum: number, maximum: number) =>
    `${shown(value)} is no number from ${minimum} to ${maximum}; the default is used.`,
  wrongType: (value: unknown, expected: string) => `${shown(value)} is no ${expected}; the default is used.`,
  negative: (value: number) => `${value} is below 0; the default is used.`,
  noSuchTarget: (value: unknown, known: readonly string[]) =>
    `${shown(value)} is no target. Use ${known.filter((target) => target !== '').join(', ')}.`,
  /** One message for all. */
  message: (problems: readonly string[]) => {
    const more = problems.length - MAX_NAMED;
    const named = problems.slice(0, MAX_NAMED).join(' ');
    return `Settings that have no effect: ${named}${more > 0 ? ` And ${more} more, see the log.` : ''}`;
  },
} as const;

function shown(value: unknown): string {
  return quote(typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)));
}
