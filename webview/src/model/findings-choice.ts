/** Which findings are shown before *Show all*, and where a finding names layers. No elements in here. */
import type { ReportedIssue } from '../../../server/src/protocol/reports';

/** So many are shown at least. */
const shownAtFirst = 5;

/** What is found at many layers shall not hide what is found at one: so many of a code, however many there are. */
const shownOfCode = 3;

/** The first ones, every error, and all whose remedy was measured at the model output; in the order given. */
export function shownBeforeAll(findings: readonly ReportedIssue[]): readonly ReportedIssue[] {
  const counts = new Map<string, number>();
  let shown = 0;
  return findings.filter((one) => {
    const nth = (counts.get(one.code) ?? 0) + 1;
    counts.set(one.code, nth);
    if (one.severity === 'error') return true;
    if (nth > shownOfCode) return false;
    shown += 1;
    return shown <= shownAtFirst || hasGain(one);
  });
}

/** A remedy's gain at the output is what a user decides by. */
function hasGain({ facts: { gains } }: ReportedIssue): boolean {
  return (
    Array.isArray(gains) &&
    gains.some(
      (gain: unknown) => typeof gain === 'object' && gain !== null && 'of' in gain && gain.of === 'output',
    )
  );
}

/** The node to put in front of a message: where there is no layer, and the message does not name it itself. */
export function nodeOf({ layer, node, message }: ReportedIssue): string | undefined {
  return layer === undefined && node !== undefined && !message.includes(node) ? node : undefined;
}

export interface MessagePart {
  readonly text: string;
  /** The text is this layer's name. */
  readonly layer?: string;
}

/** A message cut at the quoted names of layers; the parts joined are the message. */
export function messageParts(message: string, isLayer: (name: string) => boolean): readonly MessagePart[] {
  const parts: MessagePart[] = [];
  let from = 0;
  for (const match of message.matchAll(/"([^"]+)"/g)) {
    const name = match[1] ?? '';
    if (!isLayer(name)) continue;
    const start = match.index + 1;
    parts.push({ text: message.slice(from, start) }, { text: name, layer: name });
    from = start + name.length;
  }
  return [...parts, { text: message.slice(from) }].filter(({ text }) => text !== '');
}
