/**
 * Operators that join activations into one tensor which a layer then reads through one quantizer, with the calibrated
 * ranges of their operands: what a plan costs the finer of them is known before anything is written.
 * Source: Krishnamoorthi 2018 (arXiv 1806.08342), section 3.2.1.
 */
import type { ActivationRange, JoinedActivations } from '../../protocol/reports';
import type { Model, Node, Value } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { opFacts } from '../graph/ops';
import { sourceOf } from './activation-taps';

/** Operators whose operands end under the scale of the result. */
export const JOINING: ReadonlySet<string> = new Set(['Add', 'Sub', 'Sum', 'Concat', 'Max', 'Min', 'Where']);

/**
 * What stands in front of layers.
 * @param model as it was calibrated, BatchNormalization folded.
 * @param ranges by tensor name.
 * @param readers names of the layers whose activations are quantized.
 */
export function joinedActivations(
  model: Model,
  ranges: Readonly<Record<string, ActivationRange>>,
  readers: ReadonlySet<string>,
): readonly JoinedActivations[] {
  const found = new Map<Node, string[]>();
  for (const { name, node, activationInput, lookup } of listLayers(model)) {
    const input = lookup || !readers.has(name) ? undefined : node.input(activationInput);
    const join = input && joinBehind(input);
    if (join) found.set(join, [...(found.get(join) ?? []), name]);
  }
  return [...found].flatMap(([node, names]) => {
    const operands = operandsOf(node).flatMap((value) => {
      const range = Object.hasOwn(ranges, value.name) ? ranges[value.name] : undefined;
      return range ? [{ tensor: value.name, min: range.min, max: range.max }] : [];
    });
    return operands.length < 2 ? [] : [{ node: node.label, op: node.opType, readers: names, operands }];
  });
}

/** The joining operator whose result a value holds, behind operators that move it and activation functions that clip it. */
function joinBehind(value: Value): Node | undefined {
  let at = sourceOf(value);
  while (at.producer && opFacts(at.producer).fusedActivation === true) {
    const input = at.producer.input(0);
    if (!input) return undefined;
    at = sourceOf(input);
  }
  return at.producer && JOINING.has(at.producer.op) ? at.producer : undefined;
}

/** Activations that meet here; a Concat in a Concat is one. Constants have ranges of their own. */
function operandsOf(node: Node): readonly Value[] {
  // The condition of Where is no operand.
  const inputs = node.op === 'Where' ? node.inputs.slice(1) : node.inputs;
  return inputs.flatMap((input) => {
    if (!input || input.tensor) return [];
    const { producer } = sourceOf(input);
    return node.op === 'Concat' && producer?.op === 'Concat' ? operandsOf(producer) : [input];
  });
}
