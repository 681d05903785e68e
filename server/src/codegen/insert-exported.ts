/** Blocks that quantize the exported program of a network (PT2E): static, or with a few epochs of fine-tuning. */
import type { NeededImport } from '../script/edit-imports';
import { pathOf } from '../script/names';
import { Notes } from './code-plan';
import { batchKind } from './insert-batches';
import {
  type Block,
  heading,
  type InsertionInput,
  loaderNotes,
  named,
  type Refusal,
  refusal,
} from './insert-block';
import { type Loader, loadersAt } from './insert-data';
import { freeName, type Place } from './insert-place';
import { tensorImports, tensorLines } from './insert-tensor';
import { comment, noteLines } from './python';
import {
  configFunction,
  type Observer,
  observerOf,
  type QuantizerCode,
  quantizerCode,
  quantizerImports,
} from './torchao-quantizer';
import { type TensorRole, type TorchRole, torchRole } from './torchao-roles';

const pt2e = 'torchao.quantization.pt2e';

/** Names of a block, none of which the script has. */
interface Names {
  readonly network: string;
  readonly quantizer: string;
  readonly prepared: string;
  readonly example: string;
  readonly exported: string;
  readonly quantized: string;
  readonly optimizer: string;
}

/** Static quantization, or fine-tuning, of the exported program (PT2E). */
export function exportedBlock(input: InsertionInput, place: Place, training: boolean): Block | Refusal {
  const chosen = loaderFor(input, place, training);
  if ('lack' in chosen) return chosen;
  const { plan } = input;
  const notes = new Notes();
  const roles = plan?.layers.map((layer) => torchRole(layer, notes)) ?? [];
  if (plan && !roles.some(({ kind }) => kind === 'exported')) return refusal('recipe', plan.recipe);
  // Weights alone are quantized behind the conversion.
  const tensors = roles.filter((role): role is TensorRole => role.kind === 'tensor');
  const observer = plan ? observerOf(plan.estimator, notes) : 'HistogramObserver';
  const names = namesAt(place);
  const made = plan
    ? quantizerCode(roles, observer, names.quantizer, pythonTruth(training))
    : defaultQuantizer(names.quantizer, training);
  const { loader, several } = chosen;
  const steps = training
    ? trainingLines(names, loader.name, lossOf(input, place))
    : calibrationLines(names, loader.name, several);
  return {
    lines: [
      heading(training ? trainingTitle : staticTitle, plan),
      ...loaderNotes(training ? { ...loader, isRandom: false } : loader),
      ...noteLines(notes.list),
      ...loader.lines,
      ...exportLines(names, place.model, { loader, several, training, made, observer }),
      ...steps,
      `${names.quantized} = convert_pt2e(${names.prepared})`,
      ...smallWeights(tensors, names.quantized),
    ],
    imports: blockImports(made, observer, training, tensors),
  };
}

const staticTitle = 'Static quantization (PT2E): ranges come from a few batches';
const trainingTitle = 'Quantization-aware training (PT2E): a few epochs on the trained network';

function pythonTruth(training: boolean): string {
  return training ? 'True' : 'False';
}

function namesAt(place: Place): Names {
  const name = (wanted: string) => freeName(place, wanted);
  return {
    network: name('network'),
    quantizer: name('quantizer'),
    prepared: name('prepared'),
    example: name('example'),
    exported: name('exported'),
    quantized: name('quantized_network'),
    optimizer: name('fine_tuning'),
  };
}

/** Without a recipe all layers are treated alike. */
function defaultQuantizer(quantizer: string, training: boolean): QuantizerCode {
  const config = `get_default_x86_inductor_quantization_config(is_qat=${pythonTruth(training)})`;
  return {
    lines: [`${quantizer} = X86InductorQuantizer()`, `${quantizer}.set_global(${config})`],
    named: [],
    custom: false,
    usesDefault: true,
    keeps: false,
  };
}

interface ExportOptions {
  readonly loader: Loader;
  readonly several: boolean;
  readonly training: boolean;
  readonly made: QuantizerCode;
  readonly observer: Observer;
}

function exportLines(
  { network, example, exported }: Names,
  model: string,
  { loader, several, training, made, observer }: ExportOptions,
): readonly string[] {
  return [
    `${network} = copy.deepcopy(${model}).cpu().${training ? 'train' : 'eval'}()`,
    `${example}${several ? ', *_' : ''} = next(iter(${loader.name}))`,
    ...(made.custom ? ['', configFunction(observer), ''] : []),
    ...made.lines,
    `${exported} = torch.export.export(`,
    `    ${network}, (${example},), dynamic_shapes=({0: torch.export.Dim.AUTO},)`,
    ').module()',
  ];
}

function calibrationLines(
  { prepared, exported, quantizer }: Names,
  loader: string,
  several: boolean,
): readonly string[] {
  return [
    `${prepared} = prepare_pt2e(${exported}, ${quantizer})`,
    'with torch.no_grad():',
    `    for _, ${several ? '(inputs, *_)' : 'inputs'} in zip(range(32), ${loader}):`,
    `        ${prepared}(inputs)`,
  ];
}

function trainingLines(
  { prepared, exported, quantizer, optimizer }: Names,
  loader: string,
  loss: string,
): readonly string[] {
  return [
    `${prepared} = prepare_qat_pt2e(${exported}, ${quantizer})`,
    `move_exported_model_to_train(${prepared})`,
    `${optimizer} = torch.optim.SGD(${prepared}.parameters(), lr=1e-4, momentum=0.9)`,
    'for epoch in range(3):',
    '    if epoch == 2:',
    comment('The ranges stand still at the end.', '        '),
    `        ${prepared}.apply(disable_observer)`,
    `    for inputs, targets, *_ in ${loader}:`,
    `        loss = ${loss}(${prepared}(inputs), targets)`,
    `        ${optimizer}.zero_grad()`,
    '        loss.backward()',
    `        ${optimizer}.step()`,
    `move_exported_model_to_eval(${prepared})`,
  ];
}

function smallWeights(tensors: readonly TensorRole[], network: string): readonly string[] {
  if (tensors.length === 0) return [];
  return [
    comment(
      'What quantize_ makes of an exported program does not run with gradients: run it under torch.inference_mode().',
    ),
    ...tensorLines(tensors, network),
  ];
}

function blockImports(
  made: QuantizerCode,
  observer: Observer,
  training: boolean,
  tensors: readonly TorchRole[],
): readonly NeededImport[] {
  const prepare = training ? 'prepare_qat_pt2e' : 'prepare_pt2e';
  const moves = ['disable_observer', 'move_exported_model_to_eval', 'move_exported_model_to_train'];
  return [
    { module: 'copy' },
    { module: 'torch' },
    ...quantizerImports(made, observer).map(named),
    named({ module: `${pt2e}.quantize_pt2e`, names: ['convert_pt2e', prepare] }),
    ...(training ? [named({ module: pt2e, names: moves })] : []),
    ...tensorImports(tensors.flatMap((role) => (role.kind === 'tensor' ? [role] : []))),
  ];
}

/** The best loader whose batches can be taken apart, or what all of them lack. */
function loaderFor(
  input: InsertionInput,
  place: Place,
  training: boolean,
): { readonly loader: Loader; readonly several: boolean } | Refusal {
  const all = loadersAt(input, place, training ? 'training' : 'calibration');
  const [first] = all;
  if (!first) return refusal('no-loader');
  const fit = all.filter(({ isHeldOut }) => !training || !isHeldOut);
  if (fit.length === 0) return refusal('only-held-out', first.name);
  for (const loader of fit) {
    const kind = batchKind(input, loader);
    if (kind === 'several' || (kind === 'single' && !training))
      return { loader, several: kind === 'several' };
  }
  const best = fit[0] ?? first;
  return refusal(batchKind(input, best) === 'single' ? 'no-labels' : 'dictionaries', best.name);
}

/** A loss that the script has: an object or a function; cross-entropy without one. */
function lossOf({ program }: InsertionInput, { scope }: Place): string {
  for (let current: Place['scope'] | undefined = scope; current; current = current.parent)
    for (const [name, bindings] of current.names) {
      const [only] = bindings;
      const value = only?.kind === 'variable' ? only.value : undefined;
      const path = value?.kind === 'call' ? pathOf(value.callee, current) : undefined;
      if (path !== undefined && /^torch\.nn\.(modules\.loss\.)?\w+Loss$/.test(path)) return name;
    }
  for (const { path } of program.calls)
    if (path !== undefined && /^torch\.nn\.functional\.\w*(cross_entropy|loss)\w*$/.test(path)) return path;
  return 'torch.nn.functional.cross_entropy';
}
