/**
 * Values inside If, Loop and Scan bodies as values of the main graph: every node on the way out gets one more output.
 * A branch that is not taken gives nothing; what a loop makes in its turns is stacked, or added up.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInitializer, addNode, addOutput } from './edit';
import type { Attribute, Graph, Node, Value } from './ir';
import { floatTensor, int64Tensor } from './tensor';

/** How the values of several turns become one. */
export type LiftKind = 'sum' | 'stack';

/**
 * The value in the outermost graph; `undefined` where a node on the way has no such outputs (SequenceMap, Loop with
 * outputs left out). Its shape is not stated.
 *
 * @param kind `sum` for scalars that add up over turns, float32 or int64.
 */
export function lift(value: Value, kind: LiftKind): Value | undefined {
  let lifted: Value | undefined = value;
  for (let body = value.producer?.graph; lifted && body?.owner; body = body.parent)
    lifted = out(lifted, body, body.owner, kind);
  return lifted;
}

function out(value: Value, body: Graph, owner: Node, kind: LiftKind): Value | undefined {
  const copy = identity(body, value);
  if (owner.op === 'If') {
    for (const branch of owner.subgraphs)
      branch.outputs.push(branch === body ? copy : nothing(branch, value, kind));
    return typed(addOutput(owner, `${value.name}/out`), value);
  }
  const carried = owner.op === 'Loop' ? 1 : owner.op === 'Scan' ? 0 : undefined;
  if (carried === undefined || owner.outputs.length !== body.outputs.length - carried) return undefined;
  body.outputs.push(copy);
  for (const name of ['scan_output_axes', 'scan_output_directions']) addZero(owner, name);
  const stacked = typed(addOutput(owner, `${value.name}/turns`), value);
  return kind === 'stack' ? stacked : sum(stacked);
}

/** What a branch gives that does not make the value: zero, or no elements. */
function nothing(branch: Graph, { name, elementType }: Value, kind: LiftKind): Value {
  const shape = kind === 'sum' ? [] : [0];
  const count = kind === 'sum' ? 1 : 0;
  const tensor =
    elementType === DataTypeCode.int64
      ? int64Tensor(shape, Array<number>(count).fill(0))
      : floatTensor(shape, new Float32Array(count));
  const empty = addInitializer(branch, `${name}/none`, tensor);
  const cast = elementType !== 0 && elementType !== tensor.dataType;
  const attributes: [string, Attribute][] = cast ? [['to', { type: 'int', value: BigInt(elementType) }]] : [];
  return made(branch, cast ? 'Cast' : 'Identity', empty, `${name}/none`, attributes, elementType);
}

function identity(graph: Graph, value: Value): Value {
  return made(graph, 'Identity', value, `${value.name}/tap`, [], value.elementType);
}

function sum(stacked: Value): Value {
  const graph = defined(stacked.producer?.graph, 'a node makes what is stacked');
  const attributes: [string, Attribute][] = [['keepdims', { type: 'int', value: 0n }]];
  return made(graph, 'ReduceSum', stacked, `${stacked.name}/sum`, attributes, stacked.elementType);
}

function made(
  graph: Graph,
  opType: string,
  input: Value,
  name: string,
  attributes: readonly (readonly [string, Attribute])[],
  elementType: number,
): Value {
  const node = addNode(graph, { opType, inputs: [input], outputs: [name], attributes });
  const value = defined(node.output(), 'output of a new node');
  value.elementType = elementType;
  return value;
}

function typed(value: Value, like: Value): Value {
  value.elementType = like.elementType;
  return value;
}

/** Scan lists one number per stacked output, where it lists any. */
function addZero(owner: Node, name: string): void {
  const list = owner.ints(name);
  if (list) owner.attributes.set(name, { type: 'ints', value: [...list.map(BigInt), 0n] });
}
