/** Hover: a layer's table on its node or weight; operator and tensor facts elsewhere; a rule's layers in a recipe. */
import { type Hover, MarkupKind, type Position } from 'vscode-languageserver-types';
import { layerMatcher } from '../../engine/format/layer-glob';
import { nodeAt, printType, symbolAt } from '../../engine/format/onnx-text';
import { storedBytes } from '../../rules/model-view';
import { decibels, shortBytes } from '../../rules/numbers';
import { plannedWeightFormat } from '../../rules/planned';
import { escapeMarkdown, rangeOf, type Span } from '../convert';
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
  // The weight's own name tells of its layer wherever it stands.
  const byWeight =
    symbol.kind === 'value'
      ? snapshot.model.report?.layers.find((layer) => layer.weight === name)
      : undefined;
  const node = nodeAt(document, offset);
  const layer = byWeight ?? (node && symbol.kind !== 'attribute' ? snapshot.layers.layerOf(node) : undefined);
  if (layer) return made(snapshot, span, layerMarkdown(layer, snapshot.model, { trusted: snapshot.trusted }));
  if (symbol.kind !== 'value') return null;
  const value = valueText(snapshot, name);
  return value === undefined ? null : made(snapshot, span, value);
}

function valueText(snapshot: TextSnapshot, name: string): string | undefined {
  for (const graph of snapshot.parsed.document.graphs) {
    for (const value of [...graph.inputs, ...graph.outputs, ...graph.initializers, ...graph.valueInfo]) {
      if (value.name === name && value.type)
        return `**${escapeMarkdown(name)}** · \`${printType(value.type)}\``;
    }
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
  const matches = layers.filter((layer) => layerMatcher(pattern)(layer.name));
  const [only] = matches;
  if (only && matches.length === 1 && snapshot.model) {
    return made(snapshot, rule.span, layerMarkdown(only, snapshot.model, { trusted: snapshot.trusted }));
  }
  const rows = matches.slice(0, MAX_LISTED).map((layer) => {
    const format = plannedWeightFormat(layer, recipe);
    const bytes = storedBytes(layer, format);
    return `| ${escapeMarkdown(layer.name)} | ${format} | ${decibels(layer.weightSqnr?.[format])} | ${shortBytes(layer.bytes)} → ${bytes === undefined ? '–' : shortBytes(bytes)} |`;
  });
  const more = matches.length > MAX_LISTED ? `\n\n… and ${matches.length - MAX_LISTED} more` : '';
  const text = `**${matches.length} layers** match \`${pattern.replaceAll('`', '')}\`\n\n| layer | planned | weight SQNR | size |\n|---|---|--:|--:|\n${rows.join('\n')}${more}`;
  return made(snapshot, rule.span, matches.length === 0 ? 'No layer matches.' : text);
}

function made(snapshot: Snapshot, span: Span, value: string): Hover {
  return { range: rangeOf(snapshot.document, span), contents: { kind: MarkupKind.Markdown, value } };
}
