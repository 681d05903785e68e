/** All places that mean the same value, across subgraphs. */
import type { Location, Position } from 'vscode-languageserver-types';
import { referencesOf, symbolAt } from '../../engine/format/onnx-text';
import type { TextSnapshot } from '../snapshot';
import { locationOf } from './definition';

export function references(
  snapshot: TextSnapshot,
  position: Position,
  includeDeclaration: boolean,
): Location[] {
  const { document } = snapshot.parsed;
  const symbol = symbolAt(document, snapshot.document.offsetAt(position));
  if (symbol?.kind !== 'value') return [];
  return referencesOf(document, symbol.token.name, symbol.token.graph)
    .filter((token) => includeDeclaration || token.kind !== 'definition')
    .map((token) => locationOf(snapshot, token));
}
