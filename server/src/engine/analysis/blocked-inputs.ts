/**
 * onnxruntime keeps the channels of what convolutions make in blocks, but not what enters a session. Sums of both
 * then run apart from their convolution, on copies in the other layout, block after block of a residual network. An
 * average over one element is the identity and runs on blocks: behind it the input is as if made by a convolution.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { addNode, replaceUses } from '../graph/edit';
import type { Graph, Model, Value } from '../graph/ir';
import { nodesReachedFrom } from '../graph/walk';

/** Puts the average behind those of the inputs that are images and reach convolutions; figures stay the same. */
export function blockInputs({ graph }: Model, names: readonly string[]): void {
  for (const name of names) {
    const input = graph.values.get(name);
    if (input && isImage(input) && meetsConvolution(graph, input)) addAverage(graph, input);
  }
}

function isImage({ elementType, shape }: Value): boolean {
  return elementType === DataTypeCode.float && shape?.length === 4 && typeof shape[1] === 'number';
}

/** Whether something else than a convolution reads it, with convolutions behind. */
function meetsConvolution(graph: Graph, input: Value): boolean {
  const others = input.uses.some(({ node }) => node.op !== 'Conv');
  return others && [...nodesReachedFrom(graph, [input])].some((node) => node.op === 'Conv');
}

function addAverage(graph: Graph, input: Value): void {
  const average = addNode(
    graph,
    {
      opType: 'AveragePool',
      inputs: [input],
      outputs: [`${input.name}/blocked`],
      attributes: [['kernel_shape', { type: 'ints', value: [1n, 1n] }]],
    },
    graph.nodes[0],
  );
  const output = defined(average.output(), 'output of AveragePool');
  output.elementType = input.elementType;
  output.shape = input.shape;
  replaceUses(input, output, (reader) => reader === average);
}
