/** Python that sets up an X86InductorQuantizer: a setting for all modules, and loops for those that differ. */
import { commonest, grouped, type Notes } from './code-plan';
import { boolean, call, comment, indented, looping } from './python';
import {
  defaultSetting,
  type ExportedRole,
  type ExportedSetting,
  isKnown,
  type TorchRole,
} from './torchao-roles';

export interface QuantizerCode {
  /** Statements that make and fill the variable. */
  readonly lines: readonly string[];
  /** Layers whose modules are named. */
  readonly named: readonly TorchRole[];
  /** Calls `config`, see {@link configFunction}. */
  readonly custom: boolean;
  readonly usesDefault: boolean;
  /** Names modules that stay as they are. */
  readonly keeps: boolean;
}

/** @param isQat expression for whether the network will be trained. */
export function quantizerCode(
  roles: readonly TorchRole[],
  observer: Observer,
  variable: string,
  isQat: string,
): QuantizerCode {
  const exported = roles.filter((role): role is ExportedRole => role.kind === 'exported');
  const kept = roles.filter(({ kind, layer }) => kind !== 'exported' && isKnown(layer));
  const key = (setting: ExportedSetting | undefined) => JSON.stringify(setting);
  // The shorter list is written: what is left out, or what is taken.
  const global = kept.length <= exported.length;
  const main = commonest(
    exported.map(({ setting }) => setting),
    key,
  );
  const base = global ? main : undefined;
  const special = exported.filter(({ setting }) => key(setting) !== key(base));
  const isDefault = (setting: ExportedSetting) =>
    observer === 'HistogramObserver' && key(setting) === key(defaultSetting);
  const used = [...(base ? [base] : []), ...special.map(({ setting }) => setting)];
  const text = (setting: ExportedSetting) =>
    isDefault(setting)
      ? `get_default_x86_inductor_quantization_config(is_qat=${isQat})`
      : `config(${settingArguments(setting)}, is_qat=${isQat})`;
  const keeps = global && kept.length > 0;
  return {
    lines: [
      `${variable} = X86InductorQuantizer()`,
      ...(base ? [`${variable}.set_global(${text(base)})`] : []),
      ...settingLoops(special, variable, text),
      ...(keeps
        ? [
            comment('These stay float here: nothing of them is observed.'),
            looping('name', unique(kept.map(({ layer }) => layer.module))),
            `    unquantized = QuantizationConfig(None, None, None, None, ${isQat})`,
            `    ${variable}.set_module_name_qconfig(name, unquantized)`,
          ]
        : []),
    ],
    named: [...(global ? kept : []), ...special],
    custom: used.some((setting) => !isDefault(setting)),
    usesDefault: used.some(isDefault),
    keeps,
  };
}

function settingLoops(
  special: readonly ExportedRole[],
  variable: string,
  text: (setting: ExportedSetting) => string,
): readonly string[] {
  return grouped(
    special.map(({ layer, setting }) => ({ ...layer, setting })),
    ({ setting }) => JSON.stringify(setting),
  ).flatMap((group) => [
    looping('name', unique(group.map(({ module }) => module))),
    indented(call(`${variable}.set_module_name_qconfig`, ['name', text(group[0].setting)])),
  ]);
}

function settingArguments({ bits, perChannel, activations }: ExportedSetting): string {
  const input =
    activations === undefined
      ? 'None'
      : `(${activations.bits}, ${boolean(activations.signed)}, ${boolean(activations.symmetric)})`;
  return `${bits}, per_channel=${boolean(perChannel)}, activations=${input}`;
}

export type Observer = 'MinMaxObserver' | 'MovingAverageMinMaxObserver' | 'HistogramObserver';

/** HistogramObserver minimises the squared error, as `mse` does. */
export function observerOf(estimator: string, notes: Notes): Observer {
  if (estimator === 'min-max') return 'MinMaxObserver';
  if (estimator === 'moving-average') return 'MovingAverageMinMaxObserver';
  if (estimator !== 'mse') {
    const instead = 'HistogramObserver, which minimises the squared error';
    notes.add(`activation ranges by ${estimator}`, instead, false);
  }
  return 'HistogramObserver';
}

export function quantizerImports(
  { custom, keeps, usesDefault }: QuantizerCode,
  observer: Observer,
): readonly { readonly module: string; readonly names: readonly string[] }[] {
  const pt2e = 'torchao.quantization.pt2e';
  return [
    ...(custom
      ? [
          {
            module: pt2e,
            names: [
              ...['FusedMovingAvgObsFakeQuantize', 'MinMaxObserver', 'MovingAverageMinMaxObserver'],
              ...['MovingAveragePerChannelMinMaxObserver', 'PerChannelMinMaxObserver', observer],
            ],
          },
        ]
      : []),
    ...(custom || keeps
      ? [
          {
            module: `${pt2e}.quantizer`,
            names: ['QuantizationConfig', ...(custom ? ['QuantizationSpec'] : [])],
          },
        ]
      : []),
    {
      module: `${pt2e}.quantizer.x86_inductor_quantizer`,
      names: [
        'X86InductorQuantizer',
        ...(usesDefault ? ['get_default_x86_inductor_quantization_config'] : []),
      ],
    },
  ];
}

export function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

export function configFunction(observer: Observer): string {
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
