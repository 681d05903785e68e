/**
 * What onnxruntime's tools have to be told to quantize what a plan says and no more: `quantize_static` by itself also
 * quantizes products of two activations, sums, normalizations and the outputs of layers. Held against 1.30 and 1.31.
 */
import type { OrtRole } from './onnxruntime-roles';
import { call, comment, strings } from './python';

/** Operators of layers, and those that onnxruntime merges with the layer in front. */
const layerOperators: readonly string[] = ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'];
const mergedOperators: readonly string[] = ['Clip', 'MaxPool', 'Relu'];

/** Their kernels hand out real numbers; a convolution computes on integers only where its output is quantized too. */
const realOutputs: readonly string[] = ['Gemm', 'MatMul'];

/** Names that a script uses for what preprocessing needs. */
export interface PrepareNames {
  /** The module of ONNX. */
  readonly onnx: string;
  readonly options: string;
}

/** What `onnxruntime` has to be imported for. */
export const prepareImports = ['GraphOptimizationLevel', 'InferenceSession', 'SessionOptions'] as const;

/**
 * Python that preprocesses a model: BatchNormalization and constants are folded, shapes inferred.
 * @param file @param prepared Python for the files.
 */
export function preprocessLines(names: PrepareNames, file: string, prepared: string): readonly string[] {
  const { onnx } = names;
  return [
    comment('In one file first: what follows does not find weights that lie beside the model.'),
    call(`${onnx}.save`, [`${onnx}.load(${file})`, prepared]),
    ...foldLines(names.options, prepared),
  ];
}

/**
 * Python that preprocesses a file in place. `quant_pre_process` alone would make Gemm of MatMul and Add, under other
 * names, and a file that no longer loads when it is done again to what is left.
 */
export function foldLines(options: string, prepared: string): readonly string[] {
  return [
    comment('Folds BatchNormalization and constants; names of nodes stay.'),
    `${options} = SessionOptions()`,
    `${options}.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC`,
    `${options}.optimized_model_filepath = ${prepared}`,
    call('InferenceSession', [
      prepared,
      options,
      'providers=["CPUExecutionProvider"]',
      'disabled_optimizers=["MatMulAddFusion"]',
    ]),
    call('quant_pre_process', [prepared, prepared, 'skip_optimization=True', 'skip_symbolic_shape=True']),
  ];
}

/** @param layers operators of the layers to be quantized, @param all of the model; without them all that there are. */
export function quantizedOperators(
  layers: Iterable<string> = layerOperators,
  all: readonly string[] = mergedOperators,
): readonly string[] {
  return [...new Set(layers), ...mergedOperators.filter((one) => all.includes(one))].sort();
}

/** Extra options of `quantize_static` that keep the outputs of matrices as they are. */
export function plannedOptions(operators: readonly string[]): readonly string[] {
  const real = realOutputs.filter((one) => operators.includes(one));
  return real.length > 0 ? [strings('"OpTypesToExcludeOutputQuantization": ', real)] : [];
}

/**
 * Python by which layers with float activations read a tensor itself where it is quantized for other layers too;
 * `quantize_static` hands them the rounded one. None where no tensor is shared.
 * @param excluded Python for the names of their nodes, @param model name of the quantized model.
 */
export function realInputLines(
  roles: readonly OrtRole[],
  excluded: string,
  model = 'model',
  sources = 'sources',
): readonly string[] {
  if (!sharesInput(roles)) return [];
  return [
    comment('Float layers read the tensor itself, not what it is rounded to for its other readers.'),
    `${sources} = {`,
    '    node.output[0]: node.input[0]',
    `    for node in ${model}.graph.node`,
    '    if node.op_type in ("QuantizeLinear", "DequantizeLinear")',
    '}',
    `for node in ${model}.graph.node:`,
    `    if node.name in ${excluded}:`,
    '        for index, name in enumerate(node.input):',
    `            node.input[index] = ${sources}.get(${sources}.get(name), name)`,
  ];
}

/** True where a layer with float activations reads a tensor that is quantized for another. */
function sharesInput(roles: readonly OrtRole[]): boolean {
  const quantized = new Set(
    roles.filter(({ kind }) => kind === 'static').map(({ layer }) => layer.activation),
  );
  return roles.some(({ kind, layer }) => kind !== 'static' && quantized.has(layer.activation));
}

/**
 * Python that finds the products of two activations in a preprocessed file, for a call without a plan. The option
 * `MatMulConstBOnly` does not concern QDQ.
 * @returns its lines, and Python for the list that they make.
 */
export function productLines(
  onnx: string,
  prepared: string,
  free: (wanted: string) => string,
): { readonly text: string; readonly lines: readonly string[] } {
  const [graph, weights, name] = [free('graph'), free('weights'), free('products')];
  return {
    text: name,
    lines: [
      comment('Products of two activations stay float.'),
      `${graph} = ${onnx}.load(${prepared}).graph`,
      `${weights} = {tensor.name for tensor in ${graph}.initializer}`,
      `${name} = [`,
      '    node.name',
      `    for node in ${graph}.node`,
      `    if node.op_type == "MatMul" and ${weights}.isdisjoint(node.input)`,
      ']',
    ],
  };
}
