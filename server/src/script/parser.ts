/**
 * Python parser: web-tree-sitter (WebAssembly, no native build) with the grammar of tree-sitter-python, over the stretches
 * of a text that parse alone (`chunks`). Parsing is incremental and never fails; broken code is `complete: false`.
 */
import { Edit, Language, Parser, type Tree } from 'web-tree-sitter';
import { buildPieces, pieceSteps } from './build';
import { chunksFrom } from './chunks';
import { movePiece, type Piece, PieceStore } from './reuse';
import type { Module, Span } from './syntax';

export interface ParserAssets {
  /** Content of `web-tree-sitter.wasm`. */
  readonly runtime: Uint8Array;
  /** Content of `tree-sitter-python.wasm`. */
  readonly grammar: Uint8Array;
}

/** One text and its syntax. Holds memory outside the garbage collector: `dispose` it, or hand it to the next parse. */
export interface ParsedScript {
  readonly text: string;
  readonly module: Module;
  /** For the next parse of the file. */
  readonly chunks: readonly Chunk[];
  /** Statements of earlier texts that may come back. */
  readonly spare: readonly Piece[];
  /** True inside a string, its quotes left out. */
  insideString(offset: number): boolean;
  dispose(): void;
}

/** A stretch of a text that was parsed alone. */
interface Chunk {
  start: number;
  /** Text as last parsed. */
  readonly text: string;
  readonly pieces: readonly Piece[];
  readonly complete: boolean;
  /** Kept for long ones: their next version is parsed from it. */
  readonly tree: Tree | undefined;
}

/** Characters from which on the syntax tree of a stretch is kept. */
const LONG = 3000;

export class PythonParser {
  private constructor(private readonly parser: Parser) {}

  /** Loads the parser once per process; about 10 ms. */
  static async load(assets: ParserAssets): Promise<PythonParser> {
    await Parser.init({ wasmBinary: assets.runtime });
    const parser = new Parser();
    parser.setLanguage(await Language.load(assets.grammar));
    return new PythonParser(parser);
  }

  /**
   * Parses a text; with the script it came from only what changed is parsed again.
   * @param previous is used up: do not touch it afterwards. Its statements that are still in the text move where they
   *   stand now.
   */
  parse(text: string, previous?: ParsedScript): ParsedScript {
    const { head, middle, tail, spans } = compared(text, previous);
    const store = new PieceStore([...middle.flatMap(({ pieces }) => pieces), ...(previous?.spare ?? [])]);
    // Of what was replaced, the longest is most likely the one that is typed in.
    const old = middle.reduce<Chunk | undefined>(
      (longest, one) => (one.tree && one.text.length > (longest?.text.length ?? 0) ? one : longest),
      undefined,
    );
    const lengths = spans.map(([start, end]) => end - start);
    const longest = lengths.indexOf(Math.max(...lengths));
    const trees = spans.map(([start, end], at) =>
      this.tree(text.slice(start, end), at === longest ? old : undefined),
    );
    for (const { tree } of middle) tree?.delete();
    const stretches = spans.map(([start], at) => ({ root: rootOf(trees[at]), start }));
    const built = buildPieces(stretches, text, store);
    const fresh = spans.map((span, at) => chunkOf(text, span, rootedTree(trees[at]), built[at]));
    return this.script(text, [...head, ...fresh, ...tail], store.spare());
  }

  /** {@link parse} of a text of which nothing is known, in steps of a stretch, long classes of a statement. */
  *parseSteps(text: string): Generator<void, ParsedScript> {
    const chunks: Chunk[] = [];
    for (const span of chunksFrom(text, 0)) {
      const tree = this.parsed(text.slice(...span));
      try {
        const built = yield* pieceSteps({ root: tree.rootNode, start: span[0] }, text);
        chunks.push({ start: span[0], text: text.slice(...span), ...built, tree: undefined });
      } finally {
        tree.delete();
      }
      yield;
    }
    return this.script(text, chunks, []);
  }

  private script(text: string, chunks: readonly Chunk[], spare: readonly Piece[]): ParsedScript {
    return {
      text,
      module: moduleOf(chunks),
      chunks,
      spare,
      insideString: (offset) => this.isInString(chunks, offset),
      dispose: () => {
        for (const { tree } of chunks) tree?.delete();
      },
    };
  }

  /** What is broken may be recovered otherwise from an old tree; only without an error both ways lead to the same. */
  private tree(text: string, old: Chunk | undefined): Tree {
    if (old?.tree && old.complete) {
      applyChange(old.tree, old.text, text);
      const tree = this.parsed(text, old.tree);
      if (!tree.rootNode.hasError) return tree;
      tree.delete();
    }
    return this.parsed(text);
  }

  private parsed(text: string, old?: Tree): Tree {
    const tree = this.parser.parse(text, old);
    if (!tree) throw new Error('tree-sitter parsed without a language');
    return tree;
  }

  private isInString(chunks: readonly Chunk[], offset: number): boolean {
    const chunk = chunks.findLast(({ start }) => start < offset);
    if (!chunk) return false;
    const tree = chunk.tree ?? this.parsed(chunk.text);
    const at = offset - chunk.start;
    let found = false;
    for (let node = tree.rootNode.descendantForIndex(at); node && !found; node = node.parent)
      found = node.type === 'string' && node.startIndex < at && at < node.endIndex;
    if (!chunk.tree) tree.delete();
    return found;
  }
}

function rootOf(tree: Tree | undefined) {
  return rootedTree(tree).rootNode;
}

function rootedTree(tree: Tree | undefined): Tree {
  if (!tree) throw new Error('every stretch was parsed');
  return tree;
}

/** A stretch that was built; its tree is kept where it is long. */
function chunkOf(
  text: string,
  [start, end]: Span,
  tree: Tree,
  built: Pick<Chunk, 'pieces' | 'complete'> = { pieces: [], complete: true },
): Chunk {
  const isLong = end - start >= LONG;
  if (!isLong) tree.delete();
  return { start, text: text.slice(start, end), ...built, tree: isLong ? tree : undefined };
}

function moduleOf(chunks: readonly Chunk[]): Module {
  const pieces = chunks.flatMap((chunk) => chunk.pieces);
  return {
    statements: pieces.flatMap(({ statements }) => statements),
    comments: pieces.flatMap(({ comments }) => comments ?? []),
    complete: chunks.every(({ complete }) => complete),
  };
}

interface Compared {
  /** Stretches before and behind what changed; those behind are where they stand now. */
  readonly head: readonly Chunk[];
  readonly tail: readonly Chunk[];
  /** Stretches that are replaced. */
  readonly middle: readonly Chunk[];
  /** What has to be parsed of the new text. */
  readonly spans: readonly Span[];
}

function compared(text: string, previous: ParsedScript | undefined): Compared {
  if (!previous) return { head: [], middle: [], tail: [], spans: [...chunksFrom(text, 0)] };
  const { chunks } = previous;
  const { start, oldEnd, newEnd } = change(previous.text, text);
  // Where a stretch ends depends on the line behind it, so that one must be whole as well.
  const untouched = chunks.findIndex(
    (chunk) => nextLine(previous.text, chunk.start + chunk.text.length) > start,
  );
  const first = untouched < 0 ? chunks.length : untouched;
  const head = chunks.slice(0, first);
  const distance = newEnd - oldEnd;
  const begins = new Map(chunks.map((chunk, at) => [chunk.start, at]));
  const spans: Span[] = [];
  for (const span of chunksFrom(text, chunks[first]?.start ?? 0)) {
    spans.push(span);
    const end = span[1] - distance;
    const next = span[1] >= newEnd && end >= oldEnd ? begins.get(end) : undefined;
    if (next === undefined) continue;
    const tail = chunks.slice(next);
    if (distance !== 0) for (const chunk of tail) moveChunk(chunk, distance);
    return { head, middle: chunks.slice(first, next), tail, spans };
  }
  return { head, middle: chunks.slice(first), tail: [], spans };
}

function nextLine(text: string, offset: number): number {
  const found = text.indexOf('\n', offset);
  return found < 0 ? Number.POSITIVE_INFINITY : found + 1;
}

function moveChunk(chunk: Chunk, distance: number): void {
  chunk.start += distance;
  for (const piece of chunk.pieces) movePiece(piece, distance);
}

/** Everything between the common start and the common end of two texts. */
function change(old: string, text: string): { start: number; oldEnd: number; newEnd: number } {
  const shorter = Math.min(old.length, text.length);
  let start = 0;
  while (start < shorter && old.charCodeAt(start) === text.charCodeAt(start)) start++;
  let tail = 0;
  while (
    tail < shorter - start &&
    old.charCodeAt(old.length - 1 - tail) === text.charCodeAt(text.length - 1 - tail)
  )
    tail++;
  return { start, oldEnd: old.length - tail, newEnd: text.length - tail };
}

/** Tells an old tree what changed. */
function applyChange(tree: Tree, old: string, text: string): void {
  const { start, oldEnd, newEnd } = change(old, text);
  tree.edit(
    new Edit({
      startIndex: start,
      oldEndIndex: oldEnd,
      newEndIndex: newEnd,
      startPosition: pointAt(old, start),
      oldEndPosition: pointAt(old, oldEnd),
      newEndPosition: pointAt(text, newEnd),
    }),
  );
}

/** Row and column of an offset, as tree-sitter counts: rows end at `\n`. */
function pointAt(text: string, offset: number): { row: number; column: number } {
  let row = 0;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) {
    row++;
    lineStart = at + 1;
  }
  return { row, column: offset - lineStart };
}
