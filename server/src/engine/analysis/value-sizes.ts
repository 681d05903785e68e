/**
 * Type and size of activations without a session: types carried along operators that keep them, shapes from the static
 * walk. Opening a session only to ask for shapes costs a small network more than a fifth of its calibration.
 */
import { DataTypeCode } from '../base/dtype';
import type { Model, Node, Value } from '../graph/ir';
import { isPassThrough, opFacts } from '../graph/ops';
import { runtimeTypeOf } from '../runtime/runtime-tensor';
import type { ValueShape } from '../runtime/shapes';
import { staticShapes } from './static-shapes';

/** Operators whose first output has the type of the first input, beside those the operator table tells of. */
const SAME_TYPE: ReadonlySet<string> = new Set([
  'Add',
  'Sub',
  'Mul',
  'Div',
  'Pow',
  'Sqrt',
  'Neg',
  'Abs',
  'Exp',
  'Log',
  'Erf',
  'Min',
  'Max',
  'Sum',
  'Mean',
  'Sigmoid',
  'Tanh',
  'LeakyRelu',
  'PRelu',
  'Elu',
  'Selu',
  'Softplus',
  'HardSigmoid',
  'HardSwish',
  'Gelu',
  'Softmax',
  'LogSoftmax',
  'Concat',
  'AveragePool',
  'GlobalAveragePool',
  'LpPool',
  'ReduceMean',
  'ReduceSum',
  'ReduceMax',
  'ReduceMin',
  'BatchNormalization',
  'InstanceNormalization',
  'LayerNormalization',
  'GroupNormalization',
  'LRN',
  'MatMul',
  'Unsqueeze',
]);

/**
 * Shapes of the values of the main graph as far as they are known for certain.
 * @param bind see {@link staticShapes}.
 * @returns undefined when one of `needed` is not fully known: then only a session can tell.
 */
export function knownSizes(
  model: Model,
  needed: readonly string[],
  bind: (name: string | undefined, input?: Value) => number | undefined,
): ReadonlyMap<string, ValueShape> | undefined {
  const shapes = staticShapes(model, bind);
  const types = new Map<Value, number>();
  const known = new Map<string, ValueShape>();
  for (const value of [...model.graph.dataInputs, ...model.graph.nodes.flatMap((node) => node.outputs)]) {
    const code = value.elementType || (value.producer ? madeType(value, value.producer, types) : 0);
    types.set(value, code);
    const type = runtimeTypeOf(code);
    const shape = shapes.whole(value);
    if (type !== undefined && shape !== undefined) known.set(value.name, { type, shape });
  }
  return needed.every((name) => known.has(name)) ? known : undefined;
}

function madeType(value: Value, node: Node, types: ReadonlyMap<Value, number>): number {
  if (value.tensor) return value.tensor.dataType;
  if (node.op === 'Shape' || node.op === 'Size') return DataTypeCode.int64;
  if (node.op === 'Cast') return node.int('to', 0);
  const facts = opFacts(node);
  const keeps = SAME_TYPE.has(node.op) || isPassThrough(node) || facts.fusedActivation || node.op === 'Conv';
  if (!keeps || node.output() !== value || facts.quantized) return 0;
  const first = node.input(0);
  return first ? first.elementType || (first.tensor?.dataType ?? types.get(first) ?? 0) : 0;
}
