/** Models with what features must find in them. */
import type { ModelProto } from '../../../server/src/engine/format/onnx-types';
import { convNet, graph, model, node, normalValues, tensor, valueInfo } from '../../fixtures/build';

const pads = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };

/**
 * One cause for each finding on a float model: `wide` has a channel of fifty times the others' range (M01), `dead`
 * two channels of zeros and a Clip(0, 6) behind it (M13, M21), `fc` a last layer.
 */
export function faultyNet(): ModelProto {
  const wide = normalValues(8 * 27, 1, 0.1).map((value, index) => (index < 27 ? value * 50 : value));
  const dead = normalValues(8 * 8 * 9, 2, 0.1).map((value, index) => (index < 2 * 72 ? 0 : value));
  return model({
    name: 'faulty',
    inputs: [valueInfo('input', ['N', 3, 8, 8])],
    outputs: [valueInfo('output', ['N', 4])],
    initializers: [
      tensor('wide.weight', [8, 3, 3, 3], wide),
      tensor('dead.weight', [8, 8, 3, 3], dead),
      tensor('zero', [], [0]),
      tensor('six', [], [6]),
      tensor('fc.weight', [4, 8], normalValues(32, 3, 0.3)),
    ],
    nodes: [
      node('Conv', ['input', 'wide.weight'], ['a'], pads),
      node('Relu', ['a'], ['b']),
      node('Conv', ['b', 'dead.weight'], ['c'], pads),
      node('Clip', ['c', 'zero', 'six'], ['d']),
      node('GlobalAveragePool', ['d'], ['e']),
      node('Flatten', ['e'], ['f']),
      node('Gemm', ['f', 'fc.weight'], ['output'], { transB: 1 }),
    ],
  });
}

/** Two layers without node names, `MatMul_0` in both branches of an If and `MatMul_1` in front of it. */
export function branchNet(): ModelProto {
  const unnamed = { name: '' };
  const branch = (name: string) =>
    graph({
      name,
      outputs: [valueInfo(`${name}_out`, ['N', 4])],
      initializers: [tensor(`${name}.weight`, [8, 4], normalValues(32, name.length, 0.3))],
      nodes: [node('MatMul', ['hidden', `${name}.weight`], [`${name}_out`], {}, unnamed)],
    });
  return model({
    name: 'branches',
    inputs: [valueInfo('input', ['N', 16])],
    outputs: [valueInfo('output', ['N', 4])],
    initializers: [tensor('1234', [16, 8], normalValues(128, 1, 0.3)), tensor('choice', [], [1], 'bool')],
    nodes: [
      node('Relu', ['input'], ['positive'], {}, unnamed),
      node('MatMul', ['positive', '1234'], ['hidden'], {}, unnamed),
      node('If', ['choice'], ['output'], { then_branch: branch('yes'), else_branch: branch('no') }, unnamed),
    ],
  });
}

/** Text that a careless program would turn into markup, links or commands. */
export const hostileName =
  '[x](command:workbench.action.quit) <img src=x onerror=alert(1)> **b** | `c` $(zap) https://evil.example\n# h';

/** A classifier whose first layer has a hostile name. */
export function hostileNet(): ModelProto {
  const net = convNet();
  const rename = (name: string) => (name === 'conv1.weight' ? hostileName : name);
  return {
    ...net,
    graph: net.graph && {
      ...net.graph,
      initializers: net.graph.initializers.map((one) => ({ ...one, name: rename(one.name) })),
      nodes: net.graph.nodes.map((one) => ({ ...one, inputs: one.inputs.map(rename) })),
    },
  };
}

/** Many small layers in a row. */
export function deepNet(count: number, width = 8): ModelProto {
  const nodes = Array.from({ length: count }, (_, index) =>
    node('MatMul', [index === 0 ? 'input' : `h${index - 1}`, `layer${index}.weight`], [`h${index}`]),
  );
  return model({
    name: 'deep',
    inputs: [valueInfo('input', ['N', width])],
    outputs: [valueInfo(`h${count - 1}`, ['N', width])],
    initializers: Array.from({ length: count }, (_, index) =>
      tensor(`layer${index}.weight`, [width, width], normalValues(width * width, index + 1, 0.35)),
    ),
    nodes,
  });
}
