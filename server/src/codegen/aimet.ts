/**
 * A recipe as Python for AIMET (checked with aimet-onnx 2.42): every quantizer of the simulation is off until a layer of
 * the plan turns its own on. Scales come from calibration, or from encodings that `quantlens encodings` wrote. Source of
 * names and arguments: aimet_onnx/{quantsim,qc_quantize_op,defs}.py.
 */
import type { QuantScheme } from '../engine/numerics/scheme';
import { type Code, type CodeLayer, type CodePlan, grouped, Notes } from './code-plan';
import { boolean, call, comment, docstring, file, importing, noteLines, quote, strings } from './python';
import { sampleCode } from './samples';

/** What becomes of one layer: specifications as they are written. */
interface AimetSetting {
  readonly weights: string;
  /** undefined = activations stay float. */
  readonly activations: string | undefined;
}

/** Widths that AIMET writes as integers. */
const storedBits: readonly number[] = [4, 8, 16];

/** Methods that the code carries out as well. */
const included: ReadonlySet<string> = new Set(['fold-batchnorm']);

export function aimetCode(plan: CodePlan): Code {
  const notes = new Notes();
  const layers = plan.layers.flatMap((layer) => {
    const setting = settingOf(layer, notes);
    return setting ? [{ ...layer, setting }] : [];
  });
  for (const method of plan.methods)
    if (!included.has(method)) notes.add(`method ${method}`, 'not called here, so left out', false);
  const odd = layers.some(({ weights, activations }) =>
    [weights, activations].some((one) => one && !storedBits.includes(one.bits)),
  );
  if (odd)
    notes.add(
      'widths that ONNX has no type for',
      'the float model and its encodings are written, not a model with integers',
      false,
    );
  const samples = sampleCode(plan, notes);
  const scheme = schemeOf(plan.estimator, notes);
  const stem = plan.output.replace(/\.onnx$/i, '');
  const encodings = `${stem}.recipe.encodings`;
  const given = plan.recipe ?? 'RECIPE';
  const standard = [
    ...samples.imports.filter((line) => line.startsWith('from pathlib')),
    'from pathlib import Path',
  ];
  const third = samples.imports.filter((line) => !line.startsWith('from pathlib'));
  const text = file([
    docstring([
      `Simulates ${plan.model} quantized, with AIMET${plan.recipe ? ` as ${plan.recipe} decides` : ''}.`,
      ...(plan.recipe ? ['Paths are relative to the folder of the recipe.'] : []),
    ]),
    [
      'import json',
      ...new Set(standard),
      '',
      ...third.filter((line) => line.startsWith('import ')),
      'import onnx',
      ...third.filter((line) => line.startsWith('from ')),
      importing('aimet_onnx', ['QSpec', 'QuantizationSimModel', 'qtype']),
      importing('aimet_onnx.batch_norm_fold', ['fold_all_batch_norms_to_weight']),
      importing('aimet_onnx.common.defs', ['QuantScheme']),
      importing('aimet_onnx.quantsim', ['load_encodings_to_sim']),
    ],
    [
      `MODEL = ${quote(plan.model)}`,
      `OUTPUT = ${quote(plan.output)}`,
      comment(
        `Scales and zero points of the recipe, if they shall be used: quantlens encodings ${plan.model} --recipe ${given} --format aimet-2.0.0 -o ${encodings}`,
      ),
      `ENCODINGS = ${quote(encodings)}`,
    ],
    noteLines(notes.list),
    ...samples.blocks,
    sourceFunction,
    configureFunction,
    simulation(plan, layers, { scheme, odd }),
  ]);
  return { text, notes: notes.list };
}

/** The simulation: what is quantized, where scales come from, what is written. */
function simulation(
  plan: CodePlan,
  layers: readonly (CodeLayer & { setting: AimetSetting })[],
  { scheme, odd }: { readonly scheme: string; readonly odd: boolean },
): readonly string[] {
  return [
    'model = onnx.load(MODEL)',
    ...(plan.unnamed
      ? [
          'for index, node in enumerate(model.graph.node):',
          '    node.name = node.name or f"{node.op_type}_{index}"',
        ]
      : []),
    comment('Folding BatchNormalization takes away the tensor behind it.'),
    'renamed = {',
    '    node.output[0]: node.input[0]',
    '    for node in model.graph.node',
    '    if node.op_type == "BatchNormalization"',
    '}',
    'fold_all_batch_norms_to_weight(model)',
    'inputs = {node.name: list(node.input) for node in model.graph.node}',
    'producers = {name: node for node in model.graph.node for name in node.output}',
    `sim = QuantizationSimModel(model, quant_scheme=QuantScheme.${scheme})`,
    'quantizers = sim.qc_quantize_op_dict',
    comment('Only what the recipe decides about is quantized.'),
    'for quantizer in quantizers.values():',
    '    quantizer.enabled = False',
    ...grouped(layers, ({ setting, weightInput }) => JSON.stringify([setting, weightInput])).flatMap(
      (group) => settingLines(group),
    ),
    'if Path(ENCODINGS).exists():',
    '    given = json.loads(Path(ENCODINGS).read_text(encoding="utf-8"))',
    '    for one in given["encodings"]:',
    '        one["name"] = renamed.get(one["name"], one["name"])',
    '    given["encodings"] = [one for one in given["encodings"] if one["name"] in quantizers]',
    '    load_encodings_to_sim(sim, given, strict=False)',
    'else:',
    '    sim.compute_encodings(samples())',
    ...(odd
      ? ['sim.export(str(Path(OUTPUT).parent), Path(OUTPUT).stem)']
      : [
          'onnx.save(sim.to_onnx_qdq(), OUTPUT)',
          'sim.export(str(Path(OUTPUT).parent), Path(OUTPUT).stem, export_model=False)',
        ]),
  ];
}

function settingLines(
  group: readonly [CodeLayer & { setting: AimetSetting }, ...(CodeLayer & { setting: AimetSetting })[]],
): string {
  const [{ setting, weightInput }] = group;
  return call('configure', [
    strings(
      '',
      group.map(({ node }) => node),
    ),
    setting.weights,
    ...(setting.activations === undefined ? [] : [setting.activations]),
    ...(weightInput === 1 ? [] : [`position=${weightInput}`]),
  ]);
}

function settingOf(layer: CodeLayer, notes: Notes): AimetSetting | undefined {
  const { weights, activations } = layer;
  if (weights === undefined) return undefined;
  if (layer.lookup || !operators.has(layer.op)) {
    notes.add(
      `${layer.op} ${layer.lookup ? 'of a table' : 'with integer weights'} is not simulated`,
      'the layer stays float',
      true,
      layer.name,
    );
    return undefined;
  }
  return { weights: weightSpec(layer, weights, notes), activations: activations && perTensor(activations) };
}

const operators: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

function weightSpec(layer: CodeLayer, weights: QuantScheme, notes: Notes): string {
  const { bits, symmetric, granularity } = weights;
  const type = `qtype.int(${bits})`;
  if (granularity === 'tensor') return perTensor(weights);
  if (typeof granularity !== 'string' && granularity.group < layer.perChannel) {
    const { group } = granularity;
    if (layer.matrix && layer.perChannel % group === 0)
      return `QSpec.blockwise(${type}, ${group}, symmetric=${boolean(symmetric)})`;
    notes.add(`a scale per ${group} inputs`, 'a scale per channel', true, layer.name);
  }
  return `QSpec.per_channel(${type}, symmetric=${boolean(symmetric)})`;
}

function perTensor({ bits, symmetric }: QuantScheme): string {
  return `QSpec.per_tensor(qtype.int(${bits}), symmetric=${boolean(symmetric)})`;
}

/** `post_training_tf_enhanced` takes the range with the smallest squared error, as `mse` does. */
function schemeOf(estimator: string, notes: Notes): string {
  if (estimator === 'mse') return 'post_training_tf_enhanced';
  if (estimator !== 'min-max')
    notes.add(
      `activation ranges by ${estimator}`,
      'the range of all samples, unless encodings are loaded',
      false,
    );
  return 'min_max';
}

const configureFunction = `def configure(names, weights, activations=None, position=1):
    """Turns on the quantizers of layers: of the weight and, if they have one, of the input."""
    for name in names:
        weight = quantizers[inputs[name][position]]
        weight.enabled = True
        weight.set_quant_scheme(QuantScheme.min_max)
        weight.set_qspec(weights)
        if activations is not None:
            activation = quantizers[source(inputs[name][1 - position])]
            activation.enabled = True
            activation.set_qspec(activations)`;

const sourceFunction = `def source(tensor):
    """The tensor with a quantizer of its own that this one is moved from."""
    while tensor not in quantizers:
        tensor = producers[tensor].input[0]
    return tensor`;
