/**
 * Reductions inside a session: sums over tensors as graph outputs, so that no activation leaves native code. Written
 * for every operator set: axes moved from attributes to inputs with version 13 (ReduceSum) and 18 (the others).
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addInitializer, addNode } from '../graph/edit';
import type { Attribute, Graph, Value } from '../graph/ir';
import { floatTensor, int64Tensor } from '../graph/tensor';

const integerAttribute = (value: number): Attribute => ({ type: 'int', value: BigInt(value) });

/** Adds nodes to one graph; constants that many nodes share are made once. */
export class GraphBuilder {
  private readonly constants = new Map<string, Value>();

  constructor(
    readonly graph: Graph,
    readonly opset: number,
  ) {}

  /** A node with one output. */
  node(
    opType: string,
    name: string,
    inputs: readonly (Value | undefined)[],
    attributes: Readonly<Record<string, number>> = {},
    lists: Readonly<Record<string, readonly number[]>> = {},
  ): Value {
    const made = addNode(this.graph, {
      opType,
      inputs,
      outputs: [name],
      attributes: [
        ...Object.entries(attributes).map(([key, value]) => [key, integerAttribute(value)] as const),
        ...Object.entries(lists).map(
          ([key, values]) => [key, { type: 'ints', value: values.map(BigInt) } as Attribute] as const,
        ),
      ],
    });
    return defined(made.output(), 'output of a new node');
  }

  integers(values: readonly number[]): Value {
    const key = `integers ${values.join(',')}`;
    const known =
      this.constants.get(key) ?? addInitializer(this.graph, key, int64Tensor([values.length], values));
    this.constants.set(key, known);
    return known;
  }

  scalar(value: number): Value {
    const key = `scalar ${value}`;
    const known =
      this.constants.get(key) ?? addInitializer(this.graph, key, floatTensor([], Float32Array.of(value)));
    this.constants.set(key, known);
    return known;
  }

  /** Sum, sum of squares, maximum or minimum over `axes`, or over everything; reduced axes vanish. */
  reduce(
    what: 'ReduceSum' | 'ReduceSumSquare' | 'ReduceMax' | 'ReduceMin',
    name: string,
    value: Value,
    axes?: readonly number[],
  ): Value {
    const asInput = this.opset >= (what === 'ReduceSum' ? 13 : 18);
    if (axes === undefined) return this.node(what, name, [value], { keepdims: 0 });
    return asInput
      ? this.node(what, name, [value, this.integers(axes)], { keepdims: 0 })
      : this.node(what, name, [value], { keepdims: 0 }, { axes });
  }

  reshape(name: string, value: Value, shape: readonly number[]): Value {
    return this.node('Reshape', name, [value, this.integers(shape)]);
  }

  /** Σab of two tensors of equal size, as [1, 1]. A Gemm of one row reads both once, a product would store a third. */
  dot(name: string, one: Value, other: Value): Value {
    const rows = [one, other].map((value, index) => this.reshape(`${name}/row${index}`, value, [1, -1]));
    // The bias became optional with version 11.
    if (this.opset < 11) rows.push(this.scalar(0));
    return this.node('Gemm', name, rows, { transB: 1 });
  }

  /** float32 of a value of another real type. */
  float(name: string, value: Value): Value {
    return this.cast(name, value, DataTypeCode.float);
  }

  cast(name: string, value: Value, to: number): Value {
    return this.node('Cast', name, [value], { to });
  }

  /** Makes a value a graph output and returns its name. */
  output(value: Value, elementType: number = DataTypeCode.float): string {
    value.elementType = elementType;
    this.graph.outputs.push(value);
    return value.name;
  }
}
