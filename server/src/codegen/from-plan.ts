/** What the generators need of a model and its plan. */
import type { Recipe } from '../engine/format/recipe';
import type { Model, Node } from '../engine/graph/ir';
import type { Layer } from '../engine/graph/layers';
import { allGraphs } from '../engine/graph/walk';
import type { QuantPlan } from '../engine/methods/plan';
import { isPlainGemm } from '../engine/methods/plan-form';
import { channelView } from '../engine/numerics/layout';
import { parseActivationFormat, parseQuantScheme } from '../engine/numerics/scheme';
import type { CodeLayer, CodePlan } from './code-plan';
import { modulePath } from './module-path';

export interface CodePlanInput {
  readonly model: Model;
  readonly layers: readonly Layer[];
  readonly plan: QuantPlan;
  readonly recipe: Recipe;
  /** File name of the recipe. */
  readonly recipeName?: string;
}

const layerOperators: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

export function makeCodePlan({ model, layers, plan, recipe, recipeName }: CodePlanInput): CodePlan {
  const nodes = allGraphs(model.graph).flatMap((graph) => graph.nodes);
  const owners = new Set(layers.map((layer) => layer.node));
  const named = recipe.model ?? 'model.onnx';
  return {
    model: named,
    output: recipe.output ?? named.replace(/(\.onnx)?$/i, '.quantized.onnx'),
    ...(recipeName === undefined ? {} : { recipe: recipeName }),
    inputs: model.graph.dataInputs.map((input) => ({
      name: input.name,
      shape: (input.shape ?? []).map((size) => (typeof size === 'number' ? size : null)),
    })),
    estimator: plan.estimator,
    ...(recipe.data === undefined ? {} : { data: recipe.data }),
    methods: recipe.methods.map(({ name }) => name),
    layers: layers.flatMap((layer, index) => {
      const planned = plan.layers[index];
      return planned ? [codeLayer(layer, planned)] : [];
    }),
    others: nodes
      .filter((node) => node.domain === '' && layerOperators.has(node.op) && !owners.has(node))
      .map((node) => node.label),
    operators: [...new Set(nodes.filter(({ domain }) => domain === '').map(({ op }) => op))].sort(),
    unnamed: nodes.some((node) => node.name === ''),
  };
}

function codeLayer(layer: Layer, planned: QuantPlan['layers'][number]): CodeLayer {
  const { name, node, op, weight, lookup, shape, channelAxis } = layer;
  const weights = planned.form === 'float' ? undefined : parseQuantScheme(planned.weights).value;
  const activations = parseActivationFormat(planned.activations).value;
  return {
    name,
    node: node.label,
    op,
    weight: weight.name,
    // Second and later uses of a weight are the same module.
    module: modulePath(name.replace(/#\d+$/, '')),
    weightInput: layer.weightInput,
    activation: node.input(layer.activationInput)?.name ?? '',
    axis: axisAt(node, shape.length),
    matrix: shape.length === 2,
    rank: shape.length,
    lookup,
    plainGemm: op === 'Gemm' && isPlainGemm(layer),
    perChannel: channelView(shape, channelAxis).perChannel,
    weights,
    activations: activations === 'float' ? undefined : activations,
  };
}

/** Axis of the output channels of the weight as the operator reads it, whatever stands between it and the file. */
function axisAt(node: Node, rank: number): number {
  switch (node.op) {
    case 'Gemm':
      return node.int('transB', 0) === 0 ? 1 : 0;
    case 'MatMul':
      return Math.max(rank - 1, 0);
    case 'ConvTranspose':
      return 1;
    default:
      return 0;
  }
}
