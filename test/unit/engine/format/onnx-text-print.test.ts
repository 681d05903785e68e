/** The printer: canonical form, references instead of weights, and names that try to break out. */
import { describe, expect, it } from 'vitest';
import { memorySource } from '../../../../server/src/engine/base/byte-source';
import { dataTypeByName } from '../../../../server/src/engine/base/dtype';
import { type PrintOptions, parseOnnxText, printModel } from '../../../../server/src/engine/format/onnx-text';
import { formatFloat32, formatFloat64 } from '../../../../server/src/engine/format/onnx-text-literals';
import type { ModelProto, Payload, TensorProto } from '../../../../server/src/engine/format/onnx-types';
import { float, type GraphInput, graph, model, node, tensor, valueInfo } from '../../../fixtures/build';
import { watchedSource } from '../../../fixtures/sources';

const x = valueInfo('x', ['N', 3]);
const y = valueInfo('y', undefined);

/** Prints a model around the given parts and compares the whole text. */
function checkPrint(input: Partial<GraphInput>, expected: string, options?: PrintOptions): void {
  const printed = printModel(model({ name: 'g', inputs: [x], outputs: [y], nodes: [], ...input }), options);
  expect(`\n${printed.text.replace(/^<[\s\S]*?\n>\n/, '')}`).toBe(expected);
  expect(parseOnnxText(printed.text).issues.filter(({ severity }) => severity === 'error')).toEqual([]);
}

/** The one initializer `w` of a model, as printed. */
function printedTensor(
  payload: Payload,
  dims: readonly number[],
  type: string,
  options?: PrintOptions,
): string {
  const one: TensorProto = { name: 'w', dims, dataType: dataTypeByName(type)?.code ?? 0, payload };
  const { text } = printModel(model({ initializers: [one], nodes: [] }), options);
  return /^ {6}(.*)$/m.exec(text)?.[1] ?? text;
}

describe('canonical form', () => {
  it('header, types, initializers, attributes, names', () => {
    const one = model(
      {
        name: 'main',
        inputs: [x],
        outputs: [valueInfo('y', [2, undefined, 'N+1'])],
        valueInfo: [valueInfo('h', [], 'int64')],
        initializers: [tensor('w', [2], [1, -0.1])],
        nodes: [
          node(
            'Conv',
            ['x', '', 'w'],
            ['h'],
            { pads: [1, 1], alpha: float(1e-5), mode: 'a"b' },
            { name: 'first' },
          ),
          node('Foo', ['h'], ['y', 'z'], {}, { name: '', domain: 'com.microsoft' }),
        ],
      },
      { opset: 21, opsets: [{ domain: 'com.microsoft', version: 1 }], irVersion: 10, producerName: 'a\\b' },
    );
    expect(printModel(one).text).toMatchInlineSnapshot(`
      "<
         ir_version: 10,
         opset_import: ["" : 21, "com.microsoft" : 1],
         producer_name: "a\\\\b"
      >
      main (float[N,3] x) => (float[2,?,"N+1"] y)
         <
            float[2] w = {1,-0.1},
            int64 h
         >
      {
         [first] h = Conv <pads: ints = [1, 1], alpha: float = 1e-05, mode: string = "a\\"b"> (x, "", w)
         y, z = com.microsoft.Foo (h)
      }
      "
    `);
  });

  it('subgraphs are indented and stand behind the inputs', () => {
    const branch = (name: string) =>
      graph({
        name,
        outputs: [y],
        initializers: [tensor('k', [1], [2])],
        nodes: [node('Add', ['x', 'k'], ['y'])],
      });
    checkPrint(
      {
        nodes: [
          node('If', ['x'], ['y'], { then_branch: branch('t'), else_branch: branch('seq') }, { name: '' }),
        ],
      },
      `
g (float[N,3] x) => (float[] y) {
   y = If (x) <then_branch: graph = t () => (float[] y)
      <
         float[1] k = {2}
      >
   {
      [y_Add] y = Add (x, k)
   }, else_branch: graph = "seq" () => (float[] y)
      <
         float[1] k = {2}
      >
   {
      [y_Add] y = Add (x, k)
   }>
}
`,
    );
  });

  it('functions keep defaults, types and doc strings, which the reference printer loses', () => {
    const one: ModelProto = {
      ...model({ name: 'g', nodes: [] }),
      functions: [
        {
          name: 'f',
          domain: 'd',
          overload: 'o',
          inputs: ['a', 'b'],
          outputs: ['c'],
          attributes: ['k', 'l m'],
          attributeProtos: [{ name: 'n', value: { type: 'int', value: 3n } }],
          nodes: [node('B', ['a'], ['c'], {}, { name: '' })],
          opsetImports: [{ domain: '', version: 20 }],
          valueInfo: [valueInfo('b', [2]), valueInfo('t', ['N'])],
          docString: 'says "what"',
        },
      ],
    };
    const { text } = printModel(one);
    expect(text.slice(text.indexOf('}\n') + 2)).toBe(`<
  domain: "d",
  overload: "o",
  opset_import: ["" : 20],
  doc_string: "says \\"what\\""
>
f <k, "l m", n: int = 3>(a, float[2] b) => (c)
   <float[N] t>
{
   c = B (a)
}
`);
    expect(parseOnnxText(text).model).toEqual(one);
  });

  it.each([
    [0.1, '0.1'],
    [1, '1'],
    [-0, '-0'],
    [1e5, '1e+05'],
    [120_000, '120000'],
    [1e-4, '1e-04'],
    [0.00012, '0.00012'],
    [123_456_789_000, '123456790528'],
    [16_777_216, '16777216'],
    [3.4028234663852886e38, '3.4028235e+38'],
    [1.401298464324817e-45, '1e-45'],
    [Number.NaN, 'nan'],
    [Number.NEGATIVE_INFINITY, '-inf'],
  ])('float %s is written %s', (value, expected) => {
    expect(formatFloat32(Math.fround(value))).toBe(expected);
  });

  it.each([
    [0.1, '0.1'],
    [Math.PI, '3.141592653589793'],
    [1e300, '1e+300'],
    [5e-324, '5e-324'],
    [2 ** 53, '9007199254740992'],
  ])('double %s is written %s', (value, expected) => {
    expect(formatFloat64(value)).toBe(expected);
  });
});

describe('weights', () => {
  const bytes = new Uint8Array(5000);

  it('a long slice becomes a reference to where it is, and is not read', () => {
    const source = watchedSource(bytes, '/models/net.onnx');
    const payload: Payload = { kind: 'slice', slice: { source, offset: 100, length: 1728 } };
    expect(printedTensor(payload, [16, 3, 3, 3], 'float')).toBe(
      'float[16,3,3,3] w = ["location": "net.onnx", "offset": "100", "length": "1728"] # 432 elements, 1.7 kB',
    );
    expect(printedTensor(payload, [16, 3, 3, 3], 'float', { location: 'sub/net.onnx' })).toContain(
      '"sub/net.onnx"',
    );
    expect(source.reads).toEqual([]);
  });

  it('the reference reads back as external data with the same stretch', () => {
    const source = memorySource(bytes, 'C:\\models\\net.onnx');
    const one: TensorProto = {
      name: 'w',
      dims: [300],
      dataType: 1,
      payload: { kind: 'slice', slice: { source, offset: 8, length: 1200 } },
    };
    const { text, elided } = printModel(model({ initializers: [one], nodes: [] }));
    expect(elided).toBe(1);
    expect(parseOnnxText(text).model?.graph?.initializers[0]?.payload).toMatchObject({
      kind: 'external',
      location: 'net.onnx',
      offset: 8,
      length: 1200,
    });
  });

  it('a short slice is printed, with full every slice', () => {
    const source = memorySource(Uint8Array.from({ length: 64 }, (_, index) => index));
    const slice = (offset: number, length: number): Payload => ({
      kind: 'slice',
      slice: { source, offset, length },
    });
    expect(printedTensor(slice(1, 3), [3], 'int8')).toBe('int8[3] w = {1,2,3}');
    expect(printedTensor(slice(0, 20), [20], 'int8')).toContain('"length": "20"');
    expect(printedTensor(slice(0, 20), [20], 'int8', { full: true })).toMatch(/\{0,1,.*,19\}$/);
  });

  it.each([
    ['int4', [-8, 7, -1], '{-8,7,-1}'],
    ['uint4', [15, 0, 9], '{15,0,9}'],
    ['int2', [-2, 1, -1, 0, 1], '{-2,1,-1,0,1}'],
    ['float16', [1, -2], '{15360,49152}'],
    ['bfloat16', [1], '{16256}'],
    ['float8e4m3fn', [1], '{56}'],
    ['float4e2m1', [6, -0.5, 1], '{7,9,2}'],
    ['bool', [1, 0], '{1,0}'],
  ] as const)('%s', (type, values, expected) => {
    const one = tensor('w', [values.length], values, type);
    expect(printedTensor(one.payload, one.dims, type)).toBe(`${type}[${values.length}] w = ${expected}`);
    const { text } = printModel(model({ initializers: [one], nodes: [] }));
    expect(parseOnnxText(text).model?.graph?.initializers[0]).toEqual(one);
  });

  it('typed fields print as raw data does', () => {
    const typed = (
      field: 'float_data' | 'double_data' | 'int32_data' | 'int64_data' | 'uint64_data',
      values: number[],
    ) => {
      const arrays = {
        float_data: () => Float32Array.from(values),
        double_data: () => Float64Array.from(values),
        int32_data: () => Int32Array.from(values),
        int64_data: () => BigInt64Array.from(values.map(BigInt)),
        uint64_data: () => BigUint64Array.from(values.map(BigInt)),
      };
      return { kind: 'typed' as const, field, values: arrays[field]() };
    };
    expect(printedTensor(typed('float_data', [0.5, -1]), [2], 'float')).toContain('= {0.5,-1}');
    expect(printedTensor(typed('double_data', [0.1]), [1], 'double')).toContain('= {0.1}');
    expect(printedTensor(typed('int64_data', [-3]), [1], 'int64')).toContain('= {-3}');
    expect(printedTensor(typed('uint64_data', [4_294_967_295]), [1], 'uint32')).toContain('= {4294967295}');
    expect(printedTensor(typed('int32_data', [15_360]), [1], 'float16')).toContain('= {15360}');
    // Two int4 elements share one entry, the first in the low nibble.
    expect(printedTensor(typed('int32_data', [0xf1, 0x07]), [3], 'int4')).toContain('= {1,-1,7}');
  });

  it('payloads that do not fit the shape become a reference and a reason', () => {
    const source = memorySource(new Uint8Array(4));
    const short: Payload = { kind: 'slice', slice: { source, offset: 0, length: 4 } };
    expect(printedTensor(short, [2], 'float')).toMatch(
      /^float\[2\] w = \["location".*\] # 2 elements, 8 B, unreadable: /,
    );
    expect(printedTensor({ kind: 'none' }, [2], 'float')).toBe(
      'float[2] w = {} # 2 elements, 8 B declared, no data',
    );
    expect(printedTensor({ kind: 'none' }, [0], 'float')).toBe('float[0] w = {}');
    expect(printedTensor({ kind: 'bytes', bytes: new Uint8Array(4) }, [-1], 'float')).toContain(
      'impossible shape',
    );
  });

  it('long attribute lists and strings are elided by a reference that leads nowhere, and whole with full', () => {
    const long = model({
      nodes: [
        node('T', [], ['y'], {
          keys: { type: 'ints', value: Array.from({ length: 20_000 }, (_, index) => BigInt(index)) },
          blob: 'é\n'.repeat(50_000),
        }),
      ],
    });
    const { text, omitted } = printModel(long);
    expect(omitted).toBe(2);
    expect(text).toContain('<keys: ints = @"elided: 20,000 values", blob: string = @"elided: 150 kB"> ()');
    expect(text).toContain('# keys: 20,000 values: 0, 1, 2, 3, 4,');
    const parsed = parseOnnxText(text);
    expect(parsed.issues).toEqual([]);
    expect(parsed.model?.graph?.nodes[0]?.attributes[0]?.value).toMatchObject({ type: 'reference' });
    const full = printModel(long, { full: true });
    expect(full.omitted).toBe(0);
    expect(parseOnnxText(full.text).model).toEqual(long);
  });

  it('what the language cannot hold is elided, never dropped', () => {
    const sparse = { values: tensor('v', [1], [1]), indices: tensor('i', [1], [0], 'int64'), dims: [3] };
    const unknown: TensorProto = { name: '', dims: [1], dataType: 99, payload: { kind: 'none' } };
    const one = node('A', [], ['y'], {
      a: { type: 'sparse-tensor', value: sparse },
      b: { type: 'undefined' },
      c: { type: 'types', value: [{ kind: 'tensor', elementType: 1 }, { kind: 'unknown' }] },
      d: unknown,
      e: { type: 'int', value: 1n },
    });
    const { text, omitted } = printModel(model({ nodes: [one] }));
    expect(omitted).toBe(4);
    const nothing = '@"elided: not part of the language"';
    expect(text).toContain(
      `<a: sparse_tensor = ${nothing}, b = ${nothing}, c: type_protos = ${nothing}, d: tensor = ${nothing}, e: int = 1>`,
    );
    expect(parseOnnxText(text).issues).toEqual([]);
  });

  it('string tensors', () => {
    const strings = (...values: string[]): Payload => ({
      kind: 'strings',
      values: values.map((value) => new TextEncoder().encode(value)),
    });
    expect(printedTensor(strings('a', 'b "c"'), [2], 'string')).toBe('string[2] w = {"a", "b \\"c\\""}');
    expect(printedTensor(strings('a'), [2], 'string')).toBe(
      'string[2] w = ["elided": "2 elements"] # 2 elements, 1 given',
    );
    const binary: Payload = { kind: 'strings', values: [Uint8Array.of(0xff)] };
    expect(printedTensor(binary, [1], 'string')).toBe(
      'string[1] w = ["elided": "1 element"] # 1 element, not UTF-8',
    );
  });
});

describe('names that try to break out', () => {
  const names = [
    'a\nb',
    '"',
    '\\',
    '# no comment',
    '} evil () => (',
    'x\u2028y',
    '\0',
    '=',
    '__proto__',
    'é'.repeat(100_000),
  ];
  it.each(names.map((name) => [name.slice(0, 20), name]))('%j', (_, name) => {
    const one = model({
      name,
      inputs: [valueInfo(name, [name])],
      outputs: [valueInfo(name, undefined)],
      initializers: [
        { name, dims: [600], dataType: 1, payload: { kind: 'bytes', bytes: new Uint8Array(2400) } },
      ],
      nodes: [node(name, [name], [name], { [name]: name }, { name, domain: name })],
    });
    const parsed = parseOnnxText(printModel(one, { full: true }).text);
    expect(parsed.issues).toEqual([]);
    expect(parsed.model).toEqual(one);
  });

  it('a line break never ends a comment', () => {
    const payload: Payload = { kind: 'bytes', bytes: new Uint8Array(1) };
    const one = model({
      initializers: [{ name: 'a\n} y = Evil (x', dims: [1], dataType: 99, payload }],
      nodes: [{ ...node('A', [], ['y']), attributes: [{ name: 'k\n]', value: { type: 'undefined' } }] }],
    });
    const { text, omitted } = printModel(one);
    expect(omitted).toBe(2);
    expect(text).toContain('# initializer a } y = Evil (x: element type 99 is not known');
    expect(parseOnnxText(text).document.nodes.map(({ opType }) => opType)).toEqual(['A']);
  });

  it('deep nesting is cut where the parser would stop, too', () => {
    let inner = graph({ name: 'g', nodes: [node('Leaf', [], ['y'])] });
    for (let depth = 0; depth < 400; depth++)
      inner = graph({ name: 'g', nodes: [node('If', [], ['y'], { b: inner })] });
    const { text, omitted } = printModel({ ...model({ nodes: [] }), graph: inner });
    expect(omitted).toBe(1);
    const parsed = parseOnnxText(text);
    expect(parsed.issues.map(({ facts }) => facts)).toEqual([
      { expected: 'at most 100 nested graphs', found: '{' },
    ]);
    expect(parsed.document.graphs).toHaveLength(101);
  });

  it('bytes that are no text are said to be none', () => {
    const one = model({
      nodes: [
        {
          ...node('A', [], ['y']),
          attributes: [{ name: 'k', value: { type: 'string', value: Uint8Array.of(0xff) } }],
        },
      ],
    });
    expect(printModel(one).text).toContain('<k: string = @"elided: 1 B, not UTF-8"> () # k: 1 B, not UTF-8');
  });
});
