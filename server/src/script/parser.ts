/**
 * Python parser: web-tree-sitter (WebAssembly, no native build) with the grammar of tree-sitter-python. Parsing is
 * incremental and never fails; broken code is `complete: false`.
 */
import { Edit, Language, Parser, type Tree } from 'web-tree-sitter';
import { buildModule } from './build';
import type { Piece } from './reuse';
import type { Module } from './syntax';

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
  readonly tree: Tree;
  /** For the next parse of the file. */
  readonly pieces: readonly Piece[];
  dispose(): void;
}

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
   * @param previous is used up: do not touch it afterwards.
   */
  parse(text: string, previous?: ParsedScript): ParsedScript {
    if (previous) applyChange(previous, text);
    const tree = this.parser.parse(text, previous?.tree);
    previous?.dispose();
    if (!tree) throw new Error('tree-sitter parsed without a language');
    const { module, pieces } = buildModule(tree.rootNode, text, previous?.pieces);
    return { text, module, pieces, tree, dispose: () => tree.delete() };
  }
}

/** Tells the old tree what changed: everything between the common start and the common end of both texts. */
function applyChange(previous: ParsedScript, text: string): void {
  const old = previous.text;
  const shorter = Math.min(old.length, text.length);
  let start = 0;
  while (start < shorter && old.charCodeAt(start) === text.charCodeAt(start)) start++;
  let tail = 0;
  while (
    tail < shorter - start &&
    old.charCodeAt(old.length - 1 - tail) === text.charCodeAt(text.length - 1 - tail)
  )
    tail++;
  const oldEnd = old.length - tail;
  const newEnd = text.length - tail;
  previous.tree.edit(
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
