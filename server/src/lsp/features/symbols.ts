/** Outline of a text: graphs, their inputs and nodes; layers are called by their layer name. */
import { type DocumentSymbol, SymbolKind } from 'vscode-languageserver-types';
import type { SyntaxGraph, SyntaxNode } from '../../engine/format/onnx-text';
import { decibels } from '../../rules/numbers';
import { label, rangeOf, type Span } from '../convert';
import type { TextSnapshot } from '../snapshot';

export function symbols(snapshot: TextSnapshot): DocumentSymbol[] {
  const { graphs, nodes } = snapshot.parsed.document;
  const nodesOf = new Map<number, SyntaxNode[]>();
  for (const node of nodes) {
    const list = nodesOf.get(node.graphIndex);
    if (list) list.push(node);
    else nodesOf.set(node.graphIndex, [node]);
  }
  const childrenOf = new Map<SyntaxNode, SyntaxGraph[]>();
  for (const graph of graphs) {
    const owner = graph.owner && nodes[graph.owner.node];
    if (owner) childrenOf.set(owner, [...(childrenOf.get(owner) ?? []), graph]);
  }
  const indexOf = new Map(graphs.map((graph, index) => [graph, index]));
  const graphSymbol = (graph: SyntaxGraph): DocumentSymbol =>
    symbol(snapshot, graph.name || 'graph', graph.kind, SymbolKind.Module, graph.fullSpan, graph.span, [
      ...graph.inputs.map((input) =>
        symbol(snapshot, input.name, 'input', SymbolKind.Variable, input.span, input.span, []),
      ),
      ...(nodesOf.get(indexOf.get(graph) ?? -1) ?? []).map(nodeSymbol),
    ]);
  const nodeSymbol = (node: SyntaxNode): DocumentSymbol => {
    const layer = snapshot.layers.layerOf(node);
    const name = layer?.name ?? (node.name || node.outputs[0]?.name || node.opType);
    const detail = layer?.weightSqnr
      ? `${node.opType} · int8 ${decibels(layer.weightSqnr['int8.channel'])}`
      : node.opType;
    const kind = layer ? SymbolKind.Function : SymbolKind.Operator;
    return symbol(
      snapshot,
      name,
      detail,
      kind,
      node.span,
      node.opSpan,
      (childrenOf.get(node) ?? []).map(graphSymbol),
    );
  };
  return graphs.filter((graph) => graph.parent < 0).map(graphSymbol);
}

function symbol(
  snapshot: TextSnapshot,
  name: string,
  detail: string,
  kind: SymbolKind,
  full: Span,
  selection: Span,
  children: DocumentSymbol[],
): DocumentSymbol {
  // Editors refuse empty names and selections outside the full range.
  const range = rangeOf(snapshot.document, [
    Math.min(full[0], selection[0]),
    Math.max(full[1], selection[1]),
  ]);
  return {
    name: label(name).trim() || '?',
    detail: label(detail),
    kind,
    range,
    selectionRange: rangeOf(snapshot.document, selection),
    children,
  };
}
