/** Go to definition: a value's producer in the text; from a recipe's rule or model to the text view. */
import type { Location, Position } from 'vscode-languageserver-types';
import { layerMatcher } from '../../engine/format/layer-glob';
import { definitionOf, type SyntaxToken, symbolAt } from '../../engine/format/onnx-text';
import { rangeOf } from '../convert';
import { ruleAt } from '../recipe-places';
import type { RecipeSnapshot, Snapshot, TextSnapshot } from '../snapshot';

/** Where a layer's node stands in the text view of its model. */
export type LocateLayer = (modelPath: string, layer: string) => Location | undefined;

export function definition(snapshot: Snapshot, position: Position, locate: LocateLayer): Location | null {
  return snapshot.kind === 'text'
    ? textDefinition(snapshot, position)
    : recipeDefinition(snapshot, position, locate);
}

function textDefinition(snapshot: TextSnapshot, position: Position): Location | null {
  const symbol = symbolAt(snapshot.parsed.document, snapshot.document.offsetAt(position));
  if (symbol?.kind !== 'value') return null;
  const token = definitionOf(snapshot.parsed.document, symbol.token.name, symbol.token.graph);
  return token ? locationOf(snapshot, token) : null;
}

function recipeDefinition(
  snapshot: RecipeSnapshot,
  position: Position,
  locate: LocateLayer,
): Location | null {
  const rule = ruleAt(snapshot.parsed, snapshot.document.offsetAt(position));
  const pattern = rule && snapshot.parsed.recipe?.layers[rule.index]?.match;
  if (pattern === undefined || !snapshot.model) return null;
  const layer = snapshot.model.report?.layers.find(({ name }) => layerMatcher(pattern)(name));
  return (layer && locate(snapshot.model.path, layer.name)) ?? null;
}

export function locationOf(snapshot: TextSnapshot, token: Pick<SyntaxToken, 'start' | 'end'>): Location {
  return { uri: snapshot.document.uri, range: rangeOf(snapshot.document, [token.start, token.end]) };
}
