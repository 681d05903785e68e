/**
 * Statements of an earlier parse, used again where the text of a statement is the same: a keystroke changes one of them,
 * and building plain data from the syntax tree is the dearest step. Same type, same text and no error inside mean the
 * same tree, since the grammar looks at nothing around a complete statement. What is used again stays the same object and
 * only moves, so that whatever is known of it stays known.
 */
import type { Comment, Span, Statement } from './syntax';

/** What was built from one node: a statement at any depth. */
export interface Piece {
  readonly type: string;
  /** Text of a piece that stands in no other; those inside read theirs from it. */
  text: string;
  start: number;
  readonly length: number;
  /** With an error inside it is built anew each time, but not what is whole in it. */
  readonly whole: boolean;
  readonly statements: readonly Statement[];
  /** Comments inside a piece that stands in no other; those of the rest are not told apart. */
  comments: readonly Comment[] | undefined;
  /** All spans built for it, save those of the pieces inside. */
  readonly spans: MutableSpan[];
  readonly inner: Piece[];
  parent: Piece | undefined;
  /** Number of the parse that used it last. */
  used: number;
  /** Number of the parse that used something inside it alone. */
  opened: number;
  /** Number of the parse whose text first lacked it. */
  missing: number;
}

/** A piece that is being built. */
type OpenPiece = Piece & { readonly statements: Statement[] };

export type MutableSpan = [start: number, end: number];

/** Pieces that no text of late had are dropped beyond this. */
const MAXIMUM_SPARE = 400;

/** Parses that a piece survives without being used: while a bracket or a string is open the rest is in no statement. */
const MAXIMUM_AGE = 40;

let parses = 0;

/** Finds pieces by type and text, each once; records the spans and pieces that are built meanwhile. */
export class PieceStore {
  private readonly parse = ++parses;
  private readonly outer = new Map<string, Piece[]>();
  private nested: Map<string, Piece[]> | undefined;
  private building: Piece | undefined;

  /** @param before pieces of earlier texts, those that stand in no other. */
  constructor(private readonly before: readonly Piece[]) {
    for (const piece of before)
      if (piece.whole && piece.comments) add(this.outer, key(piece.type, piece.text), piece);
  }

  /** A piece that stood in no other, moved to its new place. */
  findOuter(type: string, text: string, start: number): Piece | undefined {
    return this.take(this.outer.get(key(type, text)), text, start);
  }

  /** The same for a statement inside another; ask once all of the others were found. */
  findNested(type: string, text: string, start: number): Piece | undefined {
    if (this.before.length === 0) return undefined;
    this.nested ??= this.remaining();
    return this.take(this.nested.get(key(type, text)), text, start);
  }

  /** Builds a piece; what `make` builds inside is noted in it. */
  build(type: string, text: string, start: number, whole: boolean, make: () => readonly Statement[]): Piece {
    const piece = this.open(type, text, start, whole);
    this.close(piece, make());
    return piece;
  }

  /** Begins a piece; what is built until it is closed is noted in it. */
  open(type: string, text: string, start: number, whole: boolean): OpenPiece {
    const piece: OpenPiece = {
      type,
      text,
      start,
      length: text.length,
      whole,
      statements: [],
      comments: undefined,
      spans: [],
      inner: [],
      parent: this.building,
      used: this.parse,
      opened: 0,
      missing: 0,
    };
    this.building = piece;
    return piece;
  }

  close(piece: OpenPiece, statements: readonly Statement[]): void {
    const { parent } = piece;
    piece.statements.push(...statements);
    this.building = parent;
    if (!parent) return;
    piece.text = '';
    parent.inner.push(piece);
  }

  /** A piece of an earlier text stands in the one that is being built. */
  adopt(piece: Piece): void {
    piece.parent = this.building;
    piece.text = '';
    piece.comments = undefined;
    this.building?.inner.push(piece);
  }

  /** A span of what is being built. */
  readonly span = (start: number, end: number): Span => {
    const span: MutableSpan = [start, end];
    this.building?.spans.push(span);
    return span;
  };

  /** What was not found again, but may come back. */
  spare(): readonly Piece[] {
    const spare: Piece[] = [];
    const keepUnused = (piece: Piece, text: string, start: number) => {
      if (piece.used === this.parse) return;
      if (piece.opened === this.parse) {
        for (const inside of piece.inner) keepUnused(inside, text, start);
        return;
      }
      piece.missing ||= this.parse;
      if (this.parse - piece.missing > MAXIMUM_AGE) return;
      if (piece.parent) piece.text = text.slice(piece.start - start, piece.start - start + piece.length);
      piece.parent = undefined;
      spare.push(piece);
    };
    for (const piece of this.before) keepUnused(piece, piece.text, piece.start);
    return spare.slice(0, MAXIMUM_SPARE);
  }

  private take(found: Piece[] | undefined, text: string, start: number): Piece | undefined {
    for (let piece = found?.shift(); piece; piece = found?.shift()) {
      if (piece.used === this.parse || piece.opened === this.parse) continue;
      for (let around = piece.parent; around; around = around.parent) around.opened = this.parse;
      piece.parent = undefined;
      piece.text = text;
      this.use(piece);
      movePiece(piece, start - piece.start);
      return piece;
    }
    return undefined;
  }

  private use(piece: Piece): void {
    piece.used = this.parse;
    piece.missing = 0;
    for (const inside of piece.inner) this.use(inside);
  }

  /** What stands inside the pieces that were not found again. */
  private remaining(): Map<string, Piece[]> {
    const found = new Map<string, Piece[]>();
    for (const piece of this.before) {
      if (piece.used === this.parse) continue;
      const { text, start } = piece;
      const visit = (inside: Piece) => {
        if (inside.whole) {
          const from = inside.start - start;
          add(found, key(inside.type, text.slice(from, from + inside.length)), inside);
        }
        for (const one of inside.inner) visit(one);
      };
      visit(piece);
    }
    return found;
  }
}

function add(pieces: Map<string, Piece[]>, name: string, piece: Piece): void {
  const same = pieces.get(name);
  if (same) same.push(piece);
  else pieces.set(name, [piece]);
}

function key(type: string, text: string): string {
  return `${type}\n${text}`;
}

/** Moves every span where it stands: whoever holds one sees the new place. */
export function movePiece(piece: Piece, distance: number): void {
  if (distance === 0) return;
  piece.start += distance;
  for (const span of piece.spans) {
    span[0] += distance;
    span[1] += distance;
  }
  for (const inside of piece.inner) movePiece(inside, distance);
}
