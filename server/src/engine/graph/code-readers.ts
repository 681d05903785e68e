/**
 * Scale and zero point of codes, told by the operator that reads them: DequantizeLinear, or one of onnxruntime's
 * QLinear operators, which have both behind every input of codes (ContribOperators.md). Operators that only move codes
 * stand between.
 */
import type { Node, Value } from './ir';

export interface CodeReader {
  readonly node: Node;
  readonly scale: Value;
  readonly zeroPoint: Value | undefined;
}

/** The first reader of `codes` that tells their scale. */
export function codeReader(codes: Value | undefined): CodeReader | undefined {
  return readersOf(codes, MAX_MOVES)[0];
}

/** Moves between a lookup and its reader; graphs of files may be deep. */
const MAX_MOVES = 8;

function readersOf(codes: Value | undefined, moves: number): readonly CodeReader[] {
  return (codes?.uses ?? []).flatMap(({ node, index }): readonly CodeReader[] => {
    if (moving.has(node.op) && index === 0 && moves > 0) return readersOf(node.output(), moves - 1);
    if (!readsCodes(node, index)) return [];
    const scale = node.input(index + 1);
    return scale ? [{ node, scale, zeroPoint: node.input(index + 2) }] : [];
  });
}

function readsCodes({ op, opType }: Node, index: number): boolean {
  if (opType === 'DequantizeLinear') return index === 0;
  return /^(com\.microsoft\.)?QLinear/.test(op) || op === 'com.microsoft.QGemm';
}

const moving: ReadonlySet<string> = new Set([
  'Flatten',
  'Identity',
  'Reshape',
  'Squeeze',
  'Transpose',
  'Unsqueeze',
]);
