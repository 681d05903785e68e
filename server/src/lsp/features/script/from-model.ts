/** From a layer in a text view or a recipe to the lines of scripts that make it, and to each other. */
import type { Location, Position } from 'vscode-languageserver-types';
import { chooseLayer } from '../../../engine/format/recipe-match';
import { ruleAt } from '../../recipe-places';
import type { Snapshot } from '../../snapshot';
import { layerAt } from '../code-action';
import { decidingRules, type ScriptTargets } from './definition';

/** Lines of open scripts that make a layer of a model. */
export type LocateInScripts = (model: string, layer: string) => readonly Location[];

/** Layers of a rule that are looked for. */
const MAX_LAYERS = 64;

export function placesInScripts(
  snapshot: Snapshot,
  position: Position,
  locate: LocateInScripts,
): readonly Location[] {
  const { model } = snapshot;
  if (!model) return [];
  const seen = new Set<string>();
  return layersAt(snapshot, position)
    .flatMap((layer) => locate(model.path, layer))
    .filter((place) => {
      const key = JSON.stringify(place);
      return !seen.has(key) && seen.add(key);
    });
}

/** Rules that decide about the layer in a text view; from a rule, the layers it decides about in the view, and itself. */
export function placesBeside(
  snapshot: Snapshot,
  position: Position,
  includeDeclaration: boolean,
  targets: ScriptTargets,
): readonly Location[] {
  const { model } = snapshot;
  if (!model) return [];
  const layers = layersAt(snapshot, position);
  const rules =
    snapshot.kind === 'text' || includeDeclaration ? decidingRules(model, layers, targets.read) : [];
  const nodes = snapshot.kind === 'text' ? [] : layers.flatMap((layer) => targets.locate(model, layer) ?? []);
  return [...rules, ...nodes];
}

function layersAt(snapshot: Snapshot, position: Position): readonly string[] {
  if (snapshot.kind === 'text') {
    const layer = layerAt(snapshot, { start: position, end: position });
    return layer ? [layer.name] : [];
  }
  const { parsed, model, document } = snapshot;
  const rule = ruleAt(parsed, document.offsetAt(position));
  const plan = parsed.recipe;
  if (!rule || !plan) return [];
  const decided = (model?.report?.layers ?? []).filter(
    ({ name }) => chooseLayer(plan, name).rule === rule.index,
  );
  return decided.slice(0, MAX_LAYERS).map(({ name }) => name);
}
