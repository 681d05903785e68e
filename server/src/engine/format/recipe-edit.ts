/**
 * Edits a recipe's text in place: comments, order and layout of everything else stay. An edit that changes nothing
 * gives no edits, so applying one twice equals applying it once.
 */
import type { Node } from 'jsonc-parser';
import { withChannelScope, withoutSymmetry } from '../base/format-names';
import type { Issue } from '../base/issue';
import { ArrayEditor, applyTextEdits, ObjectEditor, type TextEdit } from './json-edit';
import { escapeLayerName } from './layer-glob';
import { parseRecipe, type Recipe, type RecipeRule, readTree } from './recipe';
import { chooseLayer, matchLayer } from './recipe-match';

export type { TextEdit } from './json-edit';

/** What to change. `layer` is a layer's name as reports write it, never a pattern. */
export type RecipeEdit =
  /** Formats of one layer; formats not named here stay as a rule for this layer had them. */
  | {
      readonly kind: 'set-rule';
      readonly layer: string;
      readonly weights?: string;
      readonly activations?: string;
    }
  | { readonly kind: 'keep-float'; readonly layer: string }
  /** The layer's present weight format (its rule's or the default's; `int8` if none) with one scale per channel. */
  | { readonly kind: 'per-channel'; readonly layer: string }
  /** One half of the formats of a layer, or of the default without one; the other half stays what it was. */
  | { readonly kind: 'set-weights'; readonly layer?: string; readonly weights: string }
  | { readonly kind: 'set-activations'; readonly layer?: string; readonly activations: string }
  /** The present activation format (`uint8.tensor` if none) without symmetry around zero. */
  | { readonly kind: 'asymmetric-activations'; readonly layer?: string }
  | {
      readonly kind: 'set-default';
      readonly weights?: string;
      readonly activations?: string;
      readonly estimator?: string;
    }
  | { readonly kind: 'add-method'; readonly method: string }
  /** Any top-level value. */
  | { readonly kind: 'set'; readonly key: keyof Recipe; readonly value: unknown };

export interface EditedRecipe {
  readonly text: string;
  /** Against the text before; ordered, not overlapping. Empty when nothing changes or nothing could be done. */
  readonly edits: readonly TextEdit[];
  /** Why nothing could be done: the text holds no object. */
  readonly issues: readonly Issue[];
}

/** Applies one edit. A text without any content becomes a recipe; a broken one is left alone and reported. */
export function editRecipe(text: string, edit: RecipeEdit): EditedRecipe {
  const issues: Issue[] = [];
  if (text.trim() === '') {
    const created = editRecipe('{}\n', edit);
    return { ...created, edits: [{ offset: 0, length: text.length, content: created.text }] };
  }
  const root = readTree(text, { add: (one) => issues.push(one) });
  if (root === undefined || issues.length > 0) return { text, edits: [], issues };
  const edits = editTree(text, root, edit);
  return { text: applyTextEdits(text, edits), edits, issues: [] };
}

/** Applies several edits in order, each to the text the one before left. `edits` replace the whole difference. */
export function editRecipeAll(text: string, changes: readonly RecipeEdit[]): EditedRecipe {
  let current = text;
  for (const change of changes) {
    const edited = editRecipe(current, change);
    if (edited.issues.length > 0) return { text, edits: [], issues: edited.issues };
    current = edited.text;
  }
  return { text: current, edits: difference(text, current), issues: [] };
}

function editTree(text: string, root: Node, edit: RecipeEdit): TextEdit[] {
  const object = new ObjectEditor(text, root);
  switch (edit.kind) {
    case 'set-rule': {
      const { weights, activations } = edit;
      return setRule(text, object, edit.layer, { weights, activations }, ['keep']);
    }
    case 'keep-float':
      return setRule(text, object, edit.layer, { keep: 'float' }, ['weights', 'activations']);
    case 'per-channel': {
      const { recipe } = parseRecipe(text);
      const index = recipe && matchLayer(recipe, edit.layer);
      const rule = index === undefined ? undefined : recipe?.layers[index];
      const weights = withChannelScope(rule?.weights ?? recipe?.default.weights ?? 'int8');
      return setRule(text, object, edit.layer, { weights, activations: rule?.activations }, ['keep']);
    }
    case 'set-weights':
      return setHalf(text, object, edit.layer, { weights: edit.weights });
    case 'set-activations':
      return setHalf(text, object, edit.layer, { activations: edit.activations });
    case 'asymmetric-activations': {
      const present = presentFormats(text, edit.layer).activations ?? 'uint8.tensor';
      return setHalf(text, object, edit.layer, { activations: withoutSymmetry(present) });
    }
    case 'set-default': {
      const { weights, activations, estimator } = edit;
      return object.setIn('default', withoutMissing({ weights, activations, estimator }));
    }
    case 'add-method':
      return addMethod(text, object, edit.method);
    case 'set':
      return object.set(edit.key, edit.value);
  }
}

/** What the winning rule of a layer says and, where that is silent, the default; without a layer the default. */
function presentFormats(
  text: string,
  layer: string | undefined,
): Pick<RecipeRule, 'weights' | 'activations'> {
  const { recipe } = parseRecipe(text);
  if (recipe === undefined || layer === undefined) return recipe?.default ?? {};
  const { weights, activations } = chooseLayer(recipe, layer);
  return withoutMissing({ weights, activations });
}

function setHalf(
  text: string,
  root: ObjectEditor,
  layer: string | undefined,
  half: Pick<RecipeRule, 'weights' | 'activations'>,
): TextEdit[] {
  if (layer === undefined) return root.setIn('default', { ...half });
  // A new rule hides the one that won so far, so it takes over what that said.
  return setRule(text, root, layer, { ...presentFormats(text, layer), ...half }, ['keep']);
}

/**
 * Makes a rule for exactly this layer the one that wins: the winning rule when it names the layer, else a new one
 * behind all others.
 */
function setRule(
  text: string,
  root: ObjectEditor,
  layer: string,
  values: Readonly<Record<string, string | undefined>>,
  remove: readonly string[],
): TextEdit[] {
  const match = escapeLayerName(layer);
  const fields = withoutMissing(values);
  const list = root.value('layers');
  if (list === undefined || list.type !== 'array') return root.set('layers', [{ match, ...fields }]);
  const winner = winningElement(text, list, layer);
  if (winner === undefined) return new ArrayEditor(text, list).append({ match, ...fields });
  const rule = new ObjectEditor(text, winner);
  return rule.change(fields, remove);
}

/** The element of `layers` that wins for a layer and names it alone. */
function winningElement(text: string, list: Node, layer: string): Node | undefined {
  const { recipe, spans } = parseRecipe(text);
  const winner = recipe && matchLayer(recipe, layer);
  if (recipe === undefined || winner === undefined) return undefined;
  const match = recipe.layers[winner]?.match;
  if (match !== layer && match !== escapeLayerName(layer)) return undefined;
  return list.children?.[spans.rules[winner]?.index ?? -1];
}

function addMethod(text: string, root: ObjectEditor, method: string): TextEdit[] {
  const list = root.value('methods');
  if (list === undefined || list.type !== 'array') return root.set('methods', [method]);
  if (parseRecipe(text).recipe?.methods.some(({ name }) => name === method)) return [];
  return new ArrayEditor(text, list).append(method);
}

/** One edit that turns `before` into `after`, between their common beginning and end. */
function difference(before: string, after: string): TextEdit[] {
  if (before === after) return [];
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let end = 0;
  while (
    end < shorter - start &&
    before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)
  )
    end++;
  return [
    { offset: start, length: before.length - end - start, content: after.slice(start, after.length - end) },
  ];
}

function withoutMissing(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
