/** Names in a text: scopes of subgraphs and functions, and what stands at an offset. */
import { describe, expect, it } from 'vitest';
import {
  definitionOf,
  graphAt,
  nodeAt,
  parseOnnxText,
  referencesOf,
  symbolAt,
} from '../../../../server/src/engine/format/onnx-text';

/** `$1` … `$9` mark places; the text is parsed without them. */
const marked = `g (float[N] $1x) => ($2y)
   <float[1] $3w = {1}, float[N] $4h>
{
   $5h = Relu (x)
   y = If (h) <then_branch: graph = t () => (float y) {
      $6x = Add ($7h, w)
      y = Mul ($8x, w)
   }, else_branch: graph = e () => (float z) {
      z = Mul ($9x, w)
   }>
}
<domain: "d"> f (x) => (y) { y = Neg (x) }`;

const marks = new Map<string, number>();
let source = '';
for (const part of marked.split(/(\$\d)/)) {
  if (/^\$\d$/.test(part)) marks.set(part, source.length);
  else source += part;
}
const { document, issues } = parseOnnxText(source);
const at = (mark: string) => marks.get(mark) ?? -1;

function checkDefinition(from: string, to: string | undefined): void {
  const symbol = symbolAt(document, at(from));
  expect(symbol?.kind).toBe('value');
  const definition = symbol && definitionOf(document, symbol.token.name, symbol.token.graph);
  expect(definition?.start).toBe(to === undefined ? undefined : at(to));
}

describe('scopes', () => {
  it('the fixture is well formed', () => expect(issues).toEqual([]));

  it.each([
    ['$7', '$5'],
    ['$8', '$6'],
    ['$9', '$1'],
    ['$4', '$5'],
    ['$1', '$1'],
  ])('%s is defined at %s', checkDefinition);

  it('references follow the scope: an inner definition hides the outer value', () => {
    const lines = (name: string, graph: number) =>
      referencesOf(document, name, graph).map(({ start }) => source.slice(0, start).split('\n').length);
    expect(lines('x', 0)).toEqual([1, 4, 9]);
    expect(lines('x', 1)).toEqual([6, 7]);
    expect(lines('w', 2)).toEqual([2, 6, 7, 9]);
    expect(lines('h', 0)).toEqual([2, 4, 5, 6]);
  });

  it('functions see nothing from outside', () => {
    expect(referencesOf(document, 'x', 3).map(({ graph }) => graph)).toEqual([3, 3]);
    expect(definitionOf(document, 'w', 3)).toBeUndefined();
  });

  it('a name that nothing defines has its uses only', () => {
    const free = parseOnnxText('g () => (y) { y = A (q, q) }').document;
    expect(definitionOf(free, 'q', 0)).toBeUndefined();
    expect(referencesOf(free, 'q', 0)).toHaveLength(2);
  });
});

describe('places', () => {
  it('the word under the cursor, its end included', () => {
    const relu = source.indexOf('Relu');
    for (const offset of [relu, relu + 2, relu + 4]) {
      expect(symbolAt(document, offset)).toMatchObject({
        kind: 'operator',
        token: { name: 'Relu', node: 0 },
      });
    }
    expect(symbolAt(document, relu + 5)).toBeUndefined();
    expect(symbolAt(document, source.length + 5)).toBeUndefined();
  });

  it('the innermost node and graph', () => {
    const node = (text: string) => nodeAt(document, source.indexOf(text))?.opType;
    expect(node('Relu')).toBe('Relu');
    expect(node('h, w')).toBe('Add');
    expect(node('else_branch')).toBe('If');
    expect(node('g (')).toBeUndefined();
    expect(node('<domain')).toBeUndefined();
    const graph = (text: string) => document.graphs[graphAt(document, source.indexOf(text))]?.name;
    expect(graph('Relu')).toBe('g');
    expect(graph('h, w')).toBe('t');
    expect(graph(', else_branch')).toBe('g');
    expect(graph('Neg')).toBe('f');
    expect(graphAt(parseOnnxText('# c\n\ng () => () {}').document, 1)).toBe(-1);
  });
});
