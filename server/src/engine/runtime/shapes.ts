/**
 * Types and shapes of every value, as onnxruntime infers them: a session without optimisation whose outputs are all
 * values by name, read from its metadata and never run. Weights stay unread in their files; large ones made in memory
 * become inputs of their shape. ("freeDimensionOverrides" is ignored by the binding, so dimensions are bound here.)
 */
import { DataTypeCode } from '../base/dtype';
import { hasErrors } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { GraphProto, ModelProto, TensorProto, ValueInfoProto } from '../format/onnx-types';
import type { Model, Node, Value } from '../graph/ir';
import { isPassThrough } from '../graph/ops';
import { foldConstants } from '../graph/passes';
import { cloneModel } from '../graph/walk';
import { dimensionName } from './model-inputs';
import { createSession, type ValueMetadata } from './ort';
import { preflight } from './preflight';
import { runtimeTypeOf } from './runtime-tensor';
import { type ModelSource, sessionBytes } from './session-model';

export type ValueShape = Pick<ValueMetadata, 'type' | 'shape'>;

/** Constants up to this size can be shapes, axes, scales; larger ones are data. */
const KEPT_BYTES = 65_536;

/** Rounds of inference and folding; each lets shapes pass one more computed Reshape. */
const MAX_ROUNDS = 64;

/**
 * Shapes by value name: numbers where known, names of free dimensions, '' where nothing is known; [] can mean a scalar
 * or an unknown rank, which onnxruntime's metadata does not tell apart. Values of types
 * that cannot cross the border of a session (4-bit, float8, sequences) and those in subgraphs are absent.
 * @param dimensions numbers for symbolic dimensions. With all of them bound, shapes that the model computes itself are
 *   followed too: what is inferred is folded into constants, and inference starts again.
 */
export async function inferShapes(
  model: Model,
  source: ModelSource,
  dimensions: Readonly<Record<string, number>> = {},
): Promise<Outcome<ReadonlyMap<string, ValueShape>>> {
  const refused = preflight(model);
  if (hasErrors(refused)) return fail(...refused);
  const bound = cloneModel(model);
  for (const input of bound.graph.dataInputs) {
    input.shape = input.shape?.map((one, axis) => {
      const name = dimensionName(one, input.name, axis);
      return typeof name === 'string' && Object.hasOwn(dimensions, name) ? dimensions[name] : one;
    });
  }
  const found = new Map<string, ValueShape>();
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const failed = await collect(bound, source, candidates(bound), found);
    if (failed) return failed;
    if (unknown(found) === 0) break;
    for (const [name, value] of bound.graph.values) {
      const shape = found.get(name)?.shape;
      // No dimensions can also mean that the rank is unknown.
      if (shape !== undefined && shape.length > 0)
        value.shape = shape.map((one) => (one === '' ? undefined : one));
    }
    if (!foldConstants.run(bound).modified) break;
  }
  return ok(found);
}

function unknown(shapes: ReadonlyMap<string, ValueShape>): number {
  return [...shapes.values()].filter(({ shape }) => shape.some((one) => typeof one !== 'number')).length;
}

/** Adds the shapes of `names`; a type the binding does not know fails the whole session, so then halves are tried. */
async function collect(
  model: Model,
  source: ModelSource,
  names: readonly string[],
  found: Map<string, ValueShape>,
): Promise<Outcome<never> | undefined> {
  const made = sessionBytes(model, source, (proto) => exposed(proto, names));
  if (made.value === undefined) return fail(...made.issues);
  const { bytes, folder } = made.value;
  const session = await createSession(bytes, {
    folder,
    threads: 1,
    optimization: 'disabled',
    prepack: false,
    metadataOnly: true,
  });
  if (session.value === undefined) {
    const unknownType = session.issues.some((one) => one.code === 'unsupported-feature');
    if (!unknownType || names.length === 0) return fail(...session.issues);
    if (names.length === 1) return undefined;
    const half = names.length >> 1;
    return (
      (await collect(model, source, names.slice(0, half), found)) ??
      (await collect(model, source, names.slice(half), found))
    );
  }
  for (const { name, type, shape } of [...session.value.inputs, ...session.value.outputs]) {
    found.set(name, { type, shape });
  }
  await session.value.release();
  return undefined;
}

/** Names of node outputs that are not known to be of a type that cannot be asked for. */
function candidates(model: Model): readonly string[] {
  const types = new Map<Value, number>();
  const names: string[] = [];
  for (const node of model.graph.nodes) {
    for (const output of node.outputs) {
      const type = output.elementType || (output.tensor?.dataType ?? outputType(node, types));
      types.set(output, type);
      const known = type === 0 || runtimeTypeOf(type) !== undefined;
      if (output.name !== '' && !output.otherType && known) names.push(output.name);
    }
  }
  return names;
}

/** Element type of a node's output where it follows from the node at sight; 0 = unknown. */
function outputType(node: Node, types: ReadonlyMap<Value, number>): number {
  const typeOf = (value: Value | undefined) =>
    value === undefined ? 0 : value.elementType || (value.tensor?.dataType ?? types.get(value) ?? 0);
  if (node.opType === 'Cast') return node.int('to', 0);
  if (node.opType === 'CastLike') return typeOf(node.input(1));
  if (node.opType === 'QuantizeLinear')
    return node.int('output_dtype', 0) || typeOf(node.input(2)) || DataTypeCode.uint8;
  if (node.opType === 'DequantizeLinear') return typeOf(node.input(1));
  return isPassThrough(node) ? typeOf(node.input(0)) : 0;
}

function exposed(proto: ModelProto, names: readonly string[]): ModelProto {
  const { graph } = proto;
  if (!graph) return proto;
  const weights = graph.initializers.filter(isLargeInMemory);
  const changed: GraphProto = {
    ...graph,
    inputs: [...graph.inputs, ...weights.map(weightInput)],
    initializers: graph.initializers.filter((tensor) => !isLargeInMemory(tensor)),
    outputs: names.map((name) => ({ name })),
  };
  return { ...proto, graph: changed };
}

function isLargeInMemory({ payload, dataType }: TensorProto): boolean {
  if (dataType !== DataTypeCode.float && dataType !== DataTypeCode.float16) return false;
  return payload.kind === 'bytes' && payload.bytes.length > KEPT_BYTES;
}

function weightInput({ name, dataType, dims }: TensorProto): ValueInfoProto {
  return { name, type: { kind: 'tensor', elementType: dataType, shape: dims } };
}
