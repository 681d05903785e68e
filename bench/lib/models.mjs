// Residual networks with seeded weights, BatchNormalization folded: the shapes of ResNet-20 on CIFAR and of ResNet-50 on
// ImageNet, so that the benchmark runs anywhere. Written with the `onnx-proto` development dependency.
import onnxProto from 'onnx-proto';
import { normals } from './random.mjs';

const FLOAT = 1;

export const shapes = {
  resnet20: { size: 32, classes: 10, stem: [16, 3, 1], stages: [16, 32, 64], blocks: [3, 3, 3], wide: 1 },
  resnet50: {
    size: 224,
    classes: 1000,
    stem: [64, 7, 2],
    pool: true,
    stages: [64, 128, 256, 512],
    blocks: [3, 4, 6, 3],
    wide: 4,
  },
};

/** Bytes of an ONNX model, opset 13, input `input` [N, 3, size, size], output `output` [N, classes]. */
export function residualNetwork({ size, classes, stem, pool, stages, blocks, wide }, seed = 1) {
  const normal = normals(seed);
  const node = [];
  const initializer = [];
  let count = 0;
  const add = (opType, inputs, attributes = {}) => {
    const output = `${opType}_${count++}`;
    node.push({
      opType,
      name: `node_${output}`,
      input: inputs,
      output: [output],
      attribute: Object.entries(attributes).map(([name, value]) =>
        Array.isArray(value) ? { name, type: 7, ints: value } : { name, type: 2, i: value },
      ),
    });
    return output;
  };
  const weight = (name, dims, deviation) => {
    const length = dims.reduce((product, one) => product * one, 1);
    const data = Float32Array.from({ length }, () => normal() * deviation);
    initializer.push({ name, dims, dataType: FLOAT, rawData: new Uint8Array(data.buffer) });
    return name;
  };
  const conv = (x, from, to, kernel, stride, gain = 1) => {
    const name = `conv${count}`;
    const deviation = gain * Math.sqrt(2 / (from * kernel * kernel));
    const inputs = [
      x,
      weight(`${name}.weight`, [to, from, kernel, kernel], deviation),
      weight(`${name}.bias`, [to], 0.1),
    ];
    const pad = kernel >> 1;
    return add('Conv', inputs, {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      dilations: [1, 1],
      group: 1,
    });
  };
  const [stemWidth, stemKernel, stemStride] = stem;
  let x = add('Relu', [conv('input', 3, stemWidth, stemKernel, stemStride)]);
  if (pool) x = add('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] });
  let width = stemWidth;
  stages.forEach((stage, index) => {
    for (let block = 0; block < blocks[index]; block++) {
      const stride = block === 0 && index > 0 ? 2 : 1;
      const to = stage * wide;
      let branch = x;
      if (wide > 1) {
        branch = add('Relu', [conv(branch, width, stage, 1, 1)]);
        branch = add('Relu', [conv(branch, stage, stage, 3, stride)]);
        // Branches that stay small keep the sum from growing block by block.
        branch = conv(branch, stage, to, 1, 1, 0.3);
      } else {
        branch = add('Relu', [conv(branch, width, stage, 3, stride)]);
        branch = conv(branch, stage, stage, 3, 1, 0.3);
      }
      const shortcut = stride === 1 && width === to ? x : conv(x, width, to, 1, stride, Math.SQRT1_2);
      x = add('Relu', [add('Add', [branch, shortcut])]);
      width = to;
    }
  });
  x = add('Flatten', [add('GlobalAveragePool', [x])], { axis: 1 });
  node.push({
    opType: 'Gemm',
    name: 'fc',
    input: [
      x,
      weight('fc.weight', [classes, width], Math.sqrt(1 / width)),
      weight('fc.bias', [classes], 0.1),
    ],
    output: ['output'],
    attribute: [{ name: 'transB', type: 2, i: 1 }],
  });
  const value = (name, dims) => ({
    name,
    type: {
      tensorType: {
        elemType: FLOAT,
        shape: { dim: [{ dimParam: 'N' }, ...dims.map((dimValue) => ({ dimValue }))] },
      },
    },
  });
  const { onnx } = onnxProto;
  const model = onnx.ModelProto.create({
    irVersion: 8,
    producerName: 'bench',
    opsetImport: [{ domain: '', version: 13 }],
    graph: {
      name: 'residual',
      input: [value('input', [3, size, size])],
      output: [value('output', [classes])],
      initializer,
      node,
    },
  });
  return onnx.ModelProto.encode(model).finish();
}
