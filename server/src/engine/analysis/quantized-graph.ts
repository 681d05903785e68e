/**
 * What the graph of an already quantized model tells: quantizers between an operator and its activation function,
 * operands of different scale, tensors on which 0 is not 0, operators of one runtime. Structure and scales of whole
 * tensors alone; no weight is read. Sources: Krishnamoorthi 2018 (arXiv 1806.08342) 3.2.1; ONNX QuantizeLinear.
 */
import type { QuantizedModelFacts } from '../../protocol/reports';
import type { Model, Node, Value } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { opFacts } from '../graph/ops';
import { scalarOf } from '../graph/tensor';
import { allNodes } from '../graph/walk';
import { sourceOf } from './activation-taps';
import { JOINING } from './joined-activations';
import { onlyConsumer, type Parameters, parametersOf } from './quantizers';

/** Functions that are computed by clipping the output of the operator before them. */
const ACTIVATIONS: ReadonlySet<string> = new Set(['Relu', 'Clip']);

/** Facts of a model's graph; `undefined` when nothing in it is quantized. */
export function quantizedGraphFacts(model: Model): QuantizedModelFacts | undefined {
  const nodes = [...allNodes(model.graph)];
  if (!nodes.some((node) => opFacts(node).quantized)) return undefined;
  const contrib = nodes.some((node) => node.domain === 'com.microsoft' && opFacts(node).quantized);
  return {
    ...(contrib ? { target: 'ort-cpu' as const } : {}),
    quantizers: nodes.filter((node) => node.opType === 'QuantizeLinear' && !node.input(0)?.tensor).length,
    separated: nodes.flatMap(separated),
    operands: withReaders(model, nodes.flatMap(operandScales)),
    zeros: nodes.flatMap(lostZeros),
    ...withoutKernel(nodes),
  };
}

/** Operators that onnxruntime leaves in float between quantizers, whatever their scales. */
const FLOAT_ONLY: ReadonlySet<string> = new Set(['ConvTranspose', 'InstanceNormalization']);

/** What is known to stay float without running anything; an optimised graph tells more and replaces it. */
function withoutKernel(nodes: readonly Node[]): Pick<QuantizedModelFacts, 'unfused'> {
  const found = nodes.filter(
    (node) =>
      FLOAT_ONLY.has(node.op) &&
      node.input(0)?.producer?.opType === 'DequantizeLinear' &&
      onlyConsumer(node.output())?.opType === 'QuantizeLinear',
  );
  if (found.length === 0) return {};
  return { unfused: found.map((node) => ({ node: node.label, op: node.opType, reason: 'no-kernel' })) };
}

/** An activation function that reads what a quantizer made of the operator it belongs to. */
function separated(node: Node): QuantizedModelFacts['separated'] {
  if (!ACTIVATIONS.has(node.op)) return [];
  const dequantize = onlyProducer(node.input(0));
  if (dequantize?.opType !== 'DequantizeLinear') return [];
  const source = dequantize.input(0)?.producer;
  // QLinearConv and its relatives quantize their own output.
  const maker = source?.opType === 'QuantizeLinear' ? onlyProducer(source.input(0)) : source;
  if (!maker || !computes(maker)) return [];
  return [{ node: maker.label, op: maker.opType, activation: node.label }];
}

function computes(node: Node): boolean {
  return opFacts(node).weight !== undefined || ADDITIONS.has(node.op);
}

const ADDITIONS: ReadonlySet<string> = new Set(['Add', 'Sum', 'com.microsoft.QLinearAdd']);

type Operands = QuantizedModelFacts['operands'][number];

/** Each operator with the layers that its result meets next. */
function withReaders(
  model: Model,
  joins: readonly (Operands & { readonly at: Node })[],
): QuantizedModelFacts['operands'] {
  if (joins.length === 0) return [];
  const readers = new Map<Node, string[]>();
  for (const { name, node, activationInput, lookup } of listLayers(model)) {
    const maker = lookup ? undefined : makerOf(node.input(activationInput));
    if (maker) readers.set(maker, [...(readers.get(maker) ?? []), name]);
  }
  return joins.map(({ at, ...one }) => ({ ...one, readers: readers.get(at) ?? [] }));
}

/** What computes a value, seen through quantizers, operators that move it and activation functions that clip it. */
function makerOf(value: Value | undefined): Node | undefined {
  let maker = value && sourceOf(value).producer;
  while (maker && (isQuantizer(maker) || opFacts(maker).fusedActivation === true)) {
    const input = maker.input(0);
    maker = input && sourceOf(input).producer;
  }
  return maker;
}

function isQuantizer({ opType }: Node): boolean {
  return opType === 'QuantizeLinear' || opType === 'DequantizeLinear';
}

/** Scales of all operands, when every one is quantized and they are not all the same. */
function operandScales(node: Node): readonly (Operands & { readonly at: Node })[] {
  const scales = joinedScales(node);
  if (!scales || scales.length < 2 || scales.every((scale) => scale === scales[0])) return [];
  return [{ node: node.label, op: node.opType, scales, at: node }];
}

function joinedScales(node: Node): readonly number[] | undefined {
  if (node.op === 'com.microsoft.QLinearAdd') return all([1, 4].map((at) => constant(node.input(at))));
  if (node.op === 'com.microsoft.QLinearConcat') {
    const positions = node.inputs.map((_, index) => index).filter((index) => index >= 2 && index % 3 === 0);
    return all(positions.map((at) => constant(node.input(at))));
  }
  if (!JOINING.has(node.op)) return undefined;
  // The condition of Where is no operand.
  const operands = node.op === 'Where' ? node.inputs.slice(1) : node.inputs;
  return all(
    operands.map((value) => {
      const dequantize = value?.producer;
      // Constants are quantized by their own range; what matters is where two activations meet.
      if (dequantize?.opType !== 'DequantizeLinear' || dequantize.input(0)?.tensor) return undefined;
      return constant(dequantize.input(1));
    }),
  );
}

function constant(value: Value | undefined): number | undefined {
  return value?.tensor && scalarOf(value.tensor);
}

function all(values: readonly (number | undefined)[]): readonly number[] | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === values.length ? known : undefined;
}

/** Pairs whose halves disagree about 0, and codes padded with another number than 0's code. */
function lostZeros(node: Node): QuantizedModelFacts['zeros'] {
  if (node.opType === 'DequantizeLinear') return pairZero(node);
  if (node.op === 'Pad') return paddedZero(node);
  return [];
}

function pairZero(node: Node): QuantizedModelFacts['zeros'] {
  const quantize = node.input(0)?.producer;
  if (quantize?.opType !== 'QuantizeLinear') return [];
  const first = parametersOf(quantize.input(1), quantize.input(2));
  const second = parametersOf(node.input(1), node.input(2));
  if (!first || !second || first.zeroPoint === second.zeroPoint) return [];
  const becomes = (first.zeroPoint - second.zeroPoint) * second.scale;
  return [{ node: node.label, tensor: quantize.input(0)?.name ?? '', becomes, because: 'pair' }];
}

/** Pad on codes: the number it adds is a code, 0 when none is given. */
function paddedZero(node: Node): QuantizedModelFacts['zeros'] {
  const codes = node.input(0);
  const parameters = codesOf(codes) ?? readerOf(node.output());
  if (!codes || !parameters || node.string('mode', 'constant') !== 'constant') return [];
  const stated = node.input(2);
  const code = stated ? constant(stated) : node.float('value', 0);
  if (code === undefined || code === parameters.zeroPoint) return [];
  const becomes = (code - parameters.zeroPoint) * parameters.scale;
  return [{ node: node.label, tensor: codes.name, becomes, because: 'padding' }];
}

/** Parameters of codes by the QuantizeLinear that makes them. */
function codesOf(value: Value | undefined): Parameters | undefined {
  const quantize = value?.producer;
  return quantize?.opType === 'QuantizeLinear'
    ? parametersOf(quantize.input(1), quantize.input(2))
    : undefined;
}

/** Parameters of codes by the operator that reads them. */
function readerOf(value: Value | undefined): Parameters | undefined {
  const reader = onlyConsumer(value);
  if (reader?.opType === 'DequantizeLinear' || reader?.op === 'QLinearConv')
    return parametersOf(reader.input(1), reader.input(2));
  return undefined;
}

/** The node that makes a value which nobody else reads. */
function onlyProducer(value: Value | undefined): Node | undefined {
  return value?.uses.length === 1 ? value.producer : undefined;
}
