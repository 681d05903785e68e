/** Which findings are shown before *Show all*, and where a finding names layers. No elements in here. */
import type { ReportedIssue } from '../../../server/src/protocol/reports';

/** So many are shown at least. */
const shownAtFirst = 5;

/** The first ones, every error, and all whose remedy was measured at the model output; in the order given. */
export function shownBeforeAll(findings: readonly ReportedIssue[]): readonly ReportedIssue[] {
  return findings.filter((one, index) => index < shownAtFirst || one.severity === 'error' || hasGain(one));
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
