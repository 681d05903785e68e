/** Graph reading, facts and passes as a fuzz target: whatever decodes must end in facts or in issues. */
import { countMacs } from '../../../server/src/engine/analysis/macs';
import { memorySource } from '../../../server/src/engine/base/byte-source';
import type { Outcome } from '../../../server/src/engine/base/outcome';
import { decodeModel } from '../../../server/src/engine/format/onnx-decode';
import { concatChunks, encodeModel } from '../../../server/src/engine/format/onnx-encode';
import type { ModelProto } from '../../../server/src/engine/format/onnx-types';
import { batchNormStatistics } from '../../../server/src/engine/graph/batch-norm';
import { fromOnnx } from '../../../server/src/engine/graph/from-onnx';
import { listLayers } from '../../../server/src/engine/graph/layers';
import { runPasses } from '../../../server/src/engine/graph/passes';
import { toOnnx } from '../../../server/src/engine/graph/to-onnx';
import { verify } from '../../../server/src/engine/graph/verify';
import { cloneModel } from '../../../server/src/engine/graph/walk';
import { convNet, float, graph, matmulNet, model, node, tensor, valueInfo } from '../../fixtures/build';
import type { FuzzTarget } from '../driver';

export const graphTarget: FuzzTarget = {
  name: 'graph',
  seeds: [convNet(), matmulNet(), shapeNet(), branchNet()].map((one) =>
    concatChunks(encodeModel(one).value ?? []),
  ),
  run: (source): Outcome<unknown> => {
    const decoded = decodeModel(memorySource(source.read(0, source.size), source.path));
    if (decoded.value === undefined) return decoded;
    const read = fromOnnx(decoded.value);
    if (read.value === undefined) return read;
    const names = listLayers(read.value).map((layer) => layer.name);
    countMacs(read.value, {});
    batchNormStatistics(read.value);
    const copy = cloneModel(read.value);
    runPasses(copy);
    const wrong = [...verify(read.value), ...verify(copy)];
    if (wrong.length > 0) throw new Error(wrong.join('; '));
    const after = listLayers(copy).map((layer) => layer.name);
    const lost = names.filter((name) => !after.includes(name));
    if (lost.length > 0) throw new Error(`layers ${lost.join(', ')} lost their names`);
    if (encodeModel(toOnnx(copy)).value === undefined) throw new Error('a rewritten model cannot be encoded');
    return read;
  },
};

/** One node of every operator that computes shapes. */
function shapeNet(): ModelProto {
  const ints = (name: string, values: readonly number[]) => tensor(name, [values.length], values, 'int64');
  return model({
    inputs: [valueInfo('x', ['N', 4, 8, 8])],
    outputs: [valueInfo('y', undefined)],
    initializers: [
      ints('zero', [0]),
      ints('two', [2]),
      ints('end', [4]),
      ints('pads', [0, 0, 1, 1, 0, 0, 1, 1]),
      tensor('scales', [4], [1, 1, 2, 2]),
    ],
    nodes: [
      node('Shape', ['x'], ['s']),
      node('Gather', ['s', 'zero'], ['n'], { axis: 0 }),
      node('Slice', ['s', 'two', 'end'], ['hw']),
      node('Mul', ['hw', 'two'], ['hw2']),
      node('ConstantOfShape', ['two'], ['ones'], { value: ints('', [1]) }),
      node('Range', ['zero', 'two', 'two'], ['r']),
      node('Where', ['two', 'hw2', 'hw'], ['w']),
      node('Concat', ['n', 'ones'], ['to'], { axis: 0 }),
      node('Expand', ['two', 'ones'], ['e']),
      node('Reshape', ['x', 'to'], ['q']),
      node('Pad', ['x', 'pads'], ['p']),
      node('MaxPool', ['p'], ['m'], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
      node('Resize', ['m', '', 'scales'], ['z']),
      node('Transpose', ['z'], ['t'], { perm: [0, 2, 3, 1] }),
      node('Squeeze', ['t', 'zero'], ['u']),
      node('Split', ['u'], ['a', 'b'], { axis: 0 }),
      node('ReduceMean', ['a'], ['y'], { axes: [1] }),
    ],
  });
}

/** Subgraphs, shared and transposed weights, identities. */
function branchNet(): ModelProto {
  const branch = (name: string) =>
    graph({
      name,
      outputs: [valueInfo(`${name}r`, undefined)],
      nodes: [node('MatMul', ['h', 't'], [`${name}r`])],
    });
  return model({
    inputs: [valueInfo('x', ['N', 4]), valueInfo('c', [], 'bool')],
    outputs: [valueInfo('y', undefined)],
    initializers: [
      tensor('onnx::MatMul_7', [4, 4], new Array(16).fill(0.5)),
      tensor('bias', [4], [1, 2, 3, 4]),
    ],
    nodes: [
      node('Identity', ['onnx::MatMul_7'], ['w']),
      node('Transpose', ['w'], ['t'], { perm: [1, 0] }),
      node('Gemm', ['x', 'w', 'bias'], ['g'], { alpha: float(2), transB: 1 }),
      node('Gemm', ['g', 'w', 'bias'], ['h']),
      node('If', ['c'], ['y'], { then_branch: branch('t1'), else_branch: branch('e1') }),
    ],
  });
}
