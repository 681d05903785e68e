/**
 * Writes the chosen activation quantizers into a graph: QuantizeLinear and DequantizeLinear per tensor, readers moved
 * to the dequantized value, Relu and Clip removed where the codes imply them.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInitializer, addNode, addValue, removeNode, replaceNode, setInput } from '../graph/edit';
import type { Graph, Node, Use, Value } from '../graph/ir';
import type { Tensor } from '../graph/tensor';
import { type StorageType, storageBits } from '../methods/targets';
import { parametersFor, type QuantParameters, quantizeValue } from '../numerics/affine';
import { formatName, type QuantScheme } from '../numerics/scheme';
import {
  type ActivationLayer,
  type ActivationSelection,
  dataInputs,
  type TensorFormat,
  type TensorQuantizer,
} from './activations';
import {
  addDequantize,
  addQuantize,
  addQuantizer,
  addSimple,
  codeTensor,
  linearInit,
  nodeName,
  type QuantizerValues,
} from './emit';

/** A layer whose input needs a DequantizeLinear of its own, with one (equal) scale per channel along `axis`. */
export interface GuardedInput {
  readonly axis: number;
  readonly channels: number;
}

/** A tensor as codes and as the real numbers they stand for. */
interface Pair {
  readonly name: string;
  readonly codes: Value;
  readonly quantizer: QuantizerValues;
  readonly real: Value;
}

export class ActivationWriter {
  private readonly quantizers = new Map<string, QuantizerValues>();
  private readonly constants = new Map<string, Value>();
  private readonly primary = new Map<Value, QuantScheme>();

  /**
   * @param readers the layers, with the nodes that read their inputs now.
   * @param guarded layers that must not find one scale in front of them, see `TargetFacts.requantized`.
   */
  constructor(
    private readonly graph: Graph,
    private readonly selection: ActivationSelection,
    private readonly readers: readonly ActivationLayer[],
    private readonly guarded: ReadonlyMap<Node, GuardedInput>,
    private readonly opset: number,
  ) {
    for (const { value, formats } of selection.tensors) {
      const first = formats[0];
      if (first) this.primary.set(value, first.scheme);
    }
  }

  write(): void {
    for (const node of this.selection.integerNodes) this.quantizeConstants(node);
    for (const tensor of this.selection.tensors) this.writeTensor(tensor);
  }

  private writeTensor(tensor: TensorQuantizer): void {
    const { value, formats, exclusive, absorbed } = tensor;
    const [first, ...others] = formats;
    if (!first) return;
    const uses = this.usesByFormat(tensor);
    const raw = absorbed ? defined(absorbed.input(0), 'input of the activation function') : value;
    const main =
      exclusive && this.graph.isOutput(value)
        ? this.writeOutput(tensor, first)
        : this.writePair(tensor, first, raw, absorbed ?? this.after(raw));
    this.redirect(uses, first, main);
    for (const other of others) {
      const source = exclusive ? main.real : raw;
      this.redirect(uses, other, this.writePair(tensor, other, source, this.after(source)));
    }
    if (absorbed?.graph && value.uses.length === 0 && !this.graph.isOutput(value)) removeNode(absorbed);
  }

  private writePair(
    tensor: TensorQuantizer,
    format: TensorFormat,
    source: Value,
    before: Node | undefined,
  ): Pair {
    const quantizer = this.quantizerOf(tensor, format);
    const name = nameOf(tensor, format);
    const codes = this.quantized(tensor, format, source, before);
    return {
      name,
      codes,
      quantizer,
      real: addDequantize(this.graph, name, codes, quantizer, this.opset, before),
    };
  }

  /** Moves readers to the dequantized value; guarded layers get a node of their own with a scale per channel. */
  private redirect(uses: ReadonlyMap<string, readonly Use[]>, format: TensorFormat, pair: Pair): void {
    const own = new Map<string, Value>();
    for (const { node, index } of uses.get(formatName(format.scheme)) ?? []) {
      const guarded = index === 0 ? this.guarded.get(node) : undefined;
      if (!guarded) {
        if (node.input(index) !== pair.real) setInput(node, index, pair.real);
        continue;
      }
      const key = `${guarded.axis} ${guarded.channels}`;
      const known = own.get(key) ?? this.perChannel(pair, format, guarded);
      own.set(key, known);
      setInput(node, index, known);
    }
  }

  private perChannel(
    { name, codes, quantizer }: Pair,
    { parameters }: TensorFormat,
    guarded: GuardedInput,
  ): Value {
    const { axis, channels } = guarded;
    const scales = new Float32Array(channels).fill(parameters.scale);
    const zeroPoints = new Int32Array(channels).fill(parameters.zeroPoint);
    const layout = { axis, shape: [channels] };
    const repeated = addQuantizer(this.graph, `${name}_channels`, quantizer.type, scales, zeroPoints, layout);
    return addDequantize(this.graph, `${name}_channels`, codes, repeated, this.opset, this.after(codes));
  }

  /** Uses of the tensor that will read codes, by format. An exclusive tensor has no other readers. */
  private usesByFormat({ value, formats, exclusive }: TensorQuantizer): ReadonlyMap<string, readonly Use[]> {
    const first = formats[0];
    const uses = new Map<string, Use[]>();
    for (const use of value.uses) {
      const layer = this.readers.find((one) => one.node === use.node && one.input === value);
      const integer = this.selection.integerNodes.has(use.node) && dataInputs(use.node).includes(value);
      const scheme = layer?.scheme ?? (integer || exclusive ? first?.scheme : undefined);
      if (scheme === undefined) continue;
      const name = formatName(scheme);
      const list = uses.get(name);
      if (list) list.push(use);
      else uses.set(name, [use]);
    }
    return uses;
  }

  /** QuantizeLinear, and Clip on the codes where the format has fewer of them than its type. */
  private quantized(
    tensor: TensorQuantizer,
    format: TensorFormat,
    source: Value,
    before: Node | undefined,
  ): Value {
    const name = nameOf(tensor, format);
    const quantizer = this.quantizerOf(tensor, format);
    const codes = addQuantize(this.graph, name, source, quantizer, this.opset, before);
    // A tensor that shares its scale holds codes that were limited before they moved.
    const limited = tensor.sharedWith !== undefined && format === tensor.formats[0];
    return limited ? codes : this.limited(name, codes, quantizer.type, format, before);
  }

  private limited(
    name: string,
    codes: Value,
    type: StorageType,
    { scheme, parameters }: TensorFormat,
    before: Node | undefined,
  ): Value {
    if (scheme.bits >= storageBits[type]) return codes;
    const bound = (what: string, code: number) =>
      addInitializer(this.graph, `${name}_code_${what}`, codeTensor(type, [], [code]));
    const lowest = scheme.signed || parameters.codeMin > 0 ? bound('min', parameters.codeMin) : undefined;
    const inputs = [codes, lowest, bound('max', parameters.codeMax)];
    const clipped = addSimple(this.graph, 'Clip', `${name}_codes`, inputs, before);
    clipped.elementType = DataTypeCode[type];
    return clipped;
  }

  /**
   * Makes DequantizeLinear the producer of a graph output, so that its name stays. Without an absorbed node the
   * producer is rebuilt under another output name in front of it.
   */
  private writeOutput(tensor: TensorQuantizer, format: TensorFormat): Pair {
    const { value, absorbed } = tensor;
    const { name } = value;
    const quantizer = this.quantizerOf(tensor, format);
    const old = absorbed ?? defined(value.producer, 'producer of an exclusive output');
    const raw = absorbed
      ? defined(absorbed.input(0), 'input of the activation function')
      : this.renamed(old, value);
    const codes = this.quantized(tensor, format, raw, old);
    replaceNode(old, {
      name: nodeName(this.graph, `${name}_DequantizeLinear`),
      opType: 'DequantizeLinear',
      inputs: [codes, quantizer.scale, quantizer.zeroPoint],
      ...linearInit(quantizer, this.opset),
    });
    return { name, codes, quantizer, real: value };
  }

  /** A copy of the node in front of it, whose output has another name. */
  private renamed(node: Node, value: Value): Value {
    const { name, opType, domain, overload, inputs, attributes, fileIndex } = node;
    const raw = addValue(this.graph, `${value.name}_QuantizeLinear_Input`, value.elementType, value.shape);
    const init = { name, opType, domain, overload, inputs, attributes, fileIndex, outputs: [raw] };
    addNode(this.graph, init, node).extra = node.extra;
    return raw;
  }

  /** Scale and zero point of a tensor in one format; tensors that share a scale share the constants. */
  private quantizerOf(tensor: TensorQuantizer, { scheme, parameters }: TensorFormat): QuantizerValues {
    const owner =
      formatName(scheme) === formatName(tensor.formats[0]?.scheme ?? scheme)
        ? (tensor.sharedWith ?? tensor.value)
        : tensor.value;
    return this.quantizer(owner, scheme, parameters);
  }

  private quantizer(value: Value, scheme: QuantScheme, parameters: QuantParameters): QuantizerValues {
    const key = `${formatName(scheme)} ${value.name}`;
    const known = this.quantizers.get(key);
    if (known) return known;
    const type: StorageType = `${scheme.signed ? 'int' : 'uint'}${scheme.bits <= 8 ? 8 : 16}`;
    const scale = Float32Array.of(parameters.scale);
    const made = addQuantizer(this.graph, value.name, type, scale, [parameters.zeroPoint], { shape: [] });
    this.quantizers.set(key, made);
    return made;
  }

  /** A scalar operand of integer arithmetic as one code: its range ends at the value, so the value is exact. */
  private quantizeConstants(node: Node): void {
    const inputs = dataInputs(node);
    const scheme = inputs.map((input) => this.primary.get(input)).find((one) => one !== undefined);
    if (scheme === undefined) return;
    node.inputs.forEach((input, index) => {
      if (!input?.tensor || !inputs.includes(input)) return;
      const key = `${formatName(scheme)} ${input.name}`;
      const known = this.constants.get(key) ?? this.quantizedConstant(input, input.tensor, scheme, node);
      this.constants.set(key, known);
      setInput(node, index, known);
    });
  }

  private quantizedConstant(input: Value, tensor: Tensor, scheme: QuantScheme, before: Node): Value {
    const number = tensor.toFloat32().value?.[0] ?? 0;
    const parameters = parametersFor({ min: Math.min(number, 0), max: Math.max(number, 0) }, scheme);
    const quantizer = this.quantizer(input, scheme, parameters);
    const code = codeTensor(quantizer.type, tensor.shape, [quantizeValue(number, parameters)]);
    const stored = addInitializer(this.graph, `${input.name}_quantized`, code);
    return addDequantize(this.graph, input.name, stored, quantizer, this.opset, before);
  }

  /** Node in front of which something that reads `value` may stand: right behind its producer. */
  private after(value: Value): Node | undefined {
    return value.producer ? this.afterNode(value.producer) : this.graph.nodes[0];
  }

  private afterNode(node: Node | undefined): Node | undefined {
    return node ? this.graph.nodes[this.graph.nodes.indexOf(node) + 1] : this.graph.nodes[0];
  }
}

/** Further formats of a tensor carry their name: `<t>_uint4_QuantizeLinear`. */
function nameOf({ value, formats }: TensorQuantizer, format: TensorFormat): string {
  const { signed, bits } = format.scheme;
  return format === formats[0] ? value.name : `${value.name}_${signed ? 'int' : 'uint'}${bits}`;
}
