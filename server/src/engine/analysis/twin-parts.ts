/**
 * Parts of a quantized network rebuilt inside the float network's graph: its constants with the nodes that
 * dequantize them, one layer on a chosen activation, one activation's quantizer on the float activation.
 */
import { defined } from '../base/invariant';
import { cloneNode } from '../graph/clone';
import { addInitializer, addNode, addValue } from '../graph/edit';
import type { Graph, Node, Value } from '../graph/ir';
import { activationParameters } from './expand-qoperator';
import type { LayerEnds, LayerPair } from './shadow';

/** Copies constants of other graphs into one graph when they are asked for, each once. */
export class ConstantCopies {
  private readonly copies = new Map<Value, Value | undefined>();

  constructor(
    private readonly graph: Graph,
    private readonly prefix: string,
  ) {}

  /** The copy of a constant or of what is computed from constants alone; `undefined` for everything else. */
  of(value: Value): Value | undefined {
    if (this.copies.has(value)) return this.copies.get(value);
    const copy = this.make(value);
    this.copies.set(value, copy);
    return copy;
  }

  private make(value: Value): Value | undefined {
    if (value.tensor) return addInitializer(this.graph, this.prefix + value.name, value.tensor);
    const node = value.producer;
    if (!node || node.subgraphs.length > 0) return undefined;
    const inputs = new Map<Value, Value>();
    for (const input of node.inputs) {
      const copy = input && this.of(input);
      if (input && !copy) return undefined;
      if (input && copy) inputs.set(input, copy);
    }
    cloneNode(this.graph, node, this.prefix, inputs);
    for (const output of node.outputs) this.copies.set(output, inputs.get(output));
    return inputs.get(value);
  }
}

/** The activation that a layer reads. */
export function activationOf(ends: LayerEnds): Value | undefined {
  return ends.chain[0]?.input(ends.activationInput);
}

/**
 * A quantized layer's chain on another activation. What else it reads of the network (states, masks) is read from the
 * float layer's place in `graph`.
 * @returns its output; `undefined` when the float layer reads something else there.
 */
export function rerunQuantized(
  graph: Graph,
  { quantized: ends, float }: Pick<LayerPair, 'quantized' | 'float'>,
  input: Value,
  constants: ConstantCopies,
  prefix: string,
): Value | undefined {
  const activation = activationOf(ends);
  if (!activation) return undefined;
  const map = new Map<Value, Value>([[activation, input]]);
  const made = new Set(ends.chain.flatMap((node) => node.outputs));
  const [reader] = ends.chain;
  const [place] = float.chain;
  for (const value of ends.chain.flatMap((node) => node.inputs)) {
    if (!value || map.has(value) || made.has(value)) continue;
    const beside = reader?.op === place?.op ? place?.input(reader?.inputs.indexOf(value) ?? -1) : undefined;
    const copy = constants.of(ends.exact?.get(value) ?? value) ?? beside;
    if (!copy) return undefined;
    map.set(value, copy);
  }
  for (const node of ends.chain) cloneNode(graph, node, prefix, map);
  return map.get(ends.output);
}

/**
 * One node of the graph itself with other inputs at some positions (`undefined` = left out).
 * @returns what it makes in place of `output`, by default of its first.
 */
export function rerunNode(
  graph: Graph,
  node: Node,
  inputs: Readonly<Record<number, Value | undefined>>,
  prefix: string,
  output = node.output(),
): Value {
  const positions = Math.max(node.inputs.length, ...Object.keys(inputs).map((index) => Number(index) + 1));
  const changed = Array.from({ length: positions }, (_, index) =>
    index in inputs ? inputs[index] : node.input(index),
  );
  while (changed.length > 0 && changed.at(-1) === undefined) changed.pop();
  const copy = addNode(graph, {
    name: '',
    opType: node.opType,
    domain: node.domain,
    inputs: changed,
    outputs: node.outputs.map(({ name }) => (name === '' ? '' : addValue(graph, prefix + name))),
    attributes: node.attributes,
  });
  return defined(copy.output(output ? node.outputs.indexOf(output) : 0), 'output of a copy');
}

/** A float activation after quantization: as the quantized layer reads it, and as real numbers. */
export interface QuantizedActivation {
  readonly forLayer: Value;
  readonly real: Value;
}

/**
 * The float activation through the quantizer that stands before the quantized layer; `undefined` when the layer reads
 * real numbers. Codes that were limited stay limited.
 */
export function quantizeActivation(
  graph: Graph,
  pair: LayerPair,
  exact: Value,
  constants: ConstantCopies,
  prefix: string,
): QuantizedActivation | undefined {
  const [reader] = pair.quantized.chain;
  const twin = activationOf(pair.quantized);
  if (twin && pair.quantized.exact?.has(twin)) return undefined;
  const own = reader && activationParameters(reader);
  if (own) return quantizeForInteger(graph, own, exact, constants, prefix);
  const dequantize = twin?.producer;
  if (dequantize?.opType !== 'DequantizeLinear') return undefined;
  const path = codePath(dequantize);
  const map = new Map<Value, Value>();
  for (const value of [dequantize, ...path].flatMap((node) => node.inputs.slice(1))) {
    const copy = value && constants.of(value);
    if (value && !copy) return undefined;
    if (value && copy) map.set(value, copy);
  }
  let codes: Value;
  const [quantize, ...limits] = path;
  if (quantize) {
    map.set(defined(quantize.input(0), 'input of QuantizeLinear'), exact);
    for (const node of [quantize, ...limits]) cloneNode(graph, node, prefix, map);
    codes = defined(map.get(defined(path.at(-1)?.output(), 'codes')), 'copy of the codes');
  } else {
    // Codes were made elsewhere and moved; the scale that reads them is the scale that made them.
    const parameters = dequantize.inputs.slice(1).map((value) => value && map.get(value));
    codes = addValue(graph, `${prefix}codes`);
    addNode(graph, {
      opType: 'QuantizeLinear',
      domain: dequantize.domain,
      inputs: [exact, ...parameters],
      outputs: [codes],
      attributes: dequantize.attributes,
    });
  }
  map.set(defined(dequantize.input(0), 'codes of DequantizeLinear'), codes);
  cloneNode(graph, dequantize, prefix, map);
  const real = defined(map.get(defined(dequantize.output(), 'output')), 'copy of the real activation');
  return { forLayer: real, real };
}

/** QuantizeLinear and the nodes that limit its codes, in order; empty when codes come from elsewhere. */
function codePath(dequantize: Node): readonly Node[] {
  const path: Node[] = [];
  for (let node = dequantize.input(0)?.producer; node; node = node.input(0)?.producer) {
    path.unshift(node);
    if (node.opType === 'QuantizeLinear') return path;
    if (node.opType !== 'Clip') return [];
  }
  return [];
}

/** Codes for an operator that reads them itself, and what they stand for. */
function quantizeForInteger(
  graph: Graph,
  parameters: readonly (Value | undefined)[],
  exact: Value,
  constants: ConstantCopies,
  prefix: string,
): QuantizedActivation | undefined {
  const inputs = parameters.map((value) => value && constants.of(value));
  if (!inputs[0]) return undefined;
  const codes = addValue(graph, `${prefix}codes`);
  const real = addValue(graph, `${prefix}real`);
  addNode(graph, { opType: 'QuantizeLinear', inputs: [exact, ...inputs], outputs: [codes] });
  addNode(graph, { opType: 'DequantizeLinear', inputs: [codes, ...inputs], outputs: [real] });
  return { forLayer: codes, real };
}
