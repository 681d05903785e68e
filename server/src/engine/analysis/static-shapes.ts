/**
 * Shapes without running anything: value_info of the file, completed by a walk over common operators, with chosen
 * bindings for symbolic dimensions. Small integer tensors are followed through shape arithmetic. What cannot be said
 * stays unknown.
 */
import type { Dimension } from '../format/onnx-types';
import { evaluate, type Known } from '../graph/evaluate';
import type { Graph, Model, Node, Value } from '../graph/ir';
import { readSmall, type SmallTensor } from '../graph/small-tensor';
import { shapeRule } from './shape-rules';

export type Shape = readonly Dimension[];

/** What is known about values; covers subgraphs too. */
export interface StaticShapes {
  /** Shape with bindings applied; `undefined` when not even the rank is known. */
  shape(value: Value | undefined): Shape | undefined;
  /** Shape when every dimension is a number. */
  whole(value: Value | undefined): readonly number[] | undefined;
  /** Content of a small integer tensor; single elements may be unknown. */
  content(value: Value | undefined): SmallTensor | undefined;
}

/**
 * Walks the model once.
 * @param bind number of a symbolic dimension; `undefined` leaves it symbolic. It is asked for dimensions without a
 *   name too, with the input they belong to.
 */
export function staticShapes(
  model: Model,
  bind: (name: string | undefined, input?: Value) => number | undefined,
): StaticShapes {
  const walker = new Walker(bind);
  walker.walk(model.graph);
  return walker;
}

/**
 * The usual binding: given dimensions, and 1 for the batch, which is the first dimension of every input of rank 1 or
 * more unless it is given or fixed.
 */
export function batchOfOne(
  model: Model,
  dimensions: Readonly<Record<string, number>>,
): (name: string | undefined, input?: Value) => number | undefined {
  const batch = new Set<string>();
  for (const input of model.graph.dataInputs) {
    const first = input.shape?.[0];
    if (typeof first === 'string') batch.add(first);
  }
  return (name, input) => {
    if (name === undefined) return input ? 1 : undefined;
    return Object.hasOwn(dimensions, name) ? dimensions[name] : batch.has(name) ? 1 : undefined;
  };
}

class Walker implements StaticShapes {
  private readonly shapes = new Map<Value, Shape>();
  private readonly contents = new Map<Value, SmallTensor>();

  constructor(private readonly bind: (name: string | undefined, input?: Value) => number | undefined) {}

  shape(value: Value | undefined): Shape | undefined {
    return value && (value.tensor?.shape ?? this.shapes.get(value));
  }

  whole(value: Value | undefined): readonly number[] | undefined {
    return wholeShape(this.shape(value));
  }

  content(value: Value | undefined): SmallTensor | undefined {
    if (!value) return undefined;
    const known = this.contents.get(value);
    if (known || !value.tensor) return known;
    const read = readSmall(value.tensor);
    if (read) this.contents.set(value, read);
    return read;
  }

  walk(graph: Graph): void {
    for (const input of graph.inputs) {
      if (this.shapes.has(input)) continue;
      // Only the first dimension can be the batch; others without a name stay unknown.
      const bound = stated(input)?.map((dimension, axis) => {
        if (typeof dimension === 'number') return dimension;
        return this.bind(dimension, axis === 0 && !graph.parent ? input : undefined) ?? dimension;
      });
      if (bound) this.shapes.set(input, bound);
    }
    for (const node of graph.nodes) this.visit(node);
  }

  private visit(node: Node): void {
    const known: Known = {
      shape: (index) => this.shape(node.input(index)),
      content: (index) => this.content(node.input(index)),
    };
    if (node.subgraphs.length > 0) for (const inner of node.subgraphs) this.walk(inner);
    const computed = node.op === 'If' ? this.branches(node) : shapeRule(node)?.(node, known);
    node.outputs.forEach((output, index) => {
      if (output.tensor) return;
      const bound = stated(output)?.map((dimension) =>
        typeof dimension === 'string' ? (this.bind(dimension) ?? dimension) : dimension,
      );
      const shape = merge(computed?.[index], bound);
      if (shape) this.shapes.set(output, shape);
    });
    const output = node.output();
    const content = output && !output.tensor ? evaluate(node, known) : undefined;
    if (!output || !content) return;
    this.contents.set(output, content);
    this.shapes.set(output, content.shape);
  }

  /** A branch's shape where both branches agree. */
  private branches(node: Node): readonly (Shape | undefined)[] {
    const [first, ...others] = node.subgraphs;
    return node.outputs.map((_, index) => {
      const shape = this.shape(first?.outputs[index]);
      return others.reduce<Shape | undefined>(
        (known, other) => agreed(known, this.shape(other.outputs[index])),
        shape,
      );
    });
  }
}

/** The shape when every dimension is a number. */
export function wholeShape(shape: Shape | undefined): readonly number[] | undefined {
  const numbers: number[] = [];
  for (const dimension of shape ?? [undefined]) {
    if (typeof dimension !== 'number') return undefined;
    numbers.push(dimension);
  }
  return numbers;
}

/** The shape the file states; some exporters write 0 or −1 where they do not know. */
function stated(value: Value): Shape | undefined {
  return value.shape?.map((dimension) =>
    typeof dimension === 'number' && dimension < 1 ? undefined : dimension,
  );
}

/** Computed dimensions where known, else those the file states. */
function merge(computed: Shape | undefined, stated: Shape | undefined): Shape | undefined {
  if (!computed || !stated || computed.length !== stated.length) return computed ?? stated;
  return computed.map((dimension, axis) =>
    typeof dimension === 'number' ? dimension : (stated[axis] ?? dimension),
  );
}

function agreed(left: Shape | undefined, right: Shape | undefined): Shape | undefined {
  if (!left || !right || left.length !== right.length) return undefined;
  return left.map((dimension, axis) => (dimension === right[axis] ? dimension : undefined));
}
