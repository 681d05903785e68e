/** Completion in recipes: keys, layer names and patterns, formats, estimators, methods, targets. */
import { type CompletionItem, CompletionItemKind, type Position } from 'vscode-languageserver-types';
import { methodNames, presetNames, targetNames } from '../../engine/base/format-names';
import { escapeLayerName } from '../../engine/format/layer-glob';
import { recipeLocation } from '../../engine/format/recipe';
import { recipeKeys } from '../../engine/format/recipe-schema';
import { estimators } from '../../engine/numerics/ranges';
import { decibels, shapeText } from '../../rules/numbers';
import { rangeOf } from '../convert';
import type { RecipeSnapshot } from '../snapshot';

const weightFormats = [
  ['int8', 'per output channel'],
  ['int4', 'groups of 32 for MatMul, per channel elsewhere'],
  ['int8.channel', 'one scale per output channel'],
  ['int8.tensor', 'one scale for the tensor'],
  ['int4.channel', 'one scale per output channel'],
  ['int4.group32', 'one scale per 32 inputs'],
  ['int4.group64', 'one scale per 64 inputs'],
  ['int4.group128', 'one scale per 128 inputs'],
  ['int3.channel', 'stored in 4 bits'],
  ['int2.channel', 'stored in 4 bits'],
  ['float', 'not quantized'],
] as const;

const activationFormats = [
  ['uint8.tensor', 'asymmetric, one scale for the tensor'],
  ['uint16.tensor', 'asymmetric, one scale for the tensor'],
  ['float', 'activations stay float: weight-only'],
] as const;

const ruleKeys = ['match', 'weights', 'activations', 'keep'];
const defaultKeys = ['weights', 'activations', 'estimator'];
const dataKeys = ['source', 'preset', 'samples', 'scale', 'mean', 'std', 'resize', 'crop', 'layout', 'color'];

export function completion(snapshot: RecipeSnapshot, position: Position): CompletionItem[] {
  const offset = snapshot.document.offsetAt(position);
  const location = recipeLocation(snapshot.document.getText(), offset);
  const { span } = location;
  // The word before the cursor is replaced only while the cursor touches it.
  const range =
    span && span[0] <= offset && offset <= span[1]
      ? rangeOf(snapshot.document, span)
      : { start: position, end: position };
  const item = (
    value: string,
    detail: string | undefined,
    kind: CompletionItemKind,
    sort?: string,
  ): CompletionItem => {
    const newText = JSON.stringify(value);
    return { label: value, kind, detail, filterText: newText, sortText: sort, textEdit: { range, newText } };
  };
  const values = (list: readonly (readonly [string, string?])[]) =>
    list.map(([value, detail], index) =>
      item(value, detail, CompletionItemKind.Value, String(index).padStart(3, '0')),
    );
  const { path } = location;
  const last = path[path.length - 1];
  const [top] = path;
  if (top === 'layers' && last === 'match' && !location.atKey) return layerItems(snapshot, item);
  // Where the editor completes from the schema, a second list would show everything twice.
  if (snapshot.client.recipeSchema) return [];
  if (location.atKey) return keysAt(path).map((key) => item(key, undefined, CompletionItemKind.Property));
  if (last === 'weights') return values(weightFormats);
  if (last === 'activations') return values(activationFormats);
  if (last === 'keep') return values([['float', 'leave the layer unquantized']]);
  if (last === 'estimator') return values(estimators.map(({ name }) => [name]));
  if (top === 'methods') return values(methodNames.map((name) => [name]));
  if (last === 'target') return values(targetNames.map((name) => [name]));
  if (last === 'preset') return values(presetNames.map((name) => [name]));
  if (top === 'data' && last === 'source')
    return values([
      ['none', 'no data: BatchNormalization statistics or noise'],
      ['random', 'noise'],
    ]);
  if (last === 'layout') return values([['nchw'], ['nhwc']]);
  if (last === 'color') return values([['rgb'], ['bgr']]);
  return [];
}

function keysAt(path: readonly (string | number)[]): readonly string[] {
  if (path.length <= 1) return recipeKeys;
  if (path[0] === 'layers') return ruleKeys;
  if (path[0] === 'default') return defaultKeys;
  return path[0] === 'data' ? dataKeys : [];
}

type MakeItem = (
  value: string,
  detail: string | undefined,
  kind: CompletionItemKind,
  sort?: string,
) => CompletionItem;

/** Layers in the model's order, then a pattern per common prefix. */
function layerItems(snapshot: RecipeSnapshot, item: MakeItem): CompletionItem[] {
  const layers = snapshot.model?.report?.layers ?? [];
  const prefixes = new Map<string, number>();
  for (const { name } of layers) {
    const dot = name.indexOf('.');
    if (dot > 0) prefixes.set(name.slice(0, dot), (prefixes.get(name.slice(0, dot)) ?? 0) + 1);
  }
  const names = layers.map((layer, index) =>
    item(
      escapeLayerName(layer.name),
      `${layer.op} ${shapeText(layer.shape)} · int8 ${decibels(layer.weightSqnr?.['int8.channel'])}`,
      CompletionItemKind.Field,
      `0${String(index).padStart(6, '0')}`,
    ),
  );
  const patterns = [...prefixes]
    .filter(([, count]) => count > 1)
    .map(([prefix, count]) =>
      item(`${escapeLayerName(prefix)}.*`, `${count} layers`, CompletionItemKind.Module, `1${prefix}`),
    );
  return [...names, ...patterns];
}
