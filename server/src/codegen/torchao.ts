/**
 * A recipe as Python for torchao (checked with 0.18 and torch 2.15). The network is the user's module; layers are named
 * by module path, and the code refuses networks that lack one of them. Source of names and arguments:
 * torchao/quantization/quant_api.py, torchao/quantization/pt2e.
 */
import { type Code, type CodePlan, grouped, Notes } from './code-plan';
import { bracketed, call, docstring, file, importing, indented, noteLines, quote } from './python';
import { sampleCode } from './samples';
import {
  configFunction,
  type Observer,
  observerOf,
  type QuantizerCode,
  quantizerCode,
  quantizerImports,
  unique,
} from './torchao-quantizer';
import { type ExportedRole, type TensorRole, type TorchRole, torchRole } from './torchao-roles';

/** Methods that the PT2E flow carries out as well. */
const included: ReadonlySet<string> = new Set(['fold-batchnorm']);

export function torchaoCode(plan: CodePlan): Code {
  const notes = new Notes();
  const roles = plan.layers.map((layer) => torchRole(layer, notes));
  for (const method of plan.methods)
    if (!included.has(method)) notes.add(`method ${method}`, 'not part of torchao, so left out', false);
  const exported = roles.filter((role): role is ExportedRole => role.kind === 'exported');
  const tensors = roles.filter((role): role is TensorRole => role.kind === 'tensor');
  const body = exported.length > 0 ? exportedCode(plan, roles, tensors, notes) : eagerCode(tensors);
  const text = file([
    docstring([
      `Quantizes the network of ${plan.model} with torchao${plan.recipe ? ` as ${plan.recipe} decides` : ''}.`,
      ...body.usage,
    ]),
    body.imports,
    noteLines(notes.list),
    ...body.blocks,
  ]);
  return { text, notes: notes.list };
}

interface Body {
  readonly usage: readonly string[];
  readonly imports: readonly string[];
  readonly blocks: readonly (string | readonly string[])[];
}

function eagerCode(tensors: readonly TensorRole[]): Body {
  return {
    usage: ['Import `quantize` and call it with the trained network.'],
    imports: ['import torch', ...tensorImports(tensors)],
    blocks: [
      moduleList(tensors),
      checkFunction,
      ...(tensors.length > 0 ? [onlyFunction] : []),
      [
        'def quantize(model):',
        '    """Quantizes exactly the named modules of `model` in place and returns it."""',
        '    check(model)',
        ...tensorCalls(tensors, 'model'),
        '    return model',
      ],
    ],
  };
}

function tensorImports(tensors: readonly TensorRole[]): readonly string[] {
  if (tensors.length === 0) return [];
  return [
    importing('torchao.quantization', ['quantize_', ...tensors.flatMap(({ setting }) => setting.names)]),
  ];
}

/** `quantize_` for each configuration, for exactly its modules. */
function tensorCalls(tensors: readonly TensorRole[], model: string): readonly string[] {
  return grouped(
    tensors.map(({ layer, setting }) => ({ ...layer, setting })),
    ({ setting }) => setting.text,
  ).map((group) =>
    call(
      'quantize_',
      [
        model,
        group[0].setting.text,
        `filter_fn=${bracketed('only(', unique(group.map(({ module }) => module)).map(quote), ['{', '}'], '', ')')}`,
      ],
      '    ',
    ),
  );
}

function exportedCode(
  plan: CodePlan,
  roles: readonly TorchRole[],
  tensors: readonly TensorRole[],
  notes: Notes,
): Body {
  const samples = sampleCode(plan, notes);
  const observer = observerOf(plan.estimator, notes);
  const quantizer = quantizerCode(roles, observer, 'result', 'is_qat');
  const modules = [...quantizer.named, ...tensors];
  const checks = modules.length > 0;
  return {
    usage: [
      'Import `quantize` and call it with the trained network; run what it returns under',
      '`torch.inference_mode()`, compiled by `torch.compile` where speed counts. To train with',
      'quantization instead, fine-tune what `prepare_training` returns and end with `finish`.',
      ...(plan.recipe ? ['Paths are relative to the folder of the recipe.'] : []),
    ],
    imports: exportedImports(samples.imports, tensors, quantizer, observer),
    blocks: [
      [...(checks ? [moduleList(modules)] : []), inputList(plan)],
      ...samples.blocks,
      calibrationFunction,
      ...(checks ? [checkFunction] : []),
      ...(tensors.length > 0 ? [onlyFunction] : []),
      ...(quantizer.custom ? [configFunction(observer)] : []),
      quantizerFunction(quantizer),
      exportFunction(plan, checks),
      ...(tensors.length > 0 ? [smallWeightsFunction(tensors)] : []),
      ...flowFunctions(tensors),
    ],
  };
}

function inputList({ inputs }: CodePlan): string {
  return bracketed(
    'INPUTS = ',
    inputs.map(({ name }) => quote(name)),
    ['[', ']'],
  );
}

function quantizerFunction({ lines }: QuantizerCode): readonly string[] {
  return [
    'def quantizer(is_qat=False):',
    '    """What becomes of every module."""',
    ...lines.map(indented),
    '    return result',
  ];
}

/** @param checks whether modules are named that the network must have. */
function exportFunction({ inputs }: CodePlan, checks: boolean): readonly string[] {
  const open = inputs.map(({ shape }) => shape[0] === null || shape[0] === undefined);
  return [
    'def exported(model):',
    '    """The network as a graph of operators, as quantizers take it."""',
    ...(checks ? ['    check(model)'] : []),
    '    pair = zip(*itertools.islice(calibration(), 2))',
    '    inputs = tuple(torch.cat(tensors) for tensors in pair)',
    ...(open.some(Boolean)
      ? [
          '    batch = {0: torch.export.Dim.AUTO}',
          `    shapes = (${open.map((one) => (one ? 'batch,' : 'None,')).join(' ')})`,
          '    return torch.export.export(model, inputs, dynamic_shapes=shapes).module()',
        ]
      : ['    return torch.export.export(model, inputs).module()']),
  ];
}

function smallWeightsFunction(tensors: readonly TensorRole[]): readonly string[] {
  return [
    'def with_small_weights(model):',
    '    """Quantizes the weights of the modules that no quantizer observed."""',
    ...tensorCalls(tensors, 'model'),
    '    return model',
  ];
}

/** The two ways to a quantized network: calibration, and fine-tuning in two steps. */
function flowFunctions(tensors: readonly TensorRole[]): readonly (readonly string[])[] {
  return [
    [
      'def quantize(model):',
      '    """Returns `model` quantized, its ranges taken from the calibration inputs."""',
      '    prepared = prepare_pt2e(exported(model.eval()), quantizer())',
      '    with torch.no_grad():',
      '        for inputs in calibration():',
      '            prepared(*inputs)',
      finished(tensors),
    ],
    [
      'def prepare_training(model):',
      '    """Returns `model` with fake quantization, for a few epochs of fine-tuning."""',
      '    prepared = prepare_qat_pt2e(exported(model.train()), quantizer(is_qat=True))',
      '    move_exported_model_to_train(prepared)',
      '    return prepared',
    ],
    [
      'def finish(prepared):',
      '    """Returns what was fine-tuned, quantized."""',
      '    move_exported_model_to_eval(prepared)',
      finished(tensors),
    ],
  ];
}

function finished(tensors: readonly TensorRole[]): string {
  const converted = 'convert_pt2e(prepared)';
  return `    return ${tensors.length > 0 ? `with_small_weights(${converted})` : converted}`;
}

function exportedImports(
  ofSamples: readonly string[],
  tensors: readonly TensorRole[],
  quantizer: QuantizerCode,
  observer: Observer,
): readonly string[] {
  const modules = new Map<string, string[]>([
    ['torchao.quantization.pt2e', ['move_exported_model_to_eval', 'move_exported_model_to_train']],
    ['torchao.quantization.pt2e.quantize_pt2e', ['convert_pt2e', 'prepare_pt2e', 'prepare_qat_pt2e']],
  ]);
  for (const { module, names } of [...quantizerImports(quantizer, observer)])
    modules.set(module, [...(modules.get(module) ?? []), ...names]);
  return [
    ...['import itertools', ...ofSamples.filter((line) => line.startsWith('from pathlib'))],
    '',
    ...ofSamples.filter((line) => line.startsWith('import ')),
    ...ofSamples.filter((line) => line.startsWith('from PIL')),
    'import torch',
    ...tensorImports(tensors),
    ...[...modules]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([module, names]) => importing(module, names)),
  ];
}

function moduleList(roles: readonly TorchRole[]): string {
  return bracketed('MODULES = ', unique(roles.map(({ layer }) => layer.module)).map(quote), ['[', ']']);
}

const checkFunction = `def check(model):
    """Refuses a network that is not the one the recipe speaks of."""
    modules = {name for name, _ in model.named_modules()}
    missing = [name for name in MODULES if name not in modules]
    if missing:
        raise ValueError(f"the network has no module {', '.join(missing)}")`;

const onlyFunction = `def only(names):
    """Filter for \`quantize_\`: exactly these modules."""
    return lambda module, name: name in names`;

const calibrationFunction = `def calibration():
    """Calibration inputs as tuples of tensors, one sample at a time."""
    for sample in samples():
        yield tuple(torch.from_numpy(sample[name]) for name in INPUTS)`;
