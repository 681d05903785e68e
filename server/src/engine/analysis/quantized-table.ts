/**
 * Codes of tables that are looked up: com.microsoft GatherBlockQuantized (blocks along each row, two 4-bit codes in a
 * byte; onnxruntime ContribOperators.md), and Gather on codes whose scale stands behind it, at a DequantizeLinear or an
 * operator on codes, as onnxruntime's quantization writes it.
 */
import { dataTypeByCode } from '../base/dtype';
import { unpackUnsigned } from '../base/pack';
import { codeReader } from '../graph/code-readers';
import type { Layer } from '../graph/layers';
import { elementsOf, type Tensor } from '../graph/tensor';
import type { QuantizedWeight } from './quantized-weight';

/** Opens the codes of a table; `undefined` for float tables and layouts other than rows. */
export function quantizedTable(layer: Layer): QuantizedWeight | undefined {
  if (layer.shape.length !== 2 || layer.channelAxis !== 0 || layer.through.length > 0) return undefined;
  return layer.op === 'com.microsoft.GatherBlockQuantized' ? blockTable(layer) : plainTable(layer);
}

function blockTable(layer: Layer): QuantizedWeight | undefined {
  const { node, shape } = layer;
  const [rows = 0, width = 0] = shape;
  const type = dataTypeByCode(layer.tensor.dataType)?.name;
  const axis = node.int('quantize_axis', 1);
  const packed = type === 'uint8';
  if ((axis !== 1 && axis !== -1) || (!packed && type !== 'int4' && type !== 'uint4')) return undefined;
  const bits = packed ? node.int('bits', 4) : 4;
  const block = node.int('block_size', 128);
  const blocks = Math.ceil(width / Math.max(1, block));
  const codes = elementsOf(layer.tensor).value;
  const scales = floats(node.input(2)?.tensor);
  if (!codes || !scales || scales.length !== rows * blocks) return undefined;
  const zeroTensor = node.input(3)?.tensor;
  const zeros = zeroTensor && elementsOf(zeroTensor).value;
  return {
    form: 'blocked-qdq',
    bits,
    signed: type === 'int4',
    granularity: blocks === 1 ? 'channel' : 'group',
    groupSize: blocks === 1 ? undefined : block,
    channels: rows,
    perChannel: width,
    scales,
    zeroPoints: zeros && rowsOf(zeros, packed, rows, blocks, bits),
    defaultZero: type === 'int4' ? 0 : 2 ** (bits - 1),
    read: (channel, into, parameters) => {
      const row = rowOf(codes, packed, channel, width, bits);
      for (let k = 0; k < width; k++) {
        into[k] = Number(row[k]);
        parameters[k] = channel * blocks + Math.floor(k / block);
      }
    },
  };
}

/** Codes that Gather picks; who reads them has one scale. */
function plainTable(layer: Layer): QuantizedWeight | undefined {
  const reader = codeReader(layer.node.output());
  const type = dataTypeByCode(layer.tensor.dataType);
  const codes = elementsOf(layer.tensor).value;
  const scales = floats(reader?.scale.tensor);
  if (!codes || !type || scales?.length !== 1) return undefined;
  const [rows = 0, width = 0] = layer.shape;
  return {
    form: reader?.node.opType === 'DequantizeLinear' ? 'qdq' : 'qoperator',
    bits: type.bits,
    signed: type.kind === 'int',
    granularity: 'tensor',
    groupSize: undefined,
    channels: rows,
    perChannel: width,
    scales,
    zeroPoints: floats(reader?.zeroPoint?.tensor),
    defaultZero: 0,
    read: (channel, into, parameters) => {
      for (let k = 0; k < width; k++) {
        into[k] = Number(codes[channel * width + k]);
        parameters[k] = 0;
      }
    },
  };
}

type Codes = ArrayLike<number | bigint>;

/** One row of codes; packed ones start at a whole byte. */
function rowOf(codes: Codes, packed: boolean, row: number, width: number, bits: number): Codes {
  if (!packed || !(codes instanceof Uint8Array))
    return Array.from({ length: width }, (_, k) => codes[row * width + k] ?? 0);
  const bytes = Math.ceil((width * bits) / 8);
  return unpackUnsigned(codes.subarray(row * bytes, (row + 1) * bytes), width, bits);
}

function rowsOf(codes: Codes, packed: boolean, rows: number, width: number, bits: number): Int32Array {
  const all = new Int32Array(rows * width);
  for (let row = 0; row < rows; row++)
    all.set(Array.from(rowOf(codes, packed, row, width, bits), Number), row * width);
  return all;
}

function floats(tensor: Tensor | undefined): Float32Array | undefined {
  return tensor?.toFloat32().value;
}
