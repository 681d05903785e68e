/** A residual network written as a script, and the model that such a script exports. */
import type { ModelProto, NodeProto, TensorProto } from '../../../server/src/engine/format/onnx-types';
import { model, node, normalValues, tensor, valueInfo } from '../../fixtures/build';

/** Two stages built in loops, a shortcut with a convolution of its own, a factory. */
export const residualScript = `import torch
import torch.nn as nn


class Unit(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, kernel_size=3, padding=1, bias=False)
        self.skip = nn.Sequential()
        if inputs != outputs:
            self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False))

    def forward(self, x):
        return torch.relu(self.second(torch.relu(self.first(x))) + self.skip(x))


class Residual(nn.Module):
    def __init__(self, depth, classes=4):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.stage1 = self.stage(depth, 8, 8)
        self.stage2 = self.stage(depth, 8, 16)
        self.head = nn.Linear(16, classes)

    def stage(self, depth, inputs, outputs):
        units = []
        for index in range(depth):
            units.append(Unit(inputs if index == 0 else outputs, outputs))
        return nn.Sequential(*units)

    def forward(self, x):
        x = self.stage2(self.stage1(self.stem(x)))
        return self.head(x.mean((2, 3)))


def small():
    return Residual(2)


def main():
    network = small().eval()
    torch.onnx.export(network, (torch.rand(1, 3, 8, 8),), "small.onnx")
`;

interface Part {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Its weights by the names that PyTorch gives them, in the order of the graph. */
export const residualLayers: readonly Part[] = [
  { name: 'stem', shape: [8, 3, 3, 3] },
  { name: 'stage1.0.first', shape: [8, 8, 3, 3] },
  { name: 'stage1.0.second', shape: [8, 8, 3, 3] },
  { name: 'stage1.1.first', shape: [8, 8, 3, 3] },
  { name: 'stage1.1.second', shape: [8, 8, 3, 3] },
  { name: 'stage2.0.first', shape: [16, 8, 3, 3] },
  { name: 'stage2.0.second', shape: [16, 16, 3, 3] },
  { name: 'stage2.0.skip.0', shape: [16, 8, 1, 1] },
  { name: 'stage2.1.first', shape: [16, 16, 3, 3] },
  { name: 'stage2.1.second', shape: [16, 16, 3, 3] },
  { name: 'head', shape: [4, 16] },
];

export interface ResidualOptions {
  readonly seed?: number;
  /** Names of the initializers, as an export gives them that folds or renames; default: `NAME.weight`. */
  readonly rename?: (name: string, index: number) => string;
  /** Layer one channel of whose weights is fifty times as large: its per-tensor error is bad (M01). */
  readonly wide?: string;
}

/** The network above with two units a stage: input `[N, 3, 8, 8]`, output `[N, 4]`. */
export function residualNet({ seed = 1, rename, wide }: ResidualOptions = {}): ModelProto {
  const weight = new Map(
    residualLayers.map(({ name }, index) => [name, rename ? rename(name, index) : `${name}.weight`]),
  );
  const initializers: TensorProto[] = residualLayers.map(({ name, shape }, index) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const perChannel = count / (shape[0] ?? 1);
    const values = normalValues(count, seed * 100 + index, 0.2);
    const factor = (at: number) => (name === wide && at < perChannel ? 50 : 1);
    return tensor(
      weight.get(name) ?? '',
      shape,
      values.map((value, at) => value * factor(at)),
    );
  });
  const nodes: NodeProto[] = [];
  const layer = (operator: string, name: string, input: string, attributes = {}): string => {
    nodes.push(node(operator, [input, weight.get(name) ?? ''], [`${name}_out`], attributes));
    return `${name}_out`;
  };
  const conv = (name: string, input: string, size = 3) =>
    layer('Conv', name, input, { kernel_shape: [size, size], pads: Array(4).fill((size - 1) / 2) });
  const unary = (operator: string, input: string, output = `${input}_${operator}`) => {
    nodes.push(node(operator, [input], [output]));
    return output;
  };
  const unit = (name: string, input: string) => {
    const inner = conv(`${name}.second`, unary('Relu', conv(`${name}.first`, input)));
    const around = weight.has(`${name}.skip.0`) ? conv(`${name}.skip.0`, input, 1) : input;
    nodes.push(node('Add', [inner, around], [`${name}_sum`]));
    return unary('Relu', `${name}_sum`);
  };
  const units = ['stage1.0', 'stage1.1', 'stage2.0', 'stage2.1'];
  const features = units.reduce((input, name) => unit(name, input), conv('stem', 'input'));
  const pooled = unary('Flatten', unary('GlobalAveragePool', features));
  nodes.push(node('Gemm', [pooled, weight.get('head') ?? ''], ['output'], { transB: 1 }));
  return model({
    name: 'residual',
    inputs: [valueInfo('input', ['N', 3, 8, 8])],
    outputs: [valueInfo('output', ['N', 4])],
    initializers,
    nodes,
  });
}
