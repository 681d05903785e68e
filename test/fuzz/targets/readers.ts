/** The file readers as fuzz targets, with well-formed files of every construct they know. */
import type { ByteSource } from '../../../server/src/engine/base/byte-source';
import { fail, type Outcome, ok } from '../../../server/src/engine/base/outcome';
import { readGguf } from '../../../server/src/engine/format/gguf';
import { encodeNpy, encodeNpz, readAllRows, readNpy, readNpz } from '../../../server/src/engine/format/npy';
import { decodeModel, decodeTensor } from '../../../server/src/engine/format/onnx-decode';
import { concatChunks, encodeModel, encodeTensor } from '../../../server/src/engine/format/onnx-encode';
import { externalPayload } from '../../../server/src/engine/format/onnx-external';
import type { ModelProto, TensorProto } from '../../../server/src/engine/format/onnx-types';
import { readSafetensors } from '../../../server/src/engine/format/safetensors';
import { sniff } from '../../../server/src/engine/format/sniff';
import { readTensor, tensorToFloat32 } from '../../../server/src/engine/format/tensor-data';
import { readTensorFile } from '../../../server/src/engine/format/tensor-file';
import { convNet, floats, graph, model, node, tensor, valueInfo } from '../../fixtures/build';
import { plainGguf, plainSafetensors } from '../../fixtures/weight-files';
import type { FuzzTarget } from '../driver';

export const readerTargets: readonly FuzzTarget[] = [
  {
    name: 'onnx',
    seeds: [convNet(), everyConstruct(), wideTensors()].map((one) =>
      concatChunks(encodeModel(one).value ?? []),
    ),
    run: (source) => {
      sniff(source);
      const decoded = decodeModel(source);
      if (decoded.value === undefined) return onlyOne(decoded);
      for (const one of decoded.value.graph?.initializers ?? []) {
        const read = readTensor(one);
        if (read.value === undefined && read.issues.length === 0)
          throw new Error(`no word about ${one.name}`);
      }
      const encoded = encodeModel(decoded.value);
      if (encoded.value === undefined) throw new Error('a decoded model cannot be encoded');
      return decoded;
    },
  },
  {
    name: 'tensor',
    seeds: wideTensors().graph?.initializers.map((one) => concatChunks(encodeTensor(one).value ?? [])) ?? [],
    run: (source) => {
      const decoded = decodeTensor(source);
      if (decoded.value !== undefined) tensorToFloat32(decoded.value);
      return readTensorFile(source);
    },
  },
  { name: 'safetensors', seeds: [plainSafetensors()], run: (source) => onlyOne(readSafetensors(source)) },
  { name: 'gguf', seeds: [plainGguf()], run: (source) => readGguf(source) },
  {
    name: 'npy',
    seeds: [
      encodeNpy([2, 3], 'float', new Float32Array(6)),
      encodeNpy([5], 'int64', new BigInt64Array(5)),
      encodeNpy([], 'bool', Uint8Array.of(1)),
    ],
    run: (source) => npyRows(source),
  },
  {
    name: 'npz',
    seeds: [
      encodeNpz(
        new Map([
          ['input', encodeNpy([2, 40], 'float', new Float32Array(80))],
          ['mask', encodeNpy([2], 'int64', BigInt64Array.of(1n, 2n))],
        ]),
      ),
    ],
    run: (source) => onlyOne(readNpz(source)),
  },
];

function npyRows(source: ByteSource): Outcome<unknown> {
  const array = readNpy(source);
  if (array.value === undefined) return onlyOne(array);
  return readAllRows(array.value);
}

/** A file that cannot be used gets one clear issue. */
function onlyOne<T>(outcome: Outcome<T>): Outcome<T> {
  if (outcome.value !== undefined) return ok(outcome.value, outcome.issues);
  if (outcome.issues.length !== 1) throw new Error(`${outcome.issues.length} issues for one file`);
  return fail(...outcome.issues);
}

/** Subgraphs, sequences, maps, functions, strings, external data, sparse tensors, every attribute type. */
function everyConstruct(): ModelProto {
  const branch = graph({
    name: 'branch',
    outputs: [valueInfo('z', [1])],
    nodes: [node('Identity', ['x'], ['z'])],
  });
  const weight = tensor('w', [2, 2], [1, 2, 3, 4]);
  const strings: TensorProto = {
    name: 's',
    dims: [2],
    dataType: 8,
    payload: { kind: 'strings', values: [Uint8Array.of(97), new Uint8Array(0)] },
  };
  const sparse = { values: tensor('v', [1], [5]), indices: tensor('i', [1], [3], 'int64'), dims: [9] };
  const base = model(
    {
      inputs: [valueInfo('x', ['N', 3, undefined])],
      outputs: [
        { name: 'seq', type: { kind: 'sequence', element: { kind: 'tensor', elementType: 1 } } },
        {
          name: 'map',
          type: { kind: 'map', keyType: 7, value: { kind: 'optional', element: { kind: 'unknown' } } },
        },
        { name: 'opaque', type: { kind: 'opaque', domain: 'd', name: 'n' } },
      ],
      initializers: [weight, strings, { ...weight, name: 'e', payload: externalPayload('w.bin', 64, 16) }],
      nodes: [
        node('If', ['c'], ['y'], { then_branch: branch, else_branch: branch }),
        node('Custom', ['y', ''], ['u'], {
          int: -3,
          text: 'abc',
          ints: [1, -1],
          texts: ['a', ''],
          floats: floats([0.5, -2]),
          tensor: weight,
          graphs: { type: 'graphs', value: [branch] },
          tensors: { type: 'tensors', value: [weight] },
          sparse: { type: 'sparse-tensor', value: sparse },
          type: { type: 'type', value: { kind: 'tensor', elementType: 1, shape: [2] } },
          reference: { type: 'reference', value: 'outer', attributeType: 1 },
        }),
      ],
    },
    { opsets: [{ domain: 'com.microsoft', version: 1 }] },
  );
  return {
    ...base,
    metadataProps: [{ key: 'k', value: 'v' }],
    functions: [
      {
        name: 'f',
        domain: 'd',
        inputs: ['a'],
        outputs: ['b'],
        attributes: ['outer'],
        attributeProtos: [],
        nodes: [node('Relu', ['a'], ['b'])],
        opsetImports: [{ domain: '', version: 17 }],
      },
    ],
  };
}

/** Tensors in every kind of field, long enough to become slices. */
function wideTensors(): ModelProto {
  const typed = (
    name: string,
    dataType: number,
    payload: TensorProto['payload'],
    count: number,
  ): TensorProto => ({
    name,
    dims: [count],
    dataType,
    payload,
  });
  return model({
    outputs: [valueInfo('y', [1])],
    initializers: [
      tensor('raw', [20, 20], new Float32Array(400)),
      tensor('half', [9], new Float32Array(9).fill(1.5), 'float16'),
      tensor('nibbles', [7], [1, 2, 3, -4, 5, 6, -8], 'int4'),
      typed('floats', 1, { kind: 'typed', field: 'float_data', values: new Float32Array(300) }, 300),
      typed('doubles', 11, { kind: 'typed', field: 'double_data', values: new Float64Array(5) }, 5),
      typed('codes', 3, { kind: 'typed', field: 'int32_data', values: new Int32Array(400).fill(-2) }, 400),
      typed('longs', 7, { kind: 'typed', field: 'int64_data', values: BigInt64Array.of(-1n, 2n ** 40n) }, 2),
      typed('words', 12, { kind: 'typed', field: 'uint64_data', values: BigUint64Array.of(7n) }, 1),
    ],
    nodes: [node('Identity', ['raw'], ['y'])],
  });
}
