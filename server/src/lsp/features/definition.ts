/** Go to definition: a value's producer in the text; from a recipe's rule or model to the text view. */
import type { Location, Position } from 'vscode-languageserver-types';
import { layerMatcher } from '../../engine/format/layer-glob';
import { definitionOf, type SyntaxToken, symbolAt } from '../../engine/format/onnx-text';
import { rangeOf } from '../convert';
import { ruleAt } from '../recipe-places';
import type { RecipeSnapshot, Snapshot, TextSnapshot } from '../snapshot';
import type { ModelState } from '../workspace';

/** Where a layer's node stands in the text view of its model. */
export type LocateLayer = (model: ModelState, layer?: string) => Location | undefined;

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
  const { parsed, model } = snapshot;
  if (!model) return null;
  const offset = snapshot.document.offsetAt(position);
  const named = parsed.spans.values.get('model')?.value;
  if (named && named[0] <= offset && offset <= named[1]) return locate(model) ?? null;
  const rule = ruleAt(parsed, offset);
  const pattern = rule && parsed.recipe?.layers[rule.index]?.match;
  if (pattern === undefined) return null;
  const matcher = layerMatcher(pattern);
  const layer = model.report?.layers.find(({ name }) => matcher(name));
  return (layer && locate(model, layer.name)) ?? null;
}

export function locationOf(snapshot: TextSnapshot, token: Pick<SyntaxToken, 'start' | 'end'>): Location {
  return { uri: snapshot.document.uri, range: rangeOf(snapshot.document, [token.start, token.end]) };
}
