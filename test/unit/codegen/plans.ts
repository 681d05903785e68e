/** Plans as the generators take them, made by hand. */
import type { CodeLayer, CodePlan } from '../../../server/src/codegen/code-plan';
import { parseActivationFormat, parseQuantScheme } from '../../../server/src/engine/numerics/scheme';
import type { Program } from '../../../server/src/script/program';
import { type SequenceExpression, statementsIn } from '../../../server/src/script/syntax';

/** A layer in formats by name; `float` = not quantized. */
export function codeLayer(
  name: string,
  weights: string,
  activations = 'float',
  facts: Partial<CodeLayer> = {},
): CodeLayer {
  const activation = parseActivationFormat(activations).value;
  return {
    name,
    node: `/${name.replaceAll('.', '/')}/Conv`,
    op: 'Conv',
    weight: `${name}.weight`,
    module: name,
    weightInput: 1,
    activation: `${name}_input`,
    axis: 0,
    matrix: false,
    rank: 4,
    lookup: false,
    plainGemm: false,
    perChannel: 144,
    weights: weights === 'float' ? undefined : parseQuantScheme(weights).value,
    activations: activation === 'float' ? undefined : activation,
    ...facts,
  };
}

/** A layer that is a Linear of PyTorch. */
export function linearLayer(
  name: string,
  weights: string,
  activations = 'float',
  perChannel = 128,
): CodeLayer {
  return codeLayer(name, weights, activations, {
    node: `/${name.replaceAll('.', '/')}/Gemm`,
    op: 'Gemm',
    matrix: true,
    rank: 2,
    plainGemm: true,
    perChannel,
  });
}

export function codePlan(layers: readonly CodeLayer[], parts: Partial<CodePlan> = {}): CodePlan {
  return {
    model: 'net.onnx',
    output: 'net.int8.onnx',
    recipe: 'net.quant.json',
    inputs: [{ name: 'image', shape: [null, 3, 32, 32] }],
    estimator: 'mse',
    data: { source: 'images.npy' },
    methods: ['fold-batchnorm'],
    layers,
    others: [],
    operators: ['Add', 'Conv', 'Gemm', 'Relu', 'Softmax'],
    unnamed: false,
    ...parts,
  };
}

/** Lists of constants by the name they are assigned to in a program; the last of several. */
export function listsIn(program: Program): ReadonlyMap<string, readonly string[]> {
  const lists = new Map<string, readonly string[]>();
  for (const statement of statementsIn(program.module.statements)) {
    if (statement.kind !== 'assign' || statement.value?.kind !== 'list') continue;
    const [target] = statement.targets;
    if (target?.kind === 'name') lists.set(target.name, strings(statement.value));
  }
  return lists;
}

/** Constants of every loop `for name in [...]` of a program. */
export function loopsIn(program: Program): readonly (readonly string[])[] {
  return [...statementsIn(program.module.statements)].flatMap((statement) =>
    statement.kind === 'for' && statement.iterable.kind === 'list' ? [strings(statement.iterable)] : [],
  );
}

export function strings(list: SequenceExpression): readonly string[] {
  return list.items.flatMap((item) =>
    item.kind === 'constant' && typeof item.value === 'string' ? [item.value] : [],
  );
}
