/**
 * Writes the chosen activation quantizers into a graph: QuantizeLinear and DequantizeLinear per tensor, readers moved
 * to the dequantized value, Relu and Clip removed where the codes imply them.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInitializer, addNode, addValue, removeNode, replaceNode, setInput } from '../graph/edit';
import type { Graph, Node, Use, Value } from '../graph/ir';
import { type StorageType, storageBits } from '../methods/targets';
import { parametersFor, type QuantParameters, quantizeValue } from '../numerics/affine';
import { formatName, type QuantScheme } from '../numerics/scheme';
import {
  type ActivationLayer,
  type ActivationSelection,
  dataInputs,
  type TensorQuantizer,
} from './activations';
import {
  addDequantize,
  addQuantize,
  addQuantizer,
  addSimple,
  codeTensor,
  linearInit,
  type QuantizerValues,
} from './emit';

export class ActivationWriter {
  private readonly quantizers = new Map<string, QuantizerValues>();
  private readonly primary = new Map<Value, QuantScheme>();

  /** @param readers the layers, with the nodes that read their inputs now. */
  constructor(
    private readonly graph: Graph,
    private readonly selection: ActivationSelection,
    private readonly readers: readonly ActivationLayer[],
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
    const isOutput = exclusive && this.graph.isOutput(value);
    const raw = absorbed ? defined(absorbed.input(0), 'input of the activation function') : value;
    const codes =
      isOutput && !absorbed ? undefined : this.quantized(tensor, first, raw, absorbed ?? this.after(raw));
    let main: Value;
    if (isOutput) {
      this.dequantizeOutput(tensor, first, codes);
      main = value;
    } else {
      main = addDequantize(
        this.graph,
        value.name,
        defined(codes, 'codes'),
        this.quantizerOf(tensor, first),
        this.opset,
        absorbed ?? this.afterLast(raw, codes),
      );
    }
    for (const use of uses.get(formatName(first.scheme)) ?? []) {
      if (main !== value) setInput(use.node, use.index, main);
    }
    for (const other of others) {
      const source = exclusive ? main : raw;
      const before = this.afterNode(source.producer);
      const second = this.quantized(tensor, other, source, before);
      const output = addDequantize(
        this.graph,
        value.name,
        second,
        this.quantizerOf(tensor, other),
        this.opset,
        before,
      );
      for (const use of uses.get(formatName(other.scheme)) ?? []) setInput(use.node, use.index, output);
    }
    if (absorbed?.graph && value.uses.length === 0 && !this.graph.isOutput(value)) removeNode(absorbed);
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
    format: TensorQuantizer['formats'][number],
    source: Value,
    before: Node | undefined,
  ): Value {
    const { name } = tensor.value;
    const quantizer = this.quantizerOf(tensor, format);
    const codes = addQuantize(this.graph, name, source, quantizer, this.opset, before);
    return this.limited(name, codes, quantizer.type, format, before);
  }

  private limited(
    name: string,
    codes: Value,
    type: StorageType,
    { scheme, parameters }: TensorQuantizer['formats'][number],
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
  private dequantizeOutput(
    tensor: TensorQuantizer,
    format: TensorQuantizer['formats'][number],
    codes: Value | undefined,
  ): void {
    const { value, absorbed } = tensor;
    const quantizer = this.quantizerOf(tensor, format);
    let old = absorbed;
    let stored = codes;
    if (!old || !stored) {
      old = defined(value.producer, 'producer of an exclusive output');
      const { name, opType, domain, overload, inputs, attributes, fileIndex } = old;
      const raw = addValue(this.graph, `${value.name}_QuantizeLinear_Input`, value.elementType, value.shape);
      const copy = addNode(
        this.graph,
        { name, opType, domain, overload, inputs, attributes, fileIndex, outputs: [raw] },
        old,
      );
      copy.extra = old.extra;
      stored = this.quantized(tensor, format, raw, old);
    }
    replaceNode(old, {
      name: `${value.name}_DequantizeLinear`,
      opType: 'DequantizeLinear',
      inputs: [stored, quantizer.scale, quantizer.zeroPoint],
      ...linearInit(quantizer, this.opset),
    });
  }

  /** Scale and zero point of a tensor in one format; tensors that share a scale share the constants. */
  private quantizerOf(
    tensor: TensorQuantizer,
    { scheme, parameters }: TensorQuantizer['formats'][number],
  ): QuantizerValues {
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
      const number = input.tensor.toFloat32().value?.[0] ?? 0;
      const parameters = parametersFor({ min: Math.min(number, 0), max: Math.max(number, 0) }, scheme);
      const quantizer = this.quantizer(input, scheme, parameters);
      const code = codeTensor(quantizer.type, input.tensor.shape, [quantizeValue(number, parameters)]);
      const stored = addInitializer(this.graph, `${input.name}_quantized`, code);
      setInput(node, index, addDequantize(this.graph, input.name, stored, quantizer, this.opset, node));
    });
  }

  /** Node in front of which something that reads `value` may stand: right behind its producer. */
  private after(value: Value): Node | undefined {
    return value.producer ? this.afterNode(value.producer) : this.graph.nodes[0];
  }

  private afterLast(value: Value, codes: Value | undefined): Node | undefined {
    return codes?.producer ? this.afterNode(codes.producer) : this.after(value);
  }

  private afterNode(node: Node | undefined): Node | undefined {
    return node ? this.graph.nodes[this.graph.nodes.indexOf(node) + 1] : this.graph.nodes[0];
  }
}
