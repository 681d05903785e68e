/**
 * A recipe as Python for onnxruntime's own quantizers (checked with 1.31): `quant_pre_process` folds and infers shapes
 * and keeps node names, though not those of weights, so layers are named by node. Source of names and arguments:
 * onnxruntime/python/tools/quantization/{quantize,matmul_nbits_quantizer,tensor_quant_overrides}.py.
 */
import { type Code, type CodePlan, describe, grouped, Notes } from './code-plan';
import {
  foldLines,
  type PrepareNames,
  plannedOptions,
  prepareImports,
  preprocessLines,
  quantizedOperators,
  realInputLines,
} from './onnxruntime-prepare';
import {
  type ActivationSetting,
  commonSettings,
  type OrtRole,
  ortRole,
  type StaticRole,
  sameSetting,
  type WeightSetting,
} from './onnxruntime-roles';
import {
  boolean,
  bracketed,
  call,
  comment,
  docstring,
  file,
  importing,
  looping,
  noteLines,
  number,
  quote,
  strings,
} from './python';
import { sampleCode } from './samples';

/** Methods that `quant_pre_process` carries out as well. */
const preprocessed: ReadonlySet<string> = new Set(['fold-batchnorm']);

export function onnxruntimeCode(plan: CodePlan): Code {
  const notes = new Notes();
  const roles = plan.layers.map((layer) => ortRole(layer, notes));
  const of = <K extends OrtRole['kind']>(kind: K) =>
    roles.filter((role): role is Extract<OrtRole, { kind: K }> => role.kind === kind);
  const staticRoles = of('static');
  const stored = of('stored');
  const blocks = of('blocks');
  for (const method of plan.methods)
    if (!preprocessed.has(method))
      notes.add(`method ${method}`, 'not part of onnxruntime, so left out', false);
  const samples = staticRoles.length > 0 ? sampleCode(plan, notes) : { imports: [], blocks: [] };
  const calibration = staticRoles.length > 0 ? calibrationOf(plan.estimator, notes) : undefined;
  const onlyStatic = calibration !== undefined && stored.length + blocks.length === 0;
  const gemms = blocks.filter(({ layer }) => layer.op === 'Gemm').map(({ layer }) => layer);
  const body = [
    ...preprocessing(plan),
    ...(calibration ? staticBody(plan, roles, staticRoles, calibration) : ['model = onnx.load(PREPARED)']),
    ...(stored.length > 0 ? storedBody(stored) : []),
    ...(gemms.length > 0
      ? [
          looping(
            'name',
            gemms.map(({ node }) => node),
          ),
          '    split(model, name)',
        ]
      : []),
    ...blocksBody(blocks),
    ...(onlyStatic ? [] : ['onnx.save(model, OUTPUT)']),
  ];
  const text = file([
    docstring([
      `Quantizes ${plan.model} with onnxruntime${plan.recipe ? ` as ${plan.recipe} decides` : ''}.`,
      ...(plan.recipe ? ['Paths are relative to the folder of the recipe.'] : []),
    ]),
    imports(samples.imports, staticRoles, {
      stores: stored.length > 0,
      splits: gemms.length > 0,
      blocks: blocks.length > 0,
    }),
    [
      `MODEL = ${quote(plan.model)}`,
      `PREPARED = ${quote(plan.output.replace(/(\.onnx)?$/i, '.prepared.onnx'))}`,
      `OUTPUT = ${quote(plan.output)}`,
    ],
    noteLines(notes.list),
    ...samples.blocks,
    staticRoles.length > 0 ? readerClass : '',
    stored.length > 0 ? storeFunction : '',
    gemms.length > 0 ? splitFunction : '',
    body,
  ]);
  return { text, notes: notes.list };
}

function imports(
  ofSamples: readonly string[],
  staticRoles: readonly StaticRole[],
  {
    stores,
    splits,
    blocks,
  }: { readonly stores: boolean; readonly splits: boolean; readonly blocks: boolean },
): readonly string[] {
  const third = new Set(['import onnx', ...ofSamples.filter((line) => !isStandard(line))]);
  if (stores) third.add('import numpy as np');
  if (stores || splits) third.add('from onnx import numpy_helper');
  const quantization =
    staticRoles.length > 0
      ? ['CalibrationDataReader', 'CalibrationMethod', 'QuantFormat', 'QuantType', 'quantize_static']
      : [];
  const standard = ofSamples.filter(isStandard);
  return [
    ...(standard.length > 0 ? [...standard, ''] : []),
    ...[...third].sort((one, other) => moduleOf(one).localeCompare(moduleOf(other))),
    importing('onnxruntime', prepareImports),
    ...(quantization.length > 0 ? [importing('onnxruntime.quantization', quantization)] : []),
    ...(blocks
      ? [importing('onnxruntime.quantization.matmul_nbits_quantizer', ['MatMulNBitsQuantizer'])]
      : []),
    importing('onnxruntime.quantization.shape_inference', ['quant_pre_process']),
  ];
}

function isStandard(line: string): boolean {
  return line.startsWith('from pathlib ');
}

function moduleOf(line: string): string {
  return line.split(' ')[1] ?? '';
}

const prepareNames: PrepareNames = { onnx: 'onnx', options: 'options' };

function preprocessing({ unnamed }: CodePlan): readonly string[] {
  if (!unnamed) return preprocessLines(prepareNames, 'MODEL', 'PREPARED');
  return [
    'model = onnx.load(MODEL)',
    'for index, node in enumerate(model.graph.node):',
    '    node.name = node.name or f"{node.op_type}_{index}"',
    'onnx.save(model, PREPARED)',
    ...foldLines(prepareNames.options, 'PREPARED'),
  ];
}

interface Calibration {
  readonly method: string;
  readonly options: readonly string[];
}

/** How onnxruntime finds activation ranges; an estimator that it lacks is noted. */
export function calibrationOf(estimator: string, notes: Notes): Calibration {
  const [name, parameter] = estimator.split(':');
  switch (name) {
    case 'min-max':
      return { method: 'MinMax', options: [] };
    case 'moving-average':
      return { method: 'MinMax', options: ['"CalibMovingAverage": True'] };
    case 'percentile':
      return {
        method: 'Percentile',
        options: [`"CalibPercentile": ${number(Number(parameter ?? 99.99))}`],
      };
    default:
      notes.add(
        `activation ranges by ${estimator}`,
        'the range of all samples (quantlens encodings --format ort writes the ranges of the recipe)',
        false,
      );
      return { method: 'MinMax', options: [] };
  }
}

function staticBody(
  plan: CodePlan,
  roles: readonly OrtRole[],
  staticRoles: readonly StaticRole[],
  calibration: Calibration,
): readonly string[] {
  const common = commonSettings(staticRoles);
  const weights = staticRoles.filter((role) => !sameSetting(role.weights, common.weights));
  const activations = staticRoles.filter((role) => !sameSetting(role.activations, common.activations));
  const excluded = roles.filter(({ kind }) => kind !== 'static').map(({ layer }) => layer.node);
  const overrides = weights.length + activations.length > 0;
  const types = quantizedOperators(
    staticRoles.map(({ layer }) => layer.op),
    plan.operators,
  );
  const options = [
    ...(common.activations.symmetric ? ['"ActivationSymmetric": True'] : []),
    ...(common.weights.symmetric ? [] : ['"WeightSymmetric": False']),
    ...calibration.options,
    ...plannedOptions(types),
    ...(overrides ? ['"TensorQuantOverrides": overrides'] : []),
  ];
  const reduced = common.weights.reduced ? ['reduce_range=True'] : [];
  const real = realInputLines(roles, 'EXCLUDED');
  const onlyStatic = roles.every(({ kind }) => kind === 'static' || kind === 'float');
  return [
    comment(
      'Float layers, layers of which only the weights are quantized, and products of two activations, about which the recipe does not decide.',
    ),
    strings('EXCLUDED = ', [...excluded, ...plan.others]),
    ...(overrides ? overrideLines(weights, activations) : []),
    call('quantize_static', [
      'PREPARED',
      'OUTPUT',
      'Reader()',
      'quant_format=QuantFormat.QDQ',
      strings('op_types_to_quantize=', types),
      `per_channel=${boolean(common.weights.perChannel)}`,
      ...reduced,
      `activation_type=QuantType.${common.activations.type}`,
      `weight_type=QuantType.${common.weights.type}`,
      'nodes_to_exclude=EXCLUDED',
      `calibrate_method=CalibrationMethod.${calibration.method}`,
      ...(options.length > 0 ? [bracketed('extra_options=', options, ['{', '}'])] : []),
    ]),
    ...(onlyStatic && real.length === 0 ? [] : ['model = onnx.load(OUTPUT)']),
    ...real,
    ...(onlyStatic && real.length > 0 ? ['onnx.save(model, OUTPUT)'] : []),
  ];
}

function overrideLines(
  weights: readonly StaticRole[],
  activations: readonly StaticRole[],
): readonly string[] {
  return [
    'nodes = {node.name: node for node in onnx.load(PREPARED).graph.node}',
    'overrides = {}',
    ...grouped(
      weights.map((role) => ({ ...role.layer, setting: role.weights })),
      ({ setting, axis }) => JSON.stringify([setting, setting.perChannel ? axis : null]),
    ).flatMap((group) => [
      looping(
        'name',
        group.map(({ node }) => node),
      ),
      `    overrides[nodes[name].input[1]] = [${weightOverride(group[0].setting, group[0].axis)}]`,
    ]),
    ...grouped(
      activations.map((role) => ({ ...role.layer, setting: role.activations })),
      ({ setting }) => JSON.stringify(setting),
    ).flatMap((group) => [
      looping(
        'name',
        group.map(({ node }) => node),
      ),
      `    overrides[nodes[name].input[0]] = [${activationOverride(group[0].setting)}]`,
    ]),
  ];
}

function weightOverride({ type, perChannel, symmetric, reduced }: WeightSetting, axis: number): string {
  const parts = [
    `"quant_type": QuantType.${type}`,
    ...(perChannel ? [`"axis": ${axis}`] : []),
    `"symmetric": ${boolean(symmetric)}`,
    ...(reduced ? ['"reduce_range": True'] : []),
  ];
  return `{${parts.join(', ')}}`;
}

function activationOverride({ type, symmetric }: ActivationSetting): string {
  return `{"quant_type": QuantType.${type}, "symmetric": ${boolean(symmetric)}}`;
}

function storedBody(stored: readonly Extract<OrtRole, { kind: 'stored' }>[]): readonly string[] {
  const layers = stored.map(({ layer, weights }) => ({ ...layer, scheme: weights }));
  return [
    comment(
      'Weights alone: DequantizeLinear in front of the operator. quantize_dynamic would compute on integers, but quantize activations too, which the recipe keeps in float.',
    ),
    ...grouped(layers, ({ scheme, axis, weightInput }) =>
      JSON.stringify([scheme, scheme.granularity === 'channel' ? axis : null, weightInput]),
    ).flatMap((group) => {
      const [{ scheme, axis, weightInput }] = group;
      const { bits, signed, symmetric, granularity } = scheme;
      const head = looping(
        'name',
        group.map(({ node }) => node),
      );
      const args = [
        'model',
        'name',
        `bits=${bits}`,
        `signed=${boolean(signed)}`,
        `symmetric=${boolean(symmetric)}`,
        `axis=${granularity === 'channel' ? axis : 'None'}`,
        ...(weightInput === 1 ? [] : [`position=${weightInput}`]),
      ];
      return [comment(describe(scheme)), head, call('store', args, '    ')];
    }),
  ];
}

function blocksBody(blocks: readonly Extract<OrtRole, { kind: 'blocks' }>[]): readonly string[] {
  const layers = blocks.map((role) => ({ ...role.layer, role }));
  return grouped(layers, ({ role: { bits, block, symmetric }, lookup }) =>
    JSON.stringify([bits, block, symmetric, lookup]),
  ).flatMap((group) => {
    const [{ role, lookup }] = group;
    return [
      strings(
        'names = ',
        group.map(({ node }) => node),
      ),
      call('quantizer = MatMulNBitsQuantizer', [
        'model',
        `bits=${role.bits}`,
        `block_size=${role.block}`,
        `is_symmetric=${boolean(role.symmetric)}`,
        'nodes_to_exclude=[node.name for node in model.graph.node if node.name not in names]',
        `op_types_to_quantize=(${lookup ? '"Gather"' : '"MatMul"'},)`,
        ...(lookup ? ['quant_axes=(("Gather", 1),)'] : []),
      ]),
      'quantizer.process()',
      'model = quantizer.model.model',
    ];
  });
}

const readerClass = `class Reader(CalibrationDataReader):
    """Hands the calibration inputs to onnxruntime one by one."""

    def __init__(self):
        self.rewind()

    def get_next(self):
        return next(self.samples, None)

    def rewind(self):
        self.samples = samples()`;

const storeFunction = `def store(model, name, *, bits, signed, symmetric, axis, position=1):
    """Stores a node's weight as codes that DequantizeLinear makes real again."""
    index, node = next(
        (index, node) for index, node in enumerate(model.graph.node) if node.name == name
    )
    initializer = next(
        one for one in model.graph.initializer if one.name == node.input[position]
    )
    weight = numpy_helper.to_array(initializer)
    axes = tuple(one for one in range(weight.ndim) if one != axis)
    low = np.minimum(weight.min(axes), 0).astype(np.float64)
    high = np.maximum(weight.max(axes), 0).astype(np.float64)
    if symmetric:
        top = 2 ** (bits - 1) - 1
        scale = np.maximum(-low, high) / top
        zero = np.full_like(scale, 0 if signed else top + 1)
        limits = zero - top, zero + top
    else:
        bottom = -(2 ** (bits - 1)) if signed else 0
        limits = bottom, bottom + 2**bits - 1
        scale = (high - low) / (2**bits - 1)
        zero = np.rint(bottom - low / np.where(scale == 0, 1, scale))
    scale = np.where(scale == 0, 1, scale).astype(np.float32)
    shape = [-1 if one == axis else 1 for one in range(weight.ndim)]
    wide = [np.reshape(one, shape) for one in (scale, zero)]
    edges = [np.reshape(one, shape) if np.ndim(one) else one for one in limits]
    codes = np.clip(np.rint(weight / wide[0]) + wide[1], *edges).astype(np.int64)
    stored = 4 if bits <= 4 else 8 if bits <= 8 else 16
    kind = getattr(onnx.TensorProto, f"{'' if signed else 'U'}INT{stored}")
    names = [f"{initializer.name}_{part}" for part in ("codes", "scale", "zero_point")]
    for part, type_, values in zip(
        names, (kind, onnx.TensorProto.FLOAT, kind), (codes, scale, zero.astype(np.int64))
    ):
        model.graph.initializer.append(
            onnx.helper.make_tensor(part, type_, values.shape, values.flatten())
        )
    opset = next(one.version for one in model.opset_import if one.domain in ("", "ai.onnx"))
    needed = {4: 21, 8: 10 if axis is None else 13, 16: 21}[stored]
    domain = "" if opset >= needed else "com.microsoft"
    if domain and all(one.domain != domain for one in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(domain, 1))
    real = f"{initializer.name}_dequantized"
    extra = {} if axis is None else {"axis": axis}
    dequantize = onnx.helper.make_node(
        "DequantizeLinear", names, [real], f"{name}_weight", domain=domain, **extra
    )
    node.input[position] = real
    model.graph.node.insert(index, dequantize)
    if all(initializer.name not in one.input for one in model.graph.node):
        model.graph.initializer.remove(initializer)`;

const splitFunction = `def split(model, name):
    """Makes MatMul and Add of a Gemm: blocks exist for MatMul alone."""
    index, node = next(
        (index, node) for index, node in enumerate(model.graph.node) if node.name == name
    )
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    if transposed:
        old = next(one for one in model.graph.initializer if one.name == node.input[1])
        weight = numpy_helper.to_array(old).T.copy()
        node.input[1] = f"{old.name}_transposed"
        model.graph.initializer.append(numpy_helper.from_array(weight, node.input[1]))
        if all(old.name not in one.input for one in model.graph.node):
            model.graph.initializer.remove(old)
    bias = list(node.input[2:])
    output = node.output[0]
    product = f"{output}_product" if bias else output
    matmul = onnx.helper.make_node("MatMul", node.input[:2], [product], name)
    model.graph.node.remove(node)
    model.graph.node.insert(index, matmul)
    if bias:
        add = onnx.helper.make_node("Add", [product, *bias], [output], f"{name}_bias")
        model.graph.node.insert(index + 1, add)`;
