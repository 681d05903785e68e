/**
 * The ONNX textual syntax: printing models, reading text with a span for everything, and finding names in it.
 */

export { isCompleteText, type ParsedOnnxText, parseOnnxText } from './onnx-text-parse';
export { printType } from './onnx-text-pieces';
export { type PrintedModel, type PrintedNode, type PrintOptions, printModel } from './onnx-text-print';
export {
  definitionOf,
  graphAt,
  nodeAt,
  referencesOf,
  resolveName,
  symbolAt,
  type TextSymbol,
} from './onnx-text-symbols';
export type {
  Span,
  SyntaxAttribute,
  SyntaxDocument,
  SyntaxGraph,
  SyntaxName,
  SyntaxNode,
  SyntaxToken,
  SyntaxTokenKind,
  SyntaxValue,
} from './onnx-text-words';
