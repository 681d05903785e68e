/**
 * What a feature sees: one document at one version, parsed once, with the model it speaks of. Features are pure
 * functions of a snapshot and their params.
 */
import type { TextDocument } from 'vscode-languageserver-textdocument';
import { type ParsedOnnxText, parseOnnxText, type SyntaxNode } from '../engine/format/onnx-text';
import type { ParsedRecipe } from '../engine/format/recipe';
import type { Settings } from '../protocol/lsp-ext';
import type { LayerReport } from '../protocol/reports';
import type { ModelState } from './workspace';

export interface TextSnapshot {
  readonly kind: 'text';
  readonly document: TextDocument;
  readonly parsed: ParsedOnnxText;
  /** The model file behind the text. */
  readonly model: ModelState;
  readonly layers: LayerIndex;
  readonly settings: Settings;
  readonly trusted: boolean;
}

export interface RecipeSnapshot {
  readonly kind: 'recipe';
  readonly document: TextDocument;
  readonly parsed: ParsedRecipe;
  /** The model the recipe names; undefined when it names none. */
  readonly model: ModelState | undefined;
  readonly settings: Settings;
  readonly trusted: boolean;
}

export type Snapshot = TextSnapshot | RecipeSnapshot;

/** Layers of the model and nodes of the text, each from the other. */
export interface LayerIndex {
  layerOf(node: SyntaxNode): LayerReport | undefined;
  nodeOf(layer: string): SyntaxNode | undefined;
  /** Layers that stand in the text, in its order. */
  readonly shown: readonly { readonly layer: LayerReport; readonly node: SyntaxNode }[];
}

/** Matches layers to nodes by the node's name, or by operator and position where it has none. */
export function layerIndex(parsed: ParsedOnnxText, layers: readonly LayerReport[]): LayerIndex {
  const byLabel = new Map(layers.map((layer) => [layer.node, layer]));
  const byNode = new Map<SyntaxNode, LayerReport>();
  const byName = new Map<string, SyntaxNode>();
  const shown: { layer: LayerReport; node: SyntaxNode }[] = [];
  for (const node of parsed.document.nodes) {
    const label = node.name !== '' ? node.name : `${node.opType}_${node.nodeIndex}`;
    const layer = byLabel.get(label);
    if (!layer || byName.has(layer.name)) continue;
    byNode.set(node, layer);
    byName.set(layer.name, node);
    shown.push({ layer, node });
  }
  return { layerOf: (node) => byNode.get(node), nodeOf: (name) => byName.get(name), shown };
}

/** Parses texts once per version; holds the last few documents. */
export class TextCache {
  private readonly parsed = new Map<string, { readonly version: number; readonly value: ParsedOnnxText }>();
  private readonly indices = new WeakMap<
    ParsedOnnxText,
    { readonly layers: readonly LayerReport[]; readonly value: LayerIndex }
  >();

  parse(document: TextDocument): ParsedOnnxText {
    const held = this.parsed.get(document.uri);
    if (held?.version === document.version) return held.value;
    const value = parseOnnxText(document.getText());
    this.parsed.set(document.uri, { version: document.version, value });
    return value;
  }

  index(parsed: ParsedOnnxText, layers: readonly LayerReport[]): LayerIndex {
    const held = this.indices.get(parsed);
    if (held?.layers === layers) return held.value;
    const value = layerIndex(parsed, layers);
    this.indices.set(parsed, { layers, value });
    return value;
  }

  forget(uri: string): void {
    this.parsed.delete(uri);
  }
}
