/**
 * Before: `t = Transpose(W); y = MatMul(x, t)` · after: `y = MatMul(x, Wᵀ)` with the content transposed once and the
 * initializer's name kept, so that the layer keeps its own. Exporters leave such nodes behind Linear layers; a
 * quantized weight can be fused into an integer kernel only without them.
 */
import { defined } from '../../base/invariant';
import type { Issue } from '../../base/issue';
import { removeNode, replaceTensor, replaceUses } from '../edit';
import { type Layer, listLayers, permutation } from '../layers';
import { permuted } from '../rearrange';
import { realTensor, type Tensor } from '../tensor';
import type { Pass } from './pass';

export const transposeWeights: Pass = {
  name: 'transpose-weights',
  requires: ['no-identity'],
  ensures: ['weights-stored-as-used'],
  run(model) {
    const issues: Issue[] = [];
    let modified = false;
    for (const layer of listLayers(model)) {
      const [transpose] = layer.through;
      const output = transpose?.output();
      if (!transpose || !output || layer.through.length !== 1 || transpose.op !== 'Transpose') continue;
      // The first layer of several behind one Transpose rewrites it for all.
      if (layer.weight.uses.length !== 1 || transpose.graph?.isOutput(output) || !transpose.graph) continue;
      const order = permutation(transpose, layer.shape.length);
      const tensor = order && transposed(layer, order, issues);
      if (!tensor) continue;
      replaceTensor(layer.weight, tensor);
      replaceUses(output, layer.weight, (node) => node === transpose);
      removeNode(transpose);
      modified = true;
    }
    return { modified, issues };
  },
};

function transposed(layer: Layer, order: readonly number[], issues: Issue[]): Tensor | undefined {
  const read = layer.tensor.toFloat32();
  issues.push(...read.issues);
  const values = read.value;
  if (!values) return undefined;
  const shape = order.map((axis) => defined(layer.shape[axis], 'permuted axis'));
  return realTensor(layer.tensor.dataType, shape, permuted(values, layer.shape, order));
}
