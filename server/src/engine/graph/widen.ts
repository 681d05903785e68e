/**
 * A network of half precision computed in float32: the same graph with every float16 and bfloat16 tensor widened, which
 * is exact. Quantized activations are float32 on both sides of their codes, so this is where their error is measured.
 */
import { DataTypeCode, dataTypeByCode } from '../base/dtype';
import type { Attribute, Graph, Model, Node } from './ir';
import { floatTensor, protoTensor, type Tensor } from './tensor';
import { allGraphs } from './walk';

const HALVES: ReadonlySet<string> = new Set(['float16', 'bfloat16']);

/** Elements that are widened in memory at most; a larger network stays as it is. */
const MOST = 2 ** 28;

/** Constants that were widened, by what they were: copies of one model share them. */
const known = new WeakMap<Tensor, Tensor>();

/** The half-precision type that layers of a model hold, where it can be widened. */
export function halfType({ graph }: Model): string | undefined {
  let elements = 0;
  let found: string | undefined;
  for (const { values } of allGraphs(graph)) {
    for (const { tensor } of values.values()) {
      const type = tensor && halfName(tensor.dataType);
      if (type === undefined) continue;
      elements += tensor?.size ?? 0;
      found ??= type;
    }
  }
  return elements > MOST ? undefined : found;
}

/** Widens a model in place. Constants that cannot be read stay, and whoever reads them tells. */
export function widen({ graph }: Model): void {
  for (const inner of allGraphs(graph)) widenGraph(inner);
}

function widenGraph(graph: Graph): void {
  for (const value of graph.values.values()) {
    if (value.tensor) value.tensor = widened(value.tensor);
    if (isHalf(value.elementType)) value.elementType = DataTypeCode.float;
  }
  for (const node of graph.nodes) widenAttributes(node);
}

/** Types that a node names, and constants that it holds. */
function widenAttributes({ attributes }: Node): void {
  for (const [name, attribute] of attributes) {
    const changed = widenedAttribute(name, attribute);
    if (changed) attributes.set(name, changed);
  }
}

function widenedAttribute(name: string, attribute: Attribute): Attribute | undefined {
  if (attribute.type === 'int' && (name === 'to' || name === 'dtype') && isHalf(Number(attribute.value)))
    return { ...attribute, value: BigInt(DataTypeCode.float) };
  if (attribute.type !== 'tensor' || !isHalf(attribute.value.dataType)) return undefined;
  const tensor = widened(protoTensor(attribute.value, undefined));
  return { ...attribute, value: tensor.toProto(attribute.value.name) };
}

function widened(tensor: Tensor): Tensor {
  if (!isHalf(tensor.dataType)) return tensor;
  const made = known.get(tensor) ?? convert(tensor);
  known.set(tensor, made);
  return made;
}

function convert(tensor: Tensor): Tensor {
  const { value } = tensor.toFloat32();
  return value ? floatTensor(tensor.shape, value) : tensor;
}

function isHalf(code: number): boolean {
  return halfName(code) !== undefined;
}

function halfName(code: number): string | undefined {
  const name = dataTypeByCode(code)?.name;
  return name !== undefined && HALVES.has(name) ? name : undefined;
}
