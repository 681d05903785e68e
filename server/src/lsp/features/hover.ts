/** Hover: a layer's table on its node or weight; operator and tensor facts elsewhere; a rule's layers in a recipe. */
import { type Hover, MarkupKind, type Position } from 'vscode-languageserver-types';
import { layerMatcher } from '../../engine/format/layer-glob';
import { nodeAt, printType, symbolAt } from '../../engine/format/onnx-text';
import { matchLayer } from '../../engine/format/recipe-match';
import { storedBytes } from '../../rules/model-view';
import { decibels, shortBytes } from '../../rules/numbers';
import { plannedWeightFormat } from '../../rules/planned';
import { storedAs } from '../../rules/stored-type';
import { editorWords } from '../../rules/words';
import { escapeMarkdown, plainText, rangeOf, type Span } from '../convert';
import { layerMarkdown } from '../layer-markdown';
import { ruleAt } from '../recipe-places';
import type { RecipeSnapshot, Snapshot, TextSnapshot } from '../snapshot';

/** Layers listed in the hover of a rule. */
const MAX_LISTED = 12;

export function hover(snapshot: Snapshot, position: Position): Hover | null {
  return snapshot.kind === 'text' ? textHover(snapshot, position) : recipeHover(snapshot, position);
}

function textHover(snapshot: TextSnapshot, position: Position): Hover | null {
  const offset = snapshot.document.offsetAt(position);
  const { document } = snapshot.parsed;
  const symbol = symbolAt(document, offset);
  if (!symbol) return null;
  const span: Span = [symbol.token.start, symbol.token.end];
  const { name } = symbol.token;
  // The weight's own name tells of its layer wherever it stands; a function's names are its own.
  const outside = document.graphs[symbol.token.graph]?.kind !== 'function';
  const byWeight = symbol.kind === 'value' && outside ? snapshot.layers.byWeight(name) : undefined;
  const node = nodeAt(document, offset);
  const layer = byWeight ?? (node && symbol.kind !== 'attribute' ? snapshot.layers.layerOf(node) : undefined);
  if (layer && snapshot.model) {
    const marked = snapshot.client.own && node !== undefined && isInside(offset, node.opSpan);
    return made(snapshot, span, layerMarkdown(layer, snapshot.model, snapshot, marked));
  }
  if (symbol.kind !== 'value') return null;
  const value = valueText(snapshot, name, symbol.token.graph);
  return value === undefined ? null : made(snapshot, span, value);
}

/** Type of a value as declared in the nearest graph around the place that declares it. */
function valueText(snapshot: TextSnapshot, name: string, place: number): string | undefined {
  const { graphs } = snapshot.parsed.document;
  for (let at = place; at >= 0; at = graphs[at]?.parent ?? -1) {
    const graph = graphs[at];
    const declared = graph && [...graph.inputs, ...graph.outputs, ...graph.initializers, ...graph.valueInfo];
    const value = declared?.find((one) => one.name === name && one.type);
    if (value?.type)
      return `**${escapeMarkdown(name)}** · ${escapeMarkdown(printType(value.type) ?? value.type.kind)}`;
  }
  return undefined;
}

function recipeHover(snapshot: RecipeSnapshot, position: Position): Hover | null {
  const offset = snapshot.document.offsetAt(position);
  const rule = ruleAt(snapshot.parsed, offset);
  const { recipe } = snapshot.parsed;
  const layers = snapshot.model?.report?.layers;
  if (!rule || !recipe || !layers) return null;
  const pattern = recipe.layers[rule.index]?.match ?? '';
  const matcher = layerMatcher(pattern);
  const matches = layers.filter((layer) => matcher(layer.name));
  const [only] = matches;
  if (only && matches.length === 1 && snapshot.model) {
    const match = snapshot.parsed.spans.rules[rule.index]?.match;
    const decides = matchLayer(recipe, only.name) === rule.index;
    const marked = snapshot.client.own && decides && match !== undefined && isInside(offset, match);
    return made(snapshot, rule.span, layerMarkdown(only, snapshot.model, snapshot, marked));
  }
  const rows = matches.slice(0, MAX_LISTED).map((layer) => {
    const format = plannedWeightFormat(layer, recipe);
    if (format === undefined)
      return `| ${escapeMarkdown(layer.name)} | ${storedAs(layer)} | – | ${shortBytes(layer.bytes)} |`;
    const shown = escapeMarkdown(format);
    const bytes = storedBytes(layer, format);
    return `| ${escapeMarkdown(layer.name)} | ${shown} | ${decibels(layer.weightSqnr?.[format])} | ${shortBytes(layer.bytes)} → ${bytes === undefined ? '–' : shortBytes(bytes)} |`;
  });
  const more = matches.length > MAX_LISTED ? `\n\n${editorWords.andMore(matches.length - MAX_LISTED)}` : '';
  const text = `${editorWords.matching(matches.length, escapeMarkdown(pattern))}\n\n${editorWords.ruleTable}\n${rows.join('\n')}${more}`;
  return made(snapshot, rule.span, matches.length === 0 ? editorWords.noLayerMatches : text);
}

/** Where the editor shows the diagnostics of a span above the hover. */
function isInside(offset: number, [start, end]: Span): boolean {
  return offset >= start && offset <= end;
}

function made(snapshot: Snapshot, span: Span, value: string): Hover {
  const range = rangeOf(snapshot.document, span);
  return snapshot.client.markdown
    ? { range, contents: { kind: MarkupKind.Markdown, value } }
    : { range, contents: { kind: MarkupKind.PlainText, value: plainText(value) } };
}
