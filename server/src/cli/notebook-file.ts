/**
 * An .ipynb file as text: where its code cells stand in the JSON, and new code put in their place. Everything outside an
 * edited cell, its untouched lines included, stays byte for byte: indentation, metadata, outputs, the last line break.
 */
import { type Node, parseTree } from 'jsonc-parser';

/** The source of one code cell: a string, or a list of lines. */
interface CellSource {
  readonly node: Node;
  readonly lines: readonly Node[];
  readonly text: string;
}

/** Sources of the code cells of a notebook (nbformat 3 and 4), in the order of `readNotebook`. */
function sourcesOf(json: string): readonly CellSource[] {
  const root = parseTree(json);
  if (!root) return [];
  const sheets = propertyOf(root, 'worksheets')?.children ?? [root];
  return sheets
    .flatMap((sheet) => propertyOf(sheet, 'cells')?.children ?? [])
    .filter((cell) => propertyOf(cell, 'cell_type')?.value === 'code')
    .flatMap((cell) => {
      const node = propertyOf(cell, 'source') ?? propertyOf(cell, 'input');
      if (node?.type === 'string') return [{ node, lines: [node], text: String(node.value) }];
      if (node?.type !== 'array') return [];
      const lines = (node.children ?? []).filter(({ type }) => type === 'string');
      return [{ node, lines, text: lines.map(({ value }) => String(value)).join('') }];
    });
}

function propertyOf(object: Node, name: string): Node | undefined {
  return object.children?.find(({ children }) => children?.[0]?.value === name)?.children?.[1];
}

/**
 * The file with new texts of its code cells.
 * @param texts one per code cell, in order; a cell with its old text is not touched.
 */
export function withCells(json: string, texts: readonly string[]): string {
  const sources = sourcesOf(json);
  let result = json;
  for (let at = sources.length - 1; at >= 0; at--) {
    const [source, text] = [sources[at], texts[at]];
    if (!source || text === undefined || text === source.text) continue;
    const { offset, length } = source.node;
    result = result.slice(0, offset) + sourceText(json, source, text) + result.slice(offset + length);
  }
  return result;
}

function sourceText(json: string, { node, lines }: CellSource, text: string): string {
  // Writers either escape everything beyond ASCII or nothing.
  const ascii = !/[^\0-\x7f]/.test(json);
  if (node.type === 'string') return quoted(text, ascii);
  const raw = (line: Node) => json.slice(line.offset, line.offset + line.length);
  const known = new Map(lines.map((line) => [String(line.value), raw(line)]));
  const written = text.split(/(?<=\n)/).map((line) => known.get(line) ?? quoted(line, ascii));
  const [first, second, last] = [lines[0], lines[1], lines.at(-1)];
  if (!first || !last) return `[${written.join(', ')}]`;
  const opening = json.slice(node.offset, first.offset);
  const closing = json.slice(last.offset + last.length, node.offset + node.length);
  const between = second
    ? json.slice(first.offset + first.length, second.offset)
    : `,${/\s*$/.exec(opening)?.[0] || ' '}`;
  return opening + written.join(between) + closing;
}

function quoted(text: string, ascii: boolean): string {
  const json = JSON.stringify(text);
  if (!ascii) return json;
  return json.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Offsets in the file of places in its code cells. The file is parsed when the first is asked for. */
export function offsetsIn(json: string): (cell: number, offset: number) => number | undefined {
  let sources: readonly CellSource[] | undefined;
  return (cell, offset) => {
    sources ??= sourcesOf(json);
    const source = sources[cell];
    if (!source) return undefined;
    let passed = 0;
    for (const line of source.lines) {
      const { length } = String(line.value);
      if (offset < passed + length || line === source.lines.at(-1))
        return rawOffset(json, line, Math.min(offset - passed, length));
      passed += length;
    }
    return source.node.offset;
  };
}

/** Where a character of a JSON string stands in the file: an escape such as `\n` is one of the text. */
function rawOffset(json: string, { offset }: Node, characters: number): number {
  let at = offset + 1;
  for (let passed = 0; passed < characters; passed++)
    at += json[at] !== '\\' ? 1 : json[at + 1] === 'u' ? 6 : 2;
  return at;
}
