/**
 * A recipe as Python for torchao (checked with 0.18 and torch 2.15). The network is the user's module; layers are named
 * by module path, and the code refuses networks that lack one of them. Source of names and arguments:
 * torchao/quantization/quant_api.py, torchao/quantization/pt2e.
 */
import { type Code, type CodePlan, commonest, grouped, Notes } from './code-plan';
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
  quote,
} from './python';
import { sampleCode } from './samples';
import { defaultSetting, type ExportedSetting, isKnown, type TorchRole, torchRole } from './torchao-roles';

type ExportedRole = Extract<TorchRole, { kind: 'exported' }>;
type TensorRole = Extract<TorchRole, { kind: 'tensor' }>;

/** Methods that the PT2E flow carries out as well. */
const included: ReadonlySet<string> = new Set(['fold-batchnorm']);

export function torchaoCode(plan: CodePlan): Code {
  const notes = new Notes();
  const roles = plan.layers.map((layer) => torchRole(layer, notes));
  for (const method of plan.methods)
    if (!included.has(method)) notes.add(`method ${method}`, 'not part of torchao, so left out', false);
  const exported = roles.filter((role): role is ExportedRole => role.kind === 'exported');
  const tensors = roles.filter((role): role is TensorRole => role.kind === 'tensor');
  const body = exported.length > 0 ? exportedCode(plan, roles, exported, tensors, notes) : eagerCode(tensors);
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
  exported: readonly ExportedRole[],
  tensors: readonly TensorRole[],
  notes: Notes,
): Body {
  const samples = sampleCode(plan, notes);
  const observer = observerOf(plan.estimator, notes);
  const kept = roles.filter(({ kind, layer }) => kind !== 'exported' && isKnown(layer));
  // The shorter list is written: what is left out, or what is taken.
  const global = kept.length <= exported.length;
  const main = commonest(
    exported.map(({ setting }) => setting),
    (one) => JSON.stringify(one),
  );
  const base = global ? main : undefined;
  const special = exported.filter(({ setting }) => JSON.stringify(setting) !== JSON.stringify(base));
  const isDefault = (setting: ExportedSetting) =>
    observer === 'HistogramObserver' && JSON.stringify(setting) === JSON.stringify(defaultSetting);
  const used = [...(base ? [base] : []), ...special.map(({ setting }) => setting)];
  const custom = used.some((setting) => !isDefault(setting));
  const configText = (setting: ExportedSetting) =>
    isDefault(setting)
      ? 'get_default_x86_inductor_quantization_config(is_qat=is_qat)'
      : `config(${settingArguments(setting)}, is_qat=is_qat)`;
  const named = [...(global ? kept : []), ...special];
  const open = plan.inputs.map(({ shape }) => shape[0] === null || shape[0] === undefined);
  return {
    usage: [
      'Import `quantize` and call it with the trained network; run what it returns under',
      '`torch.inference_mode()`, compiled by `torch.compile` where speed counts. To train with',
      'quantization instead, fine-tune what `prepare_training` returns and end with `finish`.',
      ...(plan.recipe ? ['Paths are relative to the folder of the recipe.'] : []),
    ],
    imports: exportedImports(
      samples.imports,
      tensors,
      custom,
      observer,
      global && kept.length > 0,
      used.some(isDefault),
    ),
    blocks: [
      [
        ...(named.length > 0 || tensors.length > 0 ? [moduleList([...named, ...tensors])] : []),
        bracketed(
          'INPUTS = ',
          plan.inputs.map(({ name }) => quote(name)),
          ['[', ']'],
        ),
      ],
      ...samples.blocks,
      calibrationFunction,
      ...(named.length > 0 || tensors.length > 0 ? [checkFunction] : []),
      ...(tensors.length > 0 ? [onlyFunction] : []),
      ...(custom ? [configFunction(observer)] : []),
      [
        'def quantizer(is_qat=False):',
        '    """What becomes of every module."""',
        '    result = X86InductorQuantizer()',
        ...(base ? [`    result.set_global(${configText(base)})`] : []),
        ...settingLoops(special, configText),
        ...(global && kept.length > 0
          ? [
              comment(
                `Float${tensors.length > 0 ? ', or quantized below' : ''}: nothing is observed.`,
                '    ',
              ),
              indented(looping('name', unique(kept.map(({ layer }) => layer.module)))),
              '        unquantized = QuantizationConfig(None, None, None, None, is_qat)',
              '        result.set_module_name_qconfig(name, unquantized)',
            ]
          : []),
        '    return result',
      ],
      [
        'def exported(model):',
        '    """The network as a graph of operators, as quantizers take it."""',
        ...(named.length > 0 || tensors.length > 0 ? ['    check(model)'] : []),
        '    pair = zip(*itertools.islice(calibration(), 2))',
        '    inputs = tuple(torch.cat(tensors) for tensors in pair)',
        ...(open.some(Boolean)
          ? [
              '    batch = {0: torch.export.Dim.AUTO}',
              `    shapes = (${open.map((one) => (one ? 'batch,' : 'None,')).join(' ')})`,
              '    return torch.export.export(model, inputs, dynamic_shapes=shapes).module()',
            ]
          : ['    return torch.export.export(model, inputs).module()']),
      ],
      ...(tensors.length > 0
        ? [
            [
              'def with_small_weights(model):',
              '    """Quantizes the weights of the modules that no quantizer observed."""',
              ...tensorCalls(tensors, 'model'),
              '    return model',
            ],
          ]
        : []),
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
    ],
  };
}

function finished(tensors: readonly TensorRole[]): string {
  const converted = 'convert_pt2e(prepared)';
  return `    return ${tensors.length > 0 ? `with_small_weights(${converted})` : converted}`;
}

function settingLoops(
  special: readonly ExportedRole[],
  configText: (setting: ExportedSetting) => string,
): readonly string[] {
  return grouped(
    special.map(({ layer, setting }) => ({ ...layer, setting })),
    ({ setting }) => JSON.stringify(setting),
  ).flatMap((group) => [
    indented(looping('name', unique(group.map(({ module }) => module)))),
    call('result.set_module_name_qconfig', ['name', configText(group[0].setting)], '        '),
  ]);
}

function settingArguments({ bits, perChannel, activations }: ExportedSetting): string {
  const input =
    activations === undefined
      ? 'None'
      : `(${activations.bits}, ${boolean(activations.signed)}, ${boolean(activations.symmetric)})`;
  return `${bits}, per_channel=${boolean(perChannel)}, activations=${input}`;
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}

type Observer = 'MinMaxObserver' | 'MovingAverageMinMaxObserver' | 'HistogramObserver';

/** HistogramObserver minimises the squared error, as `mse` does. */
function observerOf(estimator: string, notes: Notes): Observer {
  if (estimator === 'min-max') return 'MinMaxObserver';
  if (estimator === 'moving-average') return 'MovingAverageMinMaxObserver';
  if (estimator !== 'mse')
    notes.add(
      `activation ranges by ${estimator}`,
      'HistogramObserver, which minimises the squared error',
      false,
    );
  return 'HistogramObserver';
}

function exportedImports(
  ofSamples: readonly string[],
  tensors: readonly TensorRole[],
  custom: boolean,
  observer: Observer,
  keeps: boolean,
  usesDefault: boolean,
): readonly string[] {
  const pt2e = [
    'move_exported_model_to_eval',
    'move_exported_model_to_train',
    ...(custom
      ? [
          ...['FusedMovingAvgObsFakeQuantize', 'MinMaxObserver', 'MovingAverageMinMaxObserver'],
          ...['MovingAveragePerChannelMinMaxObserver', 'PerChannelMinMaxObserver', observer],
        ]
      : []),
  ];
  const quantizer = 'torchao.quantization.pt2e.quantizer';
  return [
    ...['import itertools', ...ofSamples.filter((line) => line.startsWith('from pathlib'))],
    '',
    ...ofSamples.filter((line) => line.startsWith('import ')),
    ...ofSamples.filter((line) => line.startsWith('from PIL')),
    'import torch',
    ...tensorImports(tensors),
    importing('torchao.quantization.pt2e', pt2e),
    importing('torchao.quantization.pt2e.quantize_pt2e', [
      'convert_pt2e',
      'prepare_pt2e',
      'prepare_qat_pt2e',
    ]),
    ...(custom || keeps
      ? [importing(quantizer, ['QuantizationConfig', ...(custom ? ['QuantizationSpec'] : [])])]
      : []),
    importing(`${quantizer}.x86_inductor_quantizer`, [
      'X86InductorQuantizer',
      ...(usesDefault ? ['get_default_x86_inductor_quantization_config'] : []),
    ]),
  ];
}

function moduleList(roles: readonly TorchRole[]): string {
  return bracketed('MODULES = ', unique(roles.map(({ layer }) => layer.module)).map(quote), ['[', ']']);
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
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

function configFunction(observer: Observer): string {
  return `def config(bits, per_channel, activations, is_qat):
    """Formats of a module; \`activations\` are bits, sign and symmetry of its input."""

    def observed(observer):
        if is_qat:
            return FusedMovingAvgObsFakeQuantize.with_args(observer=observer, eps=2**-12)
        return observer.with_args(eps=2**-12)

    if per_channel:
        observer = MovingAveragePerChannelMinMaxObserver if is_qat else PerChannelMinMaxObserver
    else:
        observer = MovingAverageMinMaxObserver if is_qat else MinMaxObserver
    top = 2 ** (bits - 1) - 1
    weights = QuantizationSpec(
        dtype=torch.int8,
        quant_min=-top,
        quant_max=top,
        qscheme=torch.per_channel_symmetric if per_channel else torch.per_tensor_symmetric,
        ch_axis=0 if per_channel else None,
        observer_or_fake_quant_ctr=observed(observer),
    )
    if activations is None:
        return QuantizationConfig(None, None, weights, None, is_qat)
    width, signed, symmetric = activations
    lowest = -(2 ** (width - 1)) if signed else 0
    inputs = QuantizationSpec(
        dtype=torch.int8 if signed else torch.uint8,
        quant_min=lowest,
        quant_max=lowest + 2**width - 1,
        qscheme=torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine,
        observer_or_fake_quant_ctr=observed(
            MovingAverageMinMaxObserver if is_qat else ${observer}
        ),
    )
    return QuantizationConfig(inputs, inputs, weights, None, is_qat)`;
}
