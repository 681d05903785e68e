/** Folding: header, graph bodies, runs of initializers. */
import { type FoldingRange, FoldingRangeKind } from 'vscode-languageserver-types';
import type { Span } from '../convert';
import type { TextSnapshot } from '../snapshot';

export function folding(snapshot: TextSnapshot): FoldingRange[] {
  const { document, parsed } = snapshot;
  const { header, graphs } = parsed.document;
  const ranges: FoldingRange[] = [];
  const add = (span: Span, kind?: FoldingRangeKind) => {
    const startLine = document.positionAt(span[0]).line;
    const endLine = document.positionAt(span[1]).line;
    // The last line holds the closing bracket and stays visible.
    if (endLine - 1 > startLine) ranges.push({ startLine, endLine: endLine - 1, ...(kind ? { kind } : {}) });
  };
  if (header) add(header);
  for (const graph of graphs) {
    add(graph.bodySpan);
    const first = graph.initializers[0];
    const last = graph.initializers[graph.initializers.length - 1];
    if (first && last) add([first.span[0], last.span[1]], FoldingRangeKind.Region);
  }
  return ranges;
}
