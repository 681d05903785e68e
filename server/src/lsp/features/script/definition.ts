/** From a constructor call to the layer in the model's text and to the rule that decides about it. */

import { TextDocument } from 'vscode-languageserver-textdocument';
import type { Location, Position } from 'vscode-languageserver-types';
import { chooseLayer } from '../../../engine/format/recipe-match';
import { pathOf, rangeOf } from '../../convert';
import { type TiedLayers, tiedAt } from '../../script-layers';
import type { ScriptSnapshot } from '../../snapshot';
import type { ModelState } from '../../workspace';
import type { LocateLayer } from '../definition';

/** What the way from a script to other files needs. */
export interface ScriptTargets {
  readonly locate: LocateLayer;
  /** Text of a recipe as the editor or the disk has it. */
  readonly read: (uri: string, file: string) => { readonly text: string } | undefined;
}

/** Layers listed of a call that makes many. */
const MAX_TARGETS = 64;

/** Answers on what a call is assigned to (`self.conv1`): on the call itself Python's own definition is wanted. */
export function scriptDefinition(
  snapshot: ScriptSnapshot,
  position: Position,
  targets: ScriptTargets,
): Location[] | null {
  const found = assignedAt(snapshot, position);
  if (!found) return null;
  const places = targetsOf(found, targets);
  return places.length > 0 ? places : null;
}

/** The same places, the lines of the script included when asked for. */
export function scriptReferences(
  snapshot: ScriptSnapshot,
  position: Position,
  includeDeclaration: boolean,
  targets: ScriptTargets,
): Location[] {
  const found = assignedAt(snapshot, position);
  if (!found) return [];
  const own = includeDeclaration ? snapshot.places.location(found.span) : undefined;
  return [...(own ? [own] : []), ...targetsOf(found, targets)];
}

function assignedAt(snapshot: ScriptSnapshot, position: Position): TiedLayers | undefined {
  const offset = snapshot.places.offset(snapshot.document.offsetAt(position));
  const found = tiedAt(snapshot, offset);
  if (!found) return undefined;
  // `return nn.Conv2d(…)` is assigned to nothing: there the call itself answers.
  const { text } = snapshot.script;
  const ahead = text.slice(text.lastIndexOf('\n', found.span[0] - 1) + 1, found.span[0]);
  return offset < found.span[0] || !ahead.includes('=') ? found : undefined;
}

function targetsOf({ model, layers }: TiedLayers, { locate, read }: ScriptTargets): Location[] {
  const shown = layers.slice(0, MAX_TARGETS).map(({ name }) => name);
  return [...shown.flatMap((layer) => locate(model, layer) ?? []), ...decidingRules(model, shown, read)];
}

/** Rules of the recipe beside a model that decide about layers. */
export function decidingRules(
  { recipe, recipeUri }: ModelState,
  layers: readonly string[],
  read: ScriptTargets['read'],
): Location[] {
  const plan = recipe?.recipe;
  if (!recipe || !plan || recipeUri === undefined) return [];
  const deciding = new Set(layers.map((name) => chooseLayer(plan, name).rule));
  const text = read(recipeUri, pathOf(recipeUri))?.text;
  if (text === undefined) return [];
  const document = TextDocument.create(recipeUri, 'jsonc', 0, text);
  return [...deciding].flatMap((rule): Location[] => {
    const span = rule === undefined ? undefined : recipe.spans.rules[rule]?.span;
    return span ? [{ uri: recipeUri, range: rangeOf(document, span) }] : [];
  });
}
