/**
 * Small builders shared by the exporters: constants of quantized codes, QuantizeLinear and DequantizeLinear nodes with
 * onnxruntime's names (`<t>_scale`, `<t>_zero_point`, `<t>_QuantizeLinear`, `<t>_DequantizeLinear_Output`, …).
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { packElements } from '../base/pack';
import { addInitializer, addNode, addValue } from '../graph/edit';
import type { Attribute, Graph, Node, Value } from '../graph/ir';
import { bytesOf, floatTensor, memoryTensor, type Tensor } from '../graph/tensor';
import { allNodes } from '../graph/walk';
import { quantizeDomain, type StorageType, storageBits } from '../methods/targets';

export const contribDomain = 'com.microsoft';

/** Scale and zero point as constants, shared by all nodes that use this quantizer. */
export interface QuantizerValues {
  readonly scale: Value;
  readonly zeroPoint: Value;
  readonly type: StorageType;
  /** Axis of the scales; undefined = one scale. */
  readonly axis: number | undefined;
  /** Elements along `axis` that share a scale; undefined = one. */
  readonly block?: number;
}

/** Codes, one array element each, as a tensor of `type`; sub-byte types are packed two or four to a byte. */
export function codeTensor(type: StorageType, shape: readonly number[], codes: ArrayLike<number>): Tensor {
  const bits = storageBits[type];
  const bytes = bits < 8 ? packElements(codes, bits) : wideBytes(type, codes);
  return memoryTensor(DataTypeCode[type], shape, bytes);
}

/** Constants `<name>_scale` and `<name>_zero_point`. */
export function addQuantizer(
  graph: Graph,
  name: string,
  type: StorageType,
  scales: Float32Array,
  zeroPoints: ArrayLike<number>,
  layout: { readonly axis?: number; readonly block?: number; readonly shape: readonly number[] },
): QuantizerValues {
  return {
    scale: addInitializer(graph, `${name}_scale`, floatTensor(layout.shape, scales)),
    zeroPoint: addInitializer(graph, `${name}_zero_point`, codeTensor(type, layout.shape, zeroPoints)),
    type,
    axis: layout.axis,
    block: layout.block,
  };
}

/** `<name>_QuantizeLinear`: float32 → codes, inserted before `before` (at the end when undefined). */
export function addQuantize(
  graph: Graph,
  name: string,
  input: Value,
  quantizer: QuantizerValues,
  opset: number,
  before: Node | undefined,
): Value {
  const output = addValue(graph, `${name}_QuantizeLinear_Output`, DataTypeCode[quantizer.type], input.shape);
  const inputs = [input, quantizer.scale, quantizer.zeroPoint];
  return addLinear(
    graph,
    `${name}_QuantizeLinear`,
    'QuantizeLinear',
    inputs,
    output,
    quantizer,
    opset,
    before,
  );
}

/** `<name>_DequantizeLinear`: codes → float32. */
export function addDequantize(
  graph: Graph,
  name: string,
  codes: Value,
  quantizer: QuantizerValues,
  opset: number,
  before: Node | undefined,
): Value {
  const output = addValue(graph, `${name}_DequantizeLinear_Output`, DataTypeCode.float, codes.shape);
  const inputs = [codes, quantizer.scale, quantizer.zeroPoint];
  return addLinear(
    graph,
    `${name}_DequantizeLinear`,
    'DequantizeLinear',
    inputs,
    output,
    quantizer,
    opset,
    before,
  );
}

/** Operator, domain and attributes of a Q or DQ node for {@link QuantizerValues}, where a node is replaced by it. */
export function linearInit(quantizer: QuantizerValues, opset: number) {
  const scales = quantizer.block !== undefined ? 'blocks' : quantizer.axis === undefined ? 'tensor' : 'axis';
  const attributes: [string, Attribute][] = [];
  if (quantizer.axis !== undefined) attributes.push(['axis', integer(quantizer.axis)]);
  if (quantizer.block !== undefined) attributes.push(['block_size', integer(quantizer.block)]);
  return { domain: quantizeDomain(quantizer.type, scales, opset), attributes };
}

const usedNames = new WeakMap<Graph, Set<string>>();

/** A node name that no other node of the model has: runtimes refuse the second. */
export function nodeName(graph: Graph, base: string): string {
  let root = graph;
  while (root.parent) root = root.parent;
  const used = usedNames.get(root) ?? new Set([...allNodes(root)].map((node) => node.name));
  usedNames.set(root, used);
  let name = base;
  for (let count = 2; used.has(name); count++) name = `${base}_${count}`;
  used.add(name);
  return name;
}

/** INT attribute. */
export function integer(value: number): Attribute {
  return { type: 'int', value: BigInt(value) };
}

/** INTS attribute. */
export function integers(values: readonly number[]): Attribute {
  return { type: 'ints', value: values.map(BigInt) };
}

/** A node with one output, inserted before `before`. */
export function addSimple(
  graph: Graph,
  opType: string,
  name: string,
  inputs: readonly (Value | undefined)[],
  before: Node | undefined,
  attributes: readonly (readonly [string, Attribute])[] = [],
  domain = '',
): Value {
  const node = addNode(
    graph,
    { name, opType, domain, inputs, outputs: [`${name}_Output`], attributes },
    before,
  );
  return defined(node.output(), `output of ${name}`);
}

function addLinear(
  graph: Graph,
  name: string,
  opType: string,
  inputs: readonly Value[],
  output: Value,
  quantizer: QuantizerValues,
  opset: number,
  before: Node | undefined,
): Value {
  addNode(
    graph,
    { name: nodeName(graph, name), opType, inputs, outputs: [output], ...linearInit(quantizer, opset) },
    before,
  );
  return output;
}

function wideBytes(type: StorageType, codes: ArrayLike<number>): Uint8Array {
  switch (type) {
    case 'int8':
      return bytesOf(codes instanceof Int8Array ? codes : Int8Array.from(codes));
    case 'int16':
      return bytesOf(codes instanceof Int16Array ? codes : Int16Array.from(codes));
    case 'uint16':
      return bytesOf(codes instanceof Uint16Array ? codes : Uint16Array.from(codes));
    default:
      return codes instanceof Uint8Array ? codes : Uint8Array.from(codes);
  }
}
