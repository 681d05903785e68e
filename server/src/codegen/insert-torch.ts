/** Blocks for scripts that quantize the network in memory: PT2E, with fine-tuning or without, and `quantize_` of torchao. */
import type { NeededImport } from '../script/edit-imports';
import { pathOf } from '../script/names';
import { Notes } from './code-plan';
import {
  type Block,
  heading,
  heldOutNote,
  type InsertionInput,
  named,
  type Refusal,
  refusal,
} from './insert-block';
import { batchTarget, freeName, type Loader, loadersAt, type Place } from './insert-place';
import { bracketed, call, comment, noteLines, quote } from './python';
import { configFunction, observerOf, quantizerCode, quantizerImports, unique } from './torchao-quantizer';
import { torchRole } from './torchao-roles';

/** Static quantization, or fine-tuning, of the exported program (PT2E). */
export function exportedBlock(input: InsertionInput, place: Place, training: boolean): Block | Refusal {
  const chosen = loaderFor(input, place, training);
  if ('lack' in chosen) return chosen;
  const { several } = chosen;
  const { name: loader } = chosen.loader;
  const { plan } = input;
  const notes = new Notes();
  const isQat = training ? 'True' : 'False';
  const name = (wanted: string) => freeName(place, wanted);
  const [copied, quantizer, prepared] = [name('network'), name('quantizer'), name('prepared')];
  const [inputs, exported, quantized] = [name('example'), name('exported'), name('quantized_network')];
  const roles = plan?.layers.map((layer) => torchRole(layer, notes)) ?? [];
  // Weights alone are quantized behind the conversion.
  const tensors = roles.flatMap((role) => (role.kind === 'tensor' ? [role] : []));
  const observer = plan ? observerOf(plan.estimator, notes) : 'HistogramObserver';
  const fallback = {
    lines: [
      `${quantizer} = X86InductorQuantizer()`,
      `${quantizer}.set_global(get_default_x86_inductor_quantization_config(is_qat=${isQat}))`,
    ],
    named: [],
    custom: false,
    usesDefault: true,
    keeps: false,
  };
  if (plan && !roles.some(({ kind }) => kind === 'exported')) return refusal('recipe', plan.recipe);
  const made = plan ? quantizerCode(roles, observer, quantizer, isQat) : fallback;
  const batch = several ? '(inputs, *_)' : 'inputs';
  const loss = training ? lossOf(input, place) : '';
  const optimizer = name('fine_tuning');
  const pt2e = 'torchao.quantization.pt2e';
  const lines = [
    heading(
      training
        ? 'Quantization-aware training (PT2E): a few epochs on the trained network'
        : 'Static quantization (PT2E): ranges come from a few batches',
      plan,
    ),
    ...heldOutNote(chosen.loader),
    ...noteLines(notes.list),
    `${copied} = copy.deepcopy(${place.model}).cpu().${training ? 'train' : 'eval'}()`,
    several ? `${inputs}, *_ = next(iter(${loader}))` : `${inputs} = next(iter(${loader}))`,
    ...(made.custom ? ['', configFunction(observer), ''] : []),
    ...made.lines,
    `${exported} = torch.export.export(`,
    `    ${copied}, (${inputs},), dynamic_shapes=({0: torch.export.Dim.AUTO},)`,
    ').module()',
    ...(training
      ? [
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
        ]
      : [
          `${prepared} = prepare_pt2e(${exported}, ${quantizer})`,
          'with torch.no_grad():',
          `    for _, ${batch} in zip(range(32), ${loader}):`,
          `        ${prepared}(inputs)`,
        ]),
    `${quantized} = convert_pt2e(${prepared})`,
    ...(tensors.length > 0
      ? [
          comment(
            'What quantize_ makes of an exported program does not run with gradients: run it under torch.inference_mode().',
          ),
        ]
      : []),
    ...tensorLines(tensors, quantized),
  ];
  return {
    lines,
    imports: [
      { module: 'copy' },
      { module: 'torch' },
      ...quantizerImports(made, observer).map(named),
      named({
        module: `${pt2e}.quantize_pt2e`,
        names: ['convert_pt2e', training ? 'prepare_qat_pt2e' : 'prepare_pt2e'],
      }),
      ...(training
        ? [
            named({
              module: pt2e,
              names: ['disable_observer', 'move_exported_model_to_eval', 'move_exported_model_to_train'],
            }),
          ]
        : []),
      ...tensorImports(tensors),
    ],
  };
}

/** The best loader whose batches can be taken apart, or what all of them lack. */
function loaderFor(
  input: InsertionInput,
  place: Place,
  training: boolean,
): { readonly loader: Loader; readonly several: boolean } | Refusal {
  const all = loadersAt(input.program, place, training ? 'training' : 'calibration', input.pipelines);
  const [first] = all;
  if (!first) return refusal('no-loader');
  const fit = all.filter(({ isHeldOut }) => !training || !isHeldOut);
  if (fit.length === 0) return refusal('only-held-out', first.name);
  for (const loader of fit) {
    const target = batchTarget(input, loader.name);
    if (target === 'several' || (target === 'single' && !training))
      return { loader, several: target === 'several' };
  }
  const { name } = fit[0] ?? first;
  return refusal(batchTarget(input, name) === 'single' ? 'no-labels' : 'dictionaries', name);
}

interface TensorModule {
  readonly layer: { readonly module: string };
  readonly setting: { readonly text: string; readonly names: readonly string[] };
}

function tensorLines(tensors: readonly TensorModule[], network: string): readonly string[] {
  const texts = unique(tensors.map(({ setting }) => setting.text));
  return texts.map((text) => {
    const modules = tensors.filter(({ setting }) => setting.text === text).map(({ layer }) => layer.module);
    const names = bracketed('lambda module, name: name in ', unique(modules).map(quote), ['[', ']']);
    return call('quantize_', [network, text, `filter_fn=${names}`]);
  });
}

function tensorImports(tensors: readonly TensorModule[]): readonly NeededImport[] {
  if (tensors.length === 0) return [];
  const names = ['quantize_', ...tensors.flatMap(({ setting }) => setting.names)];
  return [named({ module: 'torchao.quantization', names })];
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
  for (const { path, expression, scope: around } of program.calls)
    if (path !== undefined && /^torch\.nn\.functional\.\w*(cross_entropy|loss)\w*$/.test(path))
      return pathText(expression.callee, around) ?? 'torch.nn.functional.cross_entropy';
  return 'torch.nn.functional.cross_entropy';
}

function pathText(callee: Parameters<typeof pathOf>[0], scope: Place['scope']): string | undefined {
  const path = pathOf(callee, scope);
  return path?.startsWith('torch.') ? path : undefined;
}

/** `quantize_` for the weights of Linear and Embedding; without a recipe all Linear but the last, which is the output. */
export function tensorBlock(input: InsertionInput, place: Place): Block | Refusal {
  const { plan } = input;
  const notes = new Notes();
  const tree = input.trees.find(({ name }) => name === place.className);
  const linear = tree?.layers.filter(({ type }) => type === 'torch.nn.Linear').map(({ path }) => path) ?? [];
  const dynamic = 'Int8DynamicActivationInt8WeightConfig';
  const tensors: TensorModule[] = plan
    ? plan.layers.flatMap((layer): TensorModule[] => {
        const role = torchRole(layer, notes);
        if (role.kind === 'tensor') return [role];
        if (role.kind === 'float') return [];
        if (layer.op === 'Conv' || role.setting.bits !== 8 || !role.setting.activations) {
          notes.add('what quantize_ does not do', 'insert static quantization (PT2E)', true, layer.name);
          return [];
        }
        notes.add('ranges of activations', 'found while the network runs', false, layer.name);
        return [{ layer, setting: { text: `${dynamic}()`, names: [dynamic] } }];
      })
    : linear
        .slice(0, -1)
        .map((module) => ({ layer: { module }, setting: { text: `${dynamic}()`, names: [dynamic] } }));
  if (tensors.length === 0)
    return plan ? refusal('recipe', plan.recipe) : refusal(linear.length > 0 ? 'only-output' : 'no-matrices');
  const quantized = freeName(place, 'quantized_network');
  return {
    lines: [
      heading(
        plan ? 'Quantization of exactly these modules' : 'Quantization of all Linear modules but the last',
        plan,
      ),
      ...noteLines(notes.list),
      `${quantized} = copy.deepcopy(${place.model}).eval()`,
      ...tensorLines(tensors, quantized),
    ],
    imports: [
      { module: 'copy' },
      ...(tensors.some(({ setting }) => setting.text.includes('torch.')) ? [{ module: 'torch' }] : []),
      ...tensorImports(tensors),
    ],
  };
}
