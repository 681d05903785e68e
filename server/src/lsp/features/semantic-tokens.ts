/** Semantic tokens of the ONNX text: what the grammar cannot tell, as delta-encoded quintuples (LSP 3.18). */
import type { SemanticTokensLegend } from 'vscode-languageserver-types';
import type { SyntaxTokenKind } from '../../engine/format/onnx-text';
import type { TextSnapshot } from '../snapshot';

const types = [
  'keyword',
  'type',
  'variable',
  'parameter',
  'namespace',
  'function',
  'property',
  'label',
] as const;
const modifiers = ['declaration', 'readonly'] as const;

export const semanticLegend: SemanticTokensLegend = {
  tokenTypes: [...types],
  tokenModifiers: [...modifiers],
};

const declaration = 1;

const mapping: Readonly<Record<SyntaxTokenKind, readonly [(typeof types)[number], number]>> = {
  keyword: ['keyword', 0],
  type: ['type', 0],
  dimension: ['parameter', 0],
  definition: ['variable', declaration],
  use: ['variable', 0],
  annotation: ['variable', 0],
  node: ['label', 0],
  graph: ['namespace', declaration],
  function: ['function', declaration],
  operator: ['function', 0],
  attribute: ['property', 0],
  'attribute-type': ['type', 0],
  reference: ['parameter', 0],
};

/** Tokens between two offsets, or all. */
export function semanticTokens(snapshot: TextSnapshot, from = 0, to = Number.POSITIVE_INFINITY): number[] {
  const { document, parsed } = snapshot;
  const data: number[] = [];
  let line = 0;
  let character = 0;
  for (const token of parsed.document.tokens) {
    if (token.end < from) continue;
    if (token.start > to) break;
    const start = document.positionAt(token.start);
    const end = document.positionAt(token.end);
    // A quoted name may hold a line break; a token may not.
    if (end.line !== start.line) continue;
    const [type, modifier] = mapping[token.kind];
    data.push(
      start.line - line,
      start.line === line ? start.character - character : start.character,
      end.character - start.character,
      types.indexOf(type),
      modifier,
    );
    line = start.line;
    character = start.character;
  }
  return data;
}
