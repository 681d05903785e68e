/** Which activation tensors a quantizer may need ranges for, and which few of them have to be looked at. */
import type { ActivationRange } from '../../protocol/reports';
import type { Model, Node, Value } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { isPassThrough, opFacts, passThroughInputs } from '../graph/ops';

export interface ActivationTensor {
  readonly name: string;
  /** Tensor that is observed for it: the same values before they were moved, or what a Relu or Clip makes of them. */
  readonly source: string;
}

/**
 * Activations around everything that can run on integers: graph inputs, inputs and outputs of layers, of Relu and
 * Clip, and of operators with 8-bit kernels. In graph order. Values in subgraphs cannot be observed and are left out.
 */
export function activationTensors(model: Model): readonly ActivationTensor[] {
  const { graph } = model;
  const layers = new Set<Node>(listLayers(model).map((layer) => layer.node));
  const wanted = new Set<Value>(graph.dataInputs);
  for (const node of graph.nodes) {
    const facts = opFacts(node);
    if (!layers.has(node) && facts.ortCpu === undefined && !facts.fusedActivation) continue;
    for (const value of [...node.inputs, ...node.outputs.slice(0, 1)]) {
      if (value && isActivation(value) && graph.values.get(value.name) === value) wanted.add(value);
    }
  }
  const order = [...graph.dataInputs, ...graph.nodes.flatMap((node) => node.outputs)];
  return order
    .filter((value) => wanted.has(value))
    .map((value) => ({ name: value.name, source: observedFor(value).name }));
}

/**
 * The tensor whose range serves a value. What only a Relu or Clip reads has the range of its result: quantizing to
 * that range and then clipping gives the same as clipping and then quantizing, and nothing is spent on what is cut off.
 */
export function observedFor(value: Value): Value {
  const source = sourceOf(value);
  const [use, second] = source.uses;
  const node = use?.node;
  if (!node || second !== undefined || node.graph !== source.producer?.graph) return source;
  if (node.graph?.isOutput(source) || opFacts(node).fusedActivation !== true || use.index !== 0)
    return source;
  return node.output() ?? source;
}

/** Follows operators that move the values of one input. */
export function sourceOf(value: Value): Value {
  let at = value;
  for (;;) {
    const node = at.producer;
    if (!node || !isPassThrough(node) || node.output() !== at) return at;
    const [index, second] = passThroughInputs(node);
    const input = index === undefined || second !== undefined ? undefined : node.input(index);
    if (!input || !isActivation(input) || input.producer?.graph !== node.graph) {
      return input && isActivation(input) && node.graph?.inputs.includes(input) ? input : at;
    }
    at = input;
  }
}

/** Smallest and largest value an operator returns whatever it gets, where that is known. */
export function outputBounds(node: Node | undefined): ActivationRange | undefined {
  if (node?.op === 'Relu') return { min: 0, max: Number.POSITIVE_INFINITY };
  if (node?.op === 'Sigmoid' || node?.op === 'Softmax') return { min: 0, max: 1 };
  if (node?.op !== 'Clip') return undefined;
  const bound = (index: number, name: string, missing: number) => {
    const input = node.input(index);
    if (input) return input.tensor?.size === 1 ? input.tensor.toFloat32().value?.[0] : undefined;
    return node.float(name, missing);
  };
  const min = bound(1, 'min', Number.NEGATIVE_INFINITY);
  const max = bound(2, 'max', Number.POSITIVE_INFINITY);
  return min === undefined || max === undefined ? undefined : { min, max };
}

function isActivation(value: Value): boolean {
  return value.name !== '' && value.tensor === undefined && value.otherType === undefined;
}
