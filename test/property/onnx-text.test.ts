/** Laws of the ONNX textual syntax: parse∘print is the identity on generated models, and no text breaks the parser. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DataType, dataTypes } from '../../server/src/engine/base/dtype';
import { hasErrors } from '../../server/src/engine/base/issue';
import { packElements } from '../../server/src/engine/base/pack';
import {
  parseOnnxText,
  printModel,
  type SyntaxDocument,
  type SyntaxName,
} from '../../server/src/engine/format/onnx-text';
import type {
  AttributeProto,
  AttributeValue,
  FunctionProto,
  GraphProto,
  ModelProto,
  NodeProto,
  Payload,
  TensorProto,
  TypeProto,
  ValueInfoProto,
} from '../../server/src/engine/format/onnx-types';

const seed = Number(process.env.QUANTLENS_PROPERTY_SEED ?? 20251120);
const utf8 = new TextEncoder();

/** Names that could be taken for something else, and any other text. */
const hostile = [
  '',
  'float',
  'seq',
  'inf',
  'NaN',
  'graph',
  'a.b',
  'a\nb',
  'x # y',
  '"',
  '\\',
  '\\"',
  '=>',
  '{',
  '}',
  '<',
  ', ',
  'a b',
  '0',
  '-1',
  '__proto__',
  'é',
  '\u2028',
  '\0',
  '🙂',
  'layer3/conv::weight_1',
];
const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('x', 'y', 'w', 'conv1', '_v_3') },
  { weight: 1, arbitrary: fc.constantFrom(...hostile) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
);
const filled = name.filter((text) => text !== '');
const text = fc.oneof(
  name,
  fc.string({ unit: 'binary', maxLength: 20 }).filter((value) => !/[\ud800-\udfff]/u.test(value)),
);
const textBytes = text.map((value) => utf8.encode(value));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const float32 = fc.float();
const few = <T>(arbitrary: fc.Arbitrary<T>, maxLength = 3) => fc.array(arbitrary, { maxLength });
const elementType = fc.constantFrom(...dataTypes).map(({ code }) => code);
const dimension = fc.oneof(fc.nat(), filled, fc.constant(undefined));
const shape = fc.option(few(dimension), { nil: undefined });

const typeProto: fc.Arbitrary<TypeProto> = fc.letrec<{ type: TypeProto }>((tie) => ({
  type: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc
      .tuple(fc.constantFrom('tensor' as const, 'sparse-tensor' as const), elementType, shape)
      .map(([kind, code, dims]) => ({
        kind,
        elementType: code,
        ...(dims === undefined ? {} : { shape: dims }),
      })),
    fc
      .tuple(fc.constantFrom('sequence' as const, 'optional' as const), tie('type'))
      .map(([kind, element]) => ({ kind, element })),
    fc.record({ kind: fc.constant('map' as const), keyType: elementType, value: tie('type') }),
    fc
      .record({ kind: fc.constant('opaque' as const), domain: name, name })
      .map((type) => (type.name === '' ? { ...type, domain: '' } : type)),
  ),
})).type;

/** Raw bytes of `count` elements without what text cannot carry: NaN payloads, padding bits, bool other than 0 and 1. */
function rawBytes(type: DataType, count: number): fc.Arbitrary<Uint8Array> {
  const numbers = <T>(arbitrary: fc.Arbitrary<T>, scalars = count) =>
    fc.array(arbitrary, { minLength: scalars, maxLength: scalars });
  const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  if (type.bits < 8)
    return numbers(fc.nat((1 << type.bits) - 1)).map((codes) => packElements(codes, type.bits));
  if (type.kind === 'bool') return numbers(fc.nat(1)).map((values) => Uint8Array.from(values));
  const scalars = type.kind === 'complex' ? 2 * count : count;
  if (type.name === 'float' || type.name === 'complex64') {
    return numbers(fc.float({ noNaN: true }), scalars).map((values) => bytesOf(Float32Array.from(values)));
  }
  if (type.name === 'double' || type.name === 'complex128') {
    return numbers(fc.double({ noNaN: true }), scalars).map((values) => bytesOf(Float64Array.from(values)));
  }
  const length = (type.bits / 8) * count;
  return fc.uint8Array({ minLength: length, maxLength: length });
}

const external: fc.Arbitrary<Payload> = fc
  .tuple(name, fc.option(fc.nat(), { nil: undefined }), fc.option(fc.nat(), { nil: undefined }))
  .map(([location, offset, length]) => ({
    kind: 'external',
    location,
    offset: offset ?? 0,
    length,
    entries: [
      { key: 'location', value: location },
      ...(offset === undefined ? [] : [{ key: 'offset', value: String(offset) }]),
      ...(length === undefined ? [] : [{ key: 'length', value: String(length) }]),
    ],
  }));

const tensor: fc.Arbitrary<TensorProto> = fc
  .tuple(fc.constantFrom(...dataTypes), few(fc.nat(3)), name)
  .chain(([type, dims, tensorName]) => {
    const count = dims.reduce((all, one) => all * one, 1);
    const held: fc.Arbitrary<Payload> =
      type.kind === 'string'
        ? fc
            .array(textBytes, { minLength: count, maxLength: count })
            .map((values) => ({ kind: 'strings', values }))
        : rawBytes(type, count).map((bytes) => ({ kind: 'bytes', bytes }));
    return fc
      .oneof({ weight: 4, arbitrary: held }, { weight: 1, arbitrary: external })
      .map((payload) => ({ name: tensorName, dims, dataType: type.code, payload }));
  });

const valueInfo: fc.Arbitrary<ValueInfoProto> = fc
  .tuple(name, fc.option(typeProto, { nil: undefined }))
  .map(([valueName, type]) => ({ name: valueName, ...(type === undefined ? {} : { type }) }));

const { graph, node, attribute } = fc.letrec<{
  graph: GraphProto;
  node: NodeProto;
  attribute: AttributeProto;
}>((tie) => ({
  attribute: fc
    .tuple(
      name,
      fc.oneof(
        { depthSize: 'small' },
        float32.map((value): AttributeValue => ({ type: 'float', value })),
        int64.map((value): AttributeValue => ({ type: 'int', value })),
        textBytes.map((value): AttributeValue => ({ type: 'string', value })),
        tensor.map((value): AttributeValue => ({ type: 'tensor', value })),
        typeProto.map((value): AttributeValue => ({ type: 'type', value })),
        few(float32).map((value): AttributeValue => ({ type: 'floats', value })),
        few(int64).map((value): AttributeValue => ({ type: 'ints', value })),
        few(textBytes).map((value): AttributeValue => ({ type: 'strings', value })),
        few(tensor, 2).map((value): AttributeValue => ({ type: 'tensors', value })),
        few(typeProto, 2).map((value): AttributeValue => ({ type: 'types', value })),
        fc
          .tuple(name, fc.nat(14))
          .map(([value, attributeType]): AttributeValue => ({ type: 'reference', value, attributeType })),
        tie('graph').map((value): AttributeValue => ({ type: 'graph', value })),
        few(tie('graph'), 2).map((value): AttributeValue => ({ type: 'graphs', value })),
      ),
    )
    .map(([attributeName, value]) => ({ name: attributeName, value })),
  node: fc
    .record({
      name,
      opType: name,
      domain: fc.oneof(fc.constant(''), fc.constant('com.microsoft'), name),
      overload: fc.oneof(fc.constant(undefined), filled),
      inputs: few(name),
      outputs: few(name),
      attributes: few(tie('attribute')),
    })
    .map(({ overload, ...rest }) => ({ ...rest, ...(overload === undefined ? {} : { overload }) })),
  graph: fc.record({
    name,
    inputs: few(valueInfo),
    outputs: few(valueInfo),
    valueInfo: few(valueInfo),
    initializers: few(tensor),
    nodes: few(tie('node')),
  }),
}));

const opsets = few(fc.record({ domain: text, version: fc.nat() }));

const functionProto: fc.Arbitrary<FunctionProto> = fc
  .record({
    name,
    domain: text,
    overload: fc.oneof(fc.constant(undefined), filled),
    places: fc.uniqueArray(valueInfo, { maxLength: 6, selector: (info) => info.name }),
    cut: fc.tuple(fc.nat(3), fc.nat(3)),
    attributes: few(name),
    attributeProtos: few(attribute, 2),
    nodes: few(node),
    opsetImports: opsets,
    docString: fc.oneof(fc.constant(undefined), filled),
  })
  .map(({ places, cut, overload, docString, ...rest }) => {
    const inputs = places.slice(0, cut[0]);
    const outputs = places.slice(cut[0], cut[0] + cut[1]);
    const further = places.slice(cut[0] + cut[1]);
    const infos = [...[...inputs, ...outputs].filter(({ type }) => type !== undefined), ...further];
    return {
      ...rest,
      inputs: inputs.map((info) => info.name),
      outputs: outputs.map((info) => info.name),
      ...(overload === undefined ? {} : { overload }),
      ...(docString === undefined ? {} : { docString }),
      ...(infos.length === 0 ? {} : { valueInfo: infos }),
    };
  });

const model: fc.Arbitrary<ModelProto> = fc.record({
  irVersion: fc.maxSafeNat(),
  opsetImports: opsets,
  producerName: text,
  producerVersion: text,
  domain: text,
  modelVersion: fc.maxSafeInteger(),
  docString: text,
  graph,
  metadataProps: few(fc.record({ key: text, value: text })),
  functions: few(functionProto, 2),
});

describe('ONNX textual syntax', () => {
  it('parse∘print is the identity, and the printer says where its nodes are', () => {
    fc.assert(
      fc.property(model, (one) => {
        const printed = printModel(one, { full: true });
        const parsed = parseOnnxText(printed.text);
        expect(parsed.issues, printed.text).toEqual([]);
        expect(parsed.model, printed.text).toEqual(one);
        expect(printed).toMatchObject({ omitted: 0 });
        checkDocument(printed.text, parsed.document);
        const places = parsed.document.nodes.map((place) => ({
          graph: place.graphIndex,
          node: place.nodeIndex,
          start: place.span[0],
          end: place.span[1],
          line: printed.text.slice(0, place.span[0]).split('\n').length - 1,
        }));
        expect(printed.nodes).toEqual(places);
      }),
      { seed, numRuns: 200 },
    );
  });

  it('eliding leaves the structure as it is and every long tensor with a reference', () => {
    fc.assert(
      fc.property(model, (one) => {
        const { text: shortened, elided } = printModel(one, { inlineLimit: 0 });
        const parsed = parseOnnxText(shortened);
        expect(hasErrors(parsed.issues), shortened).toBe(false);
        expect(structureOf(parsed.model)).toEqual(structureOf(one));
        const externals = [...shortened.matchAll(/\["(?:location|elided)": "/g)].length;
        expect(externals).toBeGreaterThanOrEqual(elided);
      }),
      { seed, numRuns: 100 },
    );
  });

  it('a damaged text gives issues and a consistent document, never an exception', () => {
    const damage = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      remove: fc.nat(12),
      insert: fc.constantFrom(
        '',
        ...'"{}()[]<>=,:.?@#\n\\-9aé',
        '=>',
        'float[',
        '\n y = A (x)\n',
        '<a = ',
        '"\\"',
      ),
    });
    fc.assert(
      fc.property(model, fc.array(damage, { minLength: 1, maxLength: 4 }), (one, damages) => {
        const broken = damages.reduce((current, { at, remove, insert }) => {
          const offset = Math.floor(at * current.length);
          return current.slice(0, offset) + insert + current.slice(offset + remove);
        }, printModel(one).text);
        const parsed = parseOnnxText(broken);
        checkDocument(broken, parsed.document);
        checkAlignment(parsed.model, parsed.document);
        for (const { anchor } of parsed.issues) checkSpan(anchor.span, broken.length + 1);
        if (parsed.model !== undefined) printModel(parsed.model);
      }),
      { seed, numRuns: 250 },
    );
  });

  it('any sequence of words is read to its end', () => {
    const word = fc.constantFrom(
      ...'< > ( ) [ ] { } , : = => . ? @ # " \n 3 -1 1e5 inf float seq( map x "s" y=A(x) g()=>(){ ir_version:'.split(
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const soup = words.join(' ');
        const parsed = parseOnnxText(soup);
        checkDocument(soup, parsed.document);
        checkAlignment(parsed.model, parsed.document);
        if (parsed.model === undefined) expect(hasErrors(parsed.issues)).toBe(true);
      }),
      { seed, numRuns: 1000 },
    );
  });
});

/** What stays when payloads are elided. */
function structureOf(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, item: unknown) => {
      if (key === 'payload') return undefined;
      if (typeof item === 'bigint') return `${item}n`;
      return item instanceof Uint8Array ? [...item] : item;
    }) ?? 'null',
  );
}

function checkDocument(source: string, document: SyntaxDocument): void {
  let end = 0;
  for (const token of document.tokens) {
    expect(token.start).toBeGreaterThanOrEqual(end);
    expect(token.end).toBeGreaterThan(token.start);
    end = token.end;
  }
  expect(end).toBeLessThanOrEqual(source.length);
  let start = -1;
  for (const place of document.nodes) {
    expect(place.span[0]).toBeGreaterThan(start);
    start = place.span[0];
    checkSpan(place.span, source.length);
    for (const part of [...place.inputs, ...place.outputs, ...place.attributes]) checkName(source, part);
    const graphSpan = document.graphs[place.graphIndex]?.fullSpan;
    expect(graphSpan?.[0]).toBeLessThanOrEqual(place.span[0]);
    expect(graphSpan?.[1]).toBeGreaterThanOrEqual(place.span[1]);
  }
  for (const place of document.graphs) {
    checkSpan(place.fullSpan, source.length);
    checkSpan(place.bodySpan, source.length);
    for (const part of [...place.inputs, ...place.outputs, ...place.valueInfo, ...place.initializers])
      checkName(source, part);
  }
}

function checkName(source: string, { name: written, span }: SyntaxName): void {
  checkSpan(span, source.length);
  const there = source.slice(...span);
  if (there === '') expect(written).toBe('');
  else if (there.startsWith('"')) expect(there.replace(/\\([\s\S])/g, '$1')).toContain(written);
  else expect(there).toBe(written);
}

function checkSpan(span: readonly [number, number] | undefined, length: number): void {
  expect(span).toBeDefined();
  const [start, end] = span ?? [-1, -1];
  expect(start).toBeGreaterThanOrEqual(0);
  expect(end).toBeGreaterThanOrEqual(start);
  expect(end).toBeLessThanOrEqual(length);
}

/** Every node of the document is the node of the same place in the model, and the other way round. */
function checkAlignment(one: ModelProto | undefined, document: SyntaxDocument): void {
  if (one === undefined) return;
  const main: [GraphProto | FunctionProto | undefined, number][] = [
    [one.graph, document.graphs.findIndex((place) => place.kind === 'graph' && place.parent < 0)],
    ...one.functions.map((each, index): [FunctionProto, number] => [
      each,
      document.graphs.findIndex((place) => place.functionIndex === index),
    ]),
  ];
  for (const [holder, index] of main) {
    const places = document.nodes.filter((place) => place.graphIndex === index);
    expect(places.map((place) => [place.nodeIndex, place.opType])).toEqual(
      (holder?.nodes ?? []).map((each, position) => [position, each.opType]),
    );
  }
}
