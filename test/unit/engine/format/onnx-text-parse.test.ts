/** The parser: meaning of literals, spans, and reading on after errors. */
import { describe, expect, it } from 'vitest';
import { dataTypeByName } from '../../../../server/src/engine/base/dtype';
import { isCompleteText, parseOnnxText } from '../../../../server/src/engine/format/onnx-text';
import type { AttributeValue, Payload } from '../../../../server/src/engine/format/onnx-types';

const header = '<ir_version: 10, opset_import: ["" : 21]>\n';

/** Value of attribute `a` as written. */
function attribute(written: string): AttributeValue | undefined {
  const parsed = parseOnnxText(`${header}g (x) => (y) { y = A <a${written}> (x) }`);
  expect(parsed.issues).toEqual([]);
  return parsed.model?.graph?.nodes[0]?.attributes[0]?.value;
}

function checkAttribute(written: string, expected: AttributeValue): void {
  expect(attribute(written)).toEqual(expected);
}

function payload(written: string): { payload: Payload | undefined; messages: string[] } {
  const parsed = parseOnnxText(`${header}g (x) => (y) <${written}> { y = A (x) }`);
  return {
    payload: parsed.model?.graph?.initializers[0]?.payload,
    messages: parsed.issues.map((one) =>
      one.code === 'text-syntax'
        ? `${one.severity}: expected ${one.facts.expected}, found ${one.facts.found}`
        : one.code,
    ),
  };
}

describe('literals', () => {
  const bytes = (value: string) => new TextEncoder().encode(value);

  it('attributes take their annotation, else the literal says', () => {
    checkAttribute(' = 1', { type: 'int', value: 1n });
    checkAttribute(': float = 1', { type: 'float', value: 1 });
    checkAttribute(' = 0.1', { type: 'float', value: Math.fround(0.1) });
    checkAttribute(' = -inf', { type: 'float', value: Number.NEGATIVE_INFINITY });
    checkAttribute(' = NaN', { type: 'float', value: Number.NaN });
    checkAttribute(' = "a\\"\\\\\\n"', { type: 'string', value: bytes('a"\\n') });
    checkAttribute(': floats = [1, 2.5]', { type: 'floats', value: [1, 2.5] });
    checkAttribute(' = [2.5, 1]', { type: 'floats', value: [2.5, 1] });
    checkAttribute(': ints = []', { type: 'ints', value: [] });
    checkAttribute(' = -9223372036854775808', { type: 'int', value: -(2n ** 63n) });
    checkAttribute(': int = @k', { type: 'reference', value: 'k', attributeType: 2 });
    checkAttribute(' = @"k l"', { type: 'reference', value: 'k l', attributeType: 0 });
  });

  it('types: scalar, unknown rank, dimensions, composites', () => {
    checkAttribute(' = float', { type: 'type', value: { kind: 'tensor', elementType: 1, shape: [] } });
    checkAttribute(' = float[]', { type: 'type', value: { kind: 'tensor', elementType: 1 } });
    checkAttribute(' = int4[N,?,3,"N+1"]', {
      type: 'type',
      value: { kind: 'tensor', elementType: 22, shape: ['N', undefined, 3, 'N+1'] },
    });
    checkAttribute(' = map(string, seq(optional(float)))', {
      type: 'type',
      value: {
        kind: 'map',
        keyType: 8,
        value: {
          kind: 'sequence',
          element: { kind: 'optional', element: { kind: 'tensor', elementType: 1, shape: [] } },
        },
      },
    });
    checkAttribute(' = opaque(a.b, c)', {
      type: 'type',
      value: { kind: 'opaque', domain: 'a.b', name: 'c' },
    });
    checkAttribute(' = sparse_tensor(float[2])', {
      type: 'type',
      value: { kind: 'sparse-tensor', elementType: 1, shape: [2] },
    });
  });

  it('lists of tensors and graphs keep their values, which the reference drops', () => {
    expect(attribute(': tensors = [float {1}, float[1] n = {2}]')).toMatchObject({
      type: 'tensors',
      value: [{ dims: [] }, { dims: [1], name: 'n' }],
    });
    expect(attribute(': graphs = [g1 () => () {}, "g 2" () => () {}]')).toMatchObject({
      type: 'graphs',
      value: [{ name: 'g1' }, { name: 'g 2' }],
    });
  });

  it.each([
    ['float[2] w = {1, -inf}', [0, 0, 128, 63, 0, 0, 128, 255]],
    ['float16[2] w = {15360, -1}', [0, 60, 255, 255]],
    ['float8e4m3fn[1] w = {120}', [120]],
    ['int4[3] w = {1, -2, 7}', [0xe1, 0x07]],
    ['uint4[2] w = {15, 1}', [0x1f]],
    ['uint2[5] w = {3, 2, 1, 0, 3}', [0b00011011, 3]],
    ['float4e2m1[3] w = {7, 8, 15}', [0x87, 0x0f]],
    ['bool[2] w = {1, 0}', [1, 0]],
    ['int64[1] w = {-2}', [254, 255, 255, 255, 255, 255, 255, 255]],
    ['uint64[1] w = {18446744073709551615}', [255, 255, 255, 255, 255, 255, 255, 255]],
    ['complex64[1] w = {1, 0}', [0, 0, 128, 63, 0, 0, 0, 0]],
    ['float[0] w = {}', []],
  ])('%s', (written, expected) => {
    expect(payload(written)).toEqual({
      payload: { kind: 'bytes', bytes: Uint8Array.from(expected) },
      messages: [],
    });
  });

  it('external data keeps its entries', () => {
    expect(payload('float[2] w = ["location": "f.bin", "offset": "16", "checksum": "x"]').payload).toEqual({
      kind: 'external',
      location: 'f.bin',
      offset: 16,
      length: undefined,
      entries: [
        { key: 'location', value: 'f.bin' },
        { key: 'offset', value: '16' },
        { key: 'checksum', value: 'x' },
      ],
    });
  });

  it.each([
    ['int8[1] w = {200}', 'error: expected an integer from -128 to 127, found 200'],
    ['int4[1] w = {8}', 'error: expected an integer from -8 to 7, found 8'],
    ['bool[1] w = {2}', 'error: expected an integer from 0 to 1, found 2'],
    [
      'int64[1] w = {9223372036854775808}',
      'error: expected an integer from -9223372036854775808 to 9223372036854775807, found 9223372036854775808',
    ],
    ['float[2] w = {1}', 'error: expected 2 elements, found 1 element'],
    ['float[2] w = {}', 'warning: expected 2 elements, found 0 elements'],
    ['float[1] w = {true}', 'error: expected a number, found true'],
    ['float[N] w = {}', 'error: expected a number as dimension, found N'],
    ['float[] w = {1}', 'error: expected a tensor type with dimensions, found float[]'],
    ['float[99999999999999999999] w = {1}', 'error: expected a smaller integer, found 99999999999999999999'],
  ])('%s', (written, expected) => {
    expect(payload(written).messages[0]).toBe(expected);
  });

  it('a huge shape allocates nothing', () => {
    expect(payload('float[1000000,1000000,8] w = {1}').payload).toMatchObject({
      kind: 'bytes',
      bytes: { length: 4 },
    });
  });
});

describe('structure', () => {
  it('absent inputs, overloads, attributes on either side', () => {
    const { model, issues } = parseOnnxText(`${header}g (x) => (y) {
      a, , "b c" = d.e.F:o (x, , "", z,) <k = 1>
      ["n 1"] y = G <k = 1> ()
    }`);
    expect(issues).toEqual([]);
    expect(model?.graph?.nodes).toMatchObject([
      {
        opType: 'F',
        domain: 'd.e',
        overload: 'o',
        inputs: ['x', '', '', 'z'],
        outputs: ['a', '', 'b c'],
        name: '',
      },
      { opType: 'G', domain: '', inputs: [], outputs: ['y'], name: 'n 1', attributes: [{ name: 'k' }] },
    ]);
  });

  it('an input with data is an input and an initializer; a value info with data only an initializer', () => {
    const { model, document } = parseOnnxText(
      'g (float[1] x = {1}, y) => (z) <float[1] w = {2}, float v> { z = A (x) }',
    );
    expect(model?.graph).toMatchObject({
      inputs: [{ name: 'x' }, { name: 'y' }],
      initializers: [{ name: 'x' }, { name: 'w' }],
      valueInfo: [{ name: 'v' }],
    });
    expect(model?.irVersion).toBe(0);
    expect(document.graphs[0]?.initializers.map(({ name }) => name)).toEqual(['x', 'w']);
    expect(document.tokens.filter(({ kind }) => kind === 'definition').map(({ name }) => name)).toEqual([
      'x',
      'y',
      'w',
      'z',
    ]);
  });

  it('spans point at the words, graphs know who holds them', () => {
    const source = `# c\n${header}g (float[N] x) => (y) {\n  [n] y = If (x) <then_branch: graph = "t 1" () => (z) { z = d.Id (x) }> # d\n}\n<domain: "d"> f <k> (a) => (b) { b = B <k: int = @k> (a) }`;
    const { document } = parseOnnxText(source);
    const slices = (spans: readonly (readonly [number, number])[]) =>
      spans.map((span) => source.slice(...span));
    expect(slices(document.comments)).toEqual(['# c', '# d']);
    expect(document.header && source.slice(...document.header)).toBe(header.trim());
    expect(slices(document.nodes.map(({ opSpan }) => opSpan))).toEqual(['If', 'd.Id', 'B']);
    expect(slices(document.graphs.map(({ span }) => span))).toEqual(['g', '"t 1"', 'f']);
    expect(slices(document.graphs.map(({ bodySpan }) => bodySpan))[1]).toBe('{ z = d.Id (x) }');
    expect(slices(document.graphs.map(({ fullSpan }) => fullSpan))[1]).toBe(
      '"t 1" () => (z) { z = d.Id (x) }',
    );
    expect(document.graphs[1]).toMatchObject({ parent: 0, owner: { node: 0, attribute: 'then_branch' } });
    expect(document.graphs[2]).toMatchObject({ kind: 'function', parent: -1, functionIndex: 0 });
    expect(document.tokens.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'keyword ir_version',
      'keyword opset_import',
      'graph g',
      'type float',
      'dimension N',
      'definition x',
      'use y',
      'node n',
      'definition y',
      'operator If',
      'use x',
      'attribute then_branch',
      'attribute-type graph',
      'graph t 1',
      'use z',
      'definition z',
      'operator d.Id',
      'use x',
      'keyword domain',
      'function f',
      'attribute k',
      'definition a',
      'use b',
      'definition b',
      'operator B',
      'attribute k',
      'attribute-type int',
      'reference k',
      'use a',
    ]);
  });
});

describe('reading on', () => {
  /** Operators that are still found, and how many issues were given. */
  function checkRecovery(_: string, body: string, operators: readonly string[], issues: number): void {
    const source = `${header}g (x) => (y) ${body}`;
    const parsed = parseOnnxText(source);
    expect(parsed.document.nodes.map(({ opType }) => opType)).toEqual(operators);
    expect(parsed.issues.map(({ anchor }) => source.slice(...(anchor.span ?? [0, 0])))).toHaveLength(issues);
    expect(isCompleteText(parsed)).toBe(issues === 0);
  }

  it.each([
    ['a missing parenthesis', '{\n a = A (x\n b = B (a)\n}', ['A', 'B'], 1],
    ['half an attribute', '{\n a = A <k = \n b = B (a)\n}', ['A', 'B'], 1],
    ['a word as value', '{\n a = A <k = foo> (x)\n b = B (a)\n}', ['A', 'B'], 1],
    ['no operator yet', '{\n a = \n b = B (a)\n}', ['B'], 1],
    ['only a name', '{\n a\n b = B (a)\n}', ['B'], 1],
    ['an open name', '{\n [n\n b = B (a)\n}', ['B'], 1],
    ['an open string', '{\n a = A <k = "open> (x)\n b = B (a)\n}', ['A', 'B'], 2],
    ['foreign characters', '{\n a = A (x); $\n b = B (a)\n}', ['A', 'B'], 1],
    [
      'a subgraph that breaks off',
      '{\n a = If (x) <t = g () => (z) {\n z = C (\n b = B (z)\n }>\n d = D (b)\n}',
      ['If', 'C', 'B', 'D'],
      1,
    ],
    ['a subgraph without a body', '{\n a = If (x) <t = g () => (z)\n b = B (a)\n}', ['If', 'B'], 1],
    ['no opening brace', '\n a = A (x)\n b = B (a)\n}', ['A', 'B'], 1],
    ['no closing brace', '{\n a = A (x)\n b = B (a)\n', ['A', 'B'], 1],
    ['a broken initializer', '<\n float[2] w = {1, oops}\n float[1] v = {1}>\n{\n a = A (x)\n}', ['A'], 1],
    ['a missing comma', '<\n float[1] w = {1}\n float[1] v = {1}>\n{\n a = A (x)\n}', ['A'], 1],
    ['a comma too much', '<float[1] w = {1},>\n{\n a = A (x)\n}', ['A'], 1],
    ['words behind the graph', '{ a = A (x) }\n?\n<domain: "d"> f (a) => (b) { b = F (a) }', ['A', 'F'], 1],
  ])('%s', checkRecovery);

  it('a node whose operator is missing leaves no trace in the model', () => {
    const { model, document } = parseOnnxText('g () => () {\n a = \n b = B ()\n}');
    expect(model?.graph?.nodes.map(({ opType }) => opType)).toEqual(['B']);
    expect(document.nodes[0]).toMatchObject({ nodeIndex: 0 });
    expect(document.tokens.some(({ name }) => name === 'a')).toBe(false);
  });

  it('a broken header does not take the graph with it', () => {
    const { model, issues } = parseOnnxText('<ir_version: , opset_import: []>\ng () => () { a = A () }');
    expect(issues).toHaveLength(1);
    expect(model?.graph?.nodes).toHaveLength(1);
  });

  it('text without a graph says so', () => {
    for (const text of ['', '# c', '<ir_version: 8>']) {
      expect(parseOnnxText(text)).toMatchObject({
        model: undefined,
        issues: [{ code: 'text-syntax', facts: { expected: 'a graph', found: 'end of file' } }],
      });
    }
  });

  it.each([
    ['graphs', 'y = If () <b = g () => () {\n', 5000],
    ['types', 'y = A <b = seq(', 1],
    ['brackets', '[', 5000],
    ['braces', '{', 5000],
  ])('deep %s end in an issue', (_, piece, count) => {
    const deep = `g () => () {\n${piece.repeat(count)}${'seq('.repeat(5000)}`;
    expect(parseOnnxText(deep).issues.length).toBeGreaterThan(0);
  });

  it('a flood of errors is cut', () => {
    expect(parseOnnxText(`g () => () {\n${'y = A (x\n'.repeat(1000)}`).issues).toHaveLength(200);
  });
});

it('every element type is read by its name', () => {
  for (const type of ['float', 'bfloat16', 'float8e8m0', 'int2', 'uint64', 'string', 'complex128'] as const) {
    expect(attribute(` = ${type}[1]`)).toMatchObject({ value: { elementType: dataTypeByName(type)?.code } });
  }
});
