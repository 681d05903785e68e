/**
 * Statements of an earlier parse, used again where the text of a top-level statement is the same: a keystroke changes one
 * of them, and building plain data from the syntax tree is the dearest step. Same type, same text and no error inside
 * mean the same tree, since the grammar looks at nothing around a complete statement.
 */
import type { Comment, Statement } from './syntax';

/** What was built from one top-level node without errors. */
export interface Piece {
  readonly type: string;
  readonly text: string;
  readonly start: number;
  readonly statements: readonly Statement[];
  /** Comments inside it. */
  readonly comments: readonly Comment[];
}

/** Looks up pieces by type and text; the copy has the offsets of its new place. */
export class PieceStore {
  private readonly known = new Map<string, Piece>();

  constructor(pieces: readonly Piece[]) {
    for (const piece of pieces) this.known.set(key(piece.type, piece.text), piece);
  }

  find(type: string, text: string, start: number): Piece | undefined {
    const piece = this.known.get(key(type, text));
    if (!piece || piece.start === start) return piece;
    const distance = start - piece.start;
    return {
      ...piece,
      start,
      statements: moved(piece.statements, distance),
      comments: moved(piece.comments, distance),
    };
  }
}

function key(type: string, text: string): string {
  return `${type}\n${text}`;
}

/** A copy of plain syntax with every span moved. Spans are the only pairs of numbers in it. */
function moved<T>(value: T, distance: number): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const [start, end] = value;
    const copy =
      value.length === 2 && typeof start === 'number' && typeof end === 'number'
        ? [start + distance, end + distance]
        : value.map((item) => moved(item, distance));
    return copy as T;
  }
  const copy: T = { ...value };
  for (const name in copy) {
    const part = copy[name];
    if (typeof part === 'object' && part !== null) copy[name] = moved(part, distance);
  }
  return copy;
}
