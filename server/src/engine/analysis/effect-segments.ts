/** What output effects are measured on: the real output of a network, and its segments with the layers to quantize. */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addNode } from '../graph/edit';
import type { Model, Value } from '../graph/ir';
import type { PairedSegment } from './segment-chain';
import { type CutLayer, type Segment, segmentsOf } from './segments';
import type { LayerPair } from './shadow';
import { batchOfOne, staticShapes, wholeShape } from './static-shapes';

/** Types of which a difference is an error. */
const realTypes: ReadonlySet<number> = new Set([
  DataTypeCode.float,
  DataTypeCode.float16,
  DataTypeCode.double,
]);

/** The first output that holds real numbers, as float32; a type that is not stated is float32. */
export function realTarget(model: Model): Value | undefined {
  const { graph } = model;
  const output = graph.outputs.find(({ elementType }) => elementType === 0 || realTypes.has(elementType));
  if (!output || output.elementType === 0 || output.elementType === DataTypeCode.float) return output;
  const to = { type: 'int', value: BigInt(DataTypeCode.float) } as const;
  const cast = addNode(graph, {
    opType: 'Cast',
    inputs: [output],
    outputs: [`${output.name}/float`],
    attributes: [['to', to]],
  });
  const value = defined(cast.output(), 'cast output');
  value.elementType = DataTypeCode.float;
  value.shape = output.shape;
  return value;
}

export interface SegmentInput {
  /** Layers to quantize, of the float network and its quantized twin. */
  readonly pairs: readonly LayerPair[];
  /** Layers with their costs, of a copy of the float network. */
  readonly layers: readonly CutLayer[];
  /** Samples that are measured at once. */
  readonly samples: number;
  /** Bindings of symbolic dimensions. */
  readonly dimensions?: Readonly<Record<string, number>>;
}

/** The segments up to `target` with their layers; shapes at cuts are noted in `float` as far as they are known. */
export function pairedSegments(input: SegmentInput, float: Model, target: Value): readonly PairedSegment[] {
  const { graph } = float;
  const byName = new Map(input.pairs.map((pair) => [pair.name, pair]));
  const layers = input.layers.flatMap((layer) => {
    const output = layer.node.outputs.find(({ name }) => name !== '');
    const node = output && graph.values.get(output.name)?.producer;
    return node && byName.has(layer.name) ? [{ ...layer, node }] : [];
  });
  const shapes = staticShapes(float, batchOfOne(float, input.dimensions ?? {}));
  const elements = (value: Value) => wholeShape(shapes.shape(value))?.reduce((all, one) => all * one, 1);
  const segments = segmentsOf(graph, target, layers, { samples: input.samples, elements });
  noteShapes(float, segments);
  return segments.map((segment) => ({
    ...segment,
    pairs: segment.layers.flatMap((name) => byName.get(name) ?? []),
  }));
}

/** Without a shape of what is fed, a session knows none of what is behind it and leaves sums of it unfused. */
function noteShapes(float: Model, segments: readonly Segment[]): void {
  const shapes = staticShapes(float, () => undefined);
  for (const value of segments.flatMap(({ outputs }) => outputs)) value.shape ??= shapes.shape(value);
}
