/**
 * Finds names in a parsed ONNX text. Values are visible in their graph and in the subgraphs of its nodes, where an
 * inner definition of the same name hides them; functions see nothing from outside.
 */
import type { SyntaxDocument, SyntaxNode, SyntaxToken } from './onnx-text-words';

/** A word with a role at some offset; `value` covers definition, use and annotation. */
export interface TextSymbol {
  readonly kind:
    | 'value'
    | 'node'
    | 'operator'
    | 'attribute'
    | 'graph'
    | 'function'
    | 'type'
    | 'dimension'
    | 'other';
  readonly token: SyntaxToken;
}

/** The word at an offset (its end counts), `undefined` between words. */
export function symbolAt(document: SyntaxDocument, offset: number): TextSymbol | undefined {
  const index = lastStartingAt(document.tokens, offset);
  // Two words may touch: the one that begins here wins over the one that ends here.
  const token = document.tokens[index];
  if (token === undefined || offset > token.end) return undefined;
  return { kind: symbolKind(token), token };
}

/** The innermost node at an offset. */
export function nodeAt(document: SyntaxDocument, offset: number): SyntaxNode | undefined {
  const { nodes } = document;
  let low = 0;
  let high = nodes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((nodes[middle]?.span[0] ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  // Nodes before it that have ended are skipped; from a graph's first node the way leads up to the holder.
  for (let index = low - 1; index >= 0; index = outerNode(document, index)) {
    const node = nodes[index];
    if (node !== undefined && offset <= node.span[1]) return node;
  }
  return undefined;
}

/** Index in `document.graphs` of the innermost graph or function around an offset, −1 outside all. */
export function graphAt(document: SyntaxDocument, offset: number): number {
  const { graphs } = document;
  let low = 0;
  let high = graphs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((graphs[middle]?.fullSpan[0] ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  let index = low - 1;
  while (index >= 0) {
    const graph = graphs[index];
    if (graph === undefined || offset < graph.fullSpan[1]) return index;
    // A graph that ended before: its parent is next, or for a function nothing.
    index = graph.parent;
  }
  return -1;
}

/**
 * Where a value is defined: graph input before initializer before node output.
 * @param graph index in `document.graphs` of the graph in which the name is seen.
 */
export function definitionOf(document: SyntaxDocument, name: string, graph: number): SyntaxToken | undefined {
  const index = indexOf(document);
  const scope = resolveName(document, name, graph);
  return scope === undefined ? undefined : index.definitions[scope]?.get(name);
}

/** Every word that means the same value as `name` in `graph`, in order; definitions and annotations included. */
export function referencesOf(document: SyntaxDocument, name: string, graph: number): readonly SyntaxToken[] {
  const scope = resolveName(document, name, graph);
  const words = indexOf(document).words.get(name) ?? [];
  return words.filter((token) => resolveName(document, name, token.graph) === scope);
}

/** Index of the graph that defines the name as seen from `graph`; `undefined` when none does. */
export function resolveName(document: SyntaxDocument, name: string, graph: number): number | undefined {
  const { definitions } = indexOf(document);
  for (let scope = graph; scope >= 0; scope = document.graphs[scope]?.parent ?? -1) {
    if (definitions[scope]?.has(name)) return scope;
  }
  return undefined;
}

interface NameIndex {
  /** Per graph: first definition of each name. */
  readonly definitions: readonly Map<string, SyntaxToken>[];
  /** All value words by name. */
  readonly words: ReadonlyMap<string, readonly SyntaxToken[]>;
}

const indices = new WeakMap<SyntaxDocument, NameIndex>();

/** Built on first use: completion while typing does not pay for it. */
function indexOf(document: SyntaxDocument): NameIndex {
  const known = indices.get(document);
  if (known !== undefined) return known;
  const definitions = document.graphs.map(() => new Map<string, SyntaxToken>());
  const words = new Map<string, SyntaxToken[]>();
  for (const token of document.tokens) {
    if (token.name === '' || symbolKind(token) !== 'value') continue;
    const list = words.get(token.name);
    if (list === undefined) words.set(token.name, [token]);
    else list.push(token);
    const scope = definitions[token.graph];
    if (token.kind === 'definition' && !scope?.has(token.name)) scope?.set(token.name, token);
  }
  const built = { definitions, words };
  indices.set(document, built);
  return built;
}

function symbolKind(token: SyntaxToken): TextSymbol['kind'] {
  switch (token.kind) {
    case 'definition':
    case 'use':
    case 'annotation':
      return 'value';
    case 'node':
    case 'operator':
    case 'attribute':
    case 'graph':
    case 'function':
    case 'type':
    case 'dimension':
      return token.kind;
    default:
      return 'other';
  }
}

/** Index of the last token that starts at or before the offset, −1 before the first. */
function lastStartingAt(tokens: readonly SyntaxToken[], offset: number): number {
  let low = 0;
  let high = tokens.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tokens[middle]?.start ?? 0) <= offset) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The node that holds the graph of a node, −1 in main graph and functions. */
function outerNode(document: SyntaxDocument, index: number): number {
  const graph = document.graphs[document.nodes[index]?.graphIndex ?? -1];
  return graph?.owner?.node ?? -1;
}
