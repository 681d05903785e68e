/** Places in scripts, and what a hover says there. */
import type { Hover, MarkupContent } from 'vscode-languageserver-types';
import type { Opened, TestClient } from './client';

/** Offset of a piece of a text, or of the mark in it. */
export function at({ text }: Pick<Opened, 'text'>, piece: string): number {
  const mark = piece.indexOf('‸');
  const start = text.indexOf(piece.replace('‸', ''));
  if (start < 0) throw new Error(`not in the text: ${piece}`);
  return start + Math.max(0, mark);
}

/** Text of the hover at a piece; empty where there is none. */
export async function hoverOn(client: TestClient, opened: Opened, piece: string): Promise<string> {
  // A hover waits for nothing; lenses wait until it is known which model holds the weights.
  await client.at('codeLens', opened);
  const hover = await client.at<Hover | null>('hover', opened, at(opened, piece));
  return (hover?.contents as MarkupContent | undefined)?.value ?? '';
}
