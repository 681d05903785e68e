/**
 * What a feature sees: one document at one version, parsed once, with the model it speaks of. Features are pure
 * functions of a snapshot and their params.
 */
import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Location, Range } from 'vscode-languageserver-types';
import { type ParsedOnnxText, parseOnnxText, type SyntaxNode } from '../engine/format/onnx-text';
import type { ParsedRecipe } from '../engine/format/recipe';
import type { Model } from '../engine/graph/ir';
import type { Settings } from '../protocol/lsp-ext';
import type { LayerReport } from '../protocol/reports';
import type { AnalyzedScript } from '../rules/script/analyze';
import type { DataPipeline } from '../script/data-pipeline';
import type { Resolver } from '../script/interpret';
import type { ClientFacts } from './client-facts';
import type { Span } from './convert';
import type { ExportCall, ScriptTie } from './script-ties';
import type { ModelState } from './workspace';

/** What holds for all documents. */
export interface Surroundings {
  readonly settings: Settings;
  readonly trusted: boolean;
  readonly client: ClientFacts;
}

export interface TextSnapshot extends Surroundings {
  readonly kind: 'text';
  readonly document: TextDocument;
  readonly parsed: ParsedOnnxText;
  /** The model file behind the text; undefined when the text is no file. */
  readonly model: ModelState | undefined;
  readonly layers: LayerIndex;
}

export interface RecipeSnapshot extends Surroundings {
  readonly kind: 'recipe';
  readonly document: TextDocument;
  readonly parsed: ParsedRecipe;
  /** The model the recipe names, judged by this recipe; undefined when it names none. */
  readonly model: ModelState | undefined;
}

export type Snapshot = TextSnapshot | RecipeSnapshot;

/** A Python script, or a cell of a notebook whose cells are one program. */
export interface ScriptSnapshot extends Surroundings {
  readonly kind: 'script';
  readonly document: TextDocument;
  readonly script: AnalyzedScript;
  readonly places: ScriptPlaces;
  /** Networks of the script with the models that hold their weights, best first; looked for when first asked. */
  ties(): readonly ScriptTie[];
  /** The same, if somebody asked already: what must not cost time takes these. */
  knownTies(): readonly ScriptTie[];
  /** True once models were looked for: {@link knownTies} are all there are. */
  searched(): boolean;
  /** A model as it stands now; its weight analysis starts. */
  model(file: string): ModelState;
  exists(file: string): boolean;
  /** The parsed file of a model. */
  opened(file: string): Model | undefined;
  /** True for a folder or a NumPy file: what calibration can read. */
  isData(file: string): boolean;
  /** Where the samples of the script come from and how they become inputs, most fit for calibration first. */
  data(): readonly DataPipeline[];
  /** Finds classes and functions that the script imports from its workspace. */
  imported(): Resolver;
  /** Model files that the script names in a call: of its exports. */
  exports(): readonly ExportCall[];
}

export type AnySnapshot = Snapshot | ScriptSnapshot;

/** Offsets of a program and places in open documents, which differ in notebooks. */
export interface ScriptPlaces {
  /** Offset in the program of an offset in the document. */
  offset(inDocument: number): number;
  /** Where a span of the program stands; undefined for one that crosses cells. */
  location(span: Span): Location | undefined;
  /** The same where it stands in this document. */
  range(span: Span): Range | undefined;
}

/** Layers of the model and nodes of the text, each from the other. */
export interface LayerIndex {
  layerOf(node: SyntaxNode): LayerReport | undefined;
  nodeOf(layer: string): SyntaxNode | undefined;
  /** Layer whose weight is an initializer or Constant of this name. */
  byWeight(name: string): LayerReport | undefined;
  /** Layers that stand in the text, in its order. */
  readonly shown: readonly { readonly layer: LayerReport; readonly node: SyntaxNode }[];
}

/**
 * Matches layers to nodes by the node's name, or by operator and position where it has none. Neither is unique (the
 * graphs of a model count their nodes each from 0), so the node that reads the layer's weight comes first.
 */
export function layerIndex({ document }: ParsedOnnxText, layers: readonly LayerReport[]): LayerIndex {
  const byLabel = new Map<string, LayerReport[]>();
  for (const layer of layers) push(byLabel, layer.node, layer);
  const byNode = new Map<SyntaxNode, LayerReport>();
  const byName = new Map<string, SyntaxNode>();
  const match = (fits: (node: SyntaxNode, layer: LayerReport) => boolean) => {
    for (const node of document.nodes) {
      if (byNode.has(node) || document.graphs[node.graphIndex]?.kind === 'function') continue;
      const label = node.name !== '' ? node.name : `${node.opType}_${node.nodeIndex}`;
      const layer = byLabel.get(label)?.find((one) => !byName.has(one.name) && fits(node, one));
      if (!layer) continue;
      byNode.set(node, layer);
      byName.set(layer.name, node);
    }
  };
  match((node, layer) => node.inputs.some((input) => input.name === layer.weight));
  match((node, layer) => layer.op === node.opType || layer.op.endsWith(`.${node.opType}`));
  const byWeight = new Map(layers.map((layer) => [layer.weight, layer]));
  const shown = document.nodes.flatMap((node) => {
    const layer = byNode.get(node);
    return layer ? [{ layer, node }] : [];
  });
  return {
    layerOf: (node) => byNode.get(node),
    nodeOf: (name) => byName.get(name),
    byWeight: (name) => byWeight.get(name),
    shown,
  };
}

/** Parses texts once per version and matches layers once per report. */
export class TextCache {
  private readonly parsed = new Map<string, { readonly version: number; readonly value: ParsedOnnxText }>();
  private readonly indices = new WeakMap<
    ParsedOnnxText,
    { readonly layers: readonly LayerReport[]; readonly value: LayerIndex }
  >();

  /** True when an older version is parsed: someone is typing, and the newest may be old in a moment. */
  isStale(document: TextDocument): boolean {
    const held = this.parsed.get(document.uri);
    return held !== undefined && held.version !== document.version;
  }

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

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
