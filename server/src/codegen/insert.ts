/**
 * Blocks for a script that quantize its network: static quantization and fine-tuning with PT2E, `quantize_` of torchao,
 * `quantize_static` behind an export. They use the script's own names, say what the recipe of the model decides where one
 * is known, and come as edits of the text with the imports merged.
 */
import { canonicalPath } from '../script/catalog';
import type { DataPipeline } from '../script/data-pipeline';
import { importEdits, type NeededImport } from '../script/edit-imports';
import type { ModuleTree } from '../script/module-tree';
import { pathOf } from '../script/names';
import { argument, type Program } from '../script/program';
import type { Module } from '../script/syntax';
import { evaluate, stringOf } from '../script/values';
import { type CodePlan, Notes } from './code-plan';
import { quantizeStaticBlock } from './insert-onnx';
import { batchTarget, freeName, loadersAt, type Place, placeAt } from './insert-place';
import { bracketed, call, comment, noteLines, quote } from './python';
import { configFunction, observerOf, quantizerCode, quantizerImports, unique } from './torchao-quantizer';
import { torchRole } from './torchao-roles';

export const insertionKinds = ['static', 'training', 'onnxruntime', 'torchao'] as const;
export type InsertionKind = (typeof insertionKinds)[number];

export interface InsertionInput {
  readonly text: string;
  readonly module: Module;
  readonly program: Program;
  readonly trees: readonly ModuleTree[];
  readonly pipelines: readonly DataPipeline[];
  /** What a recipe decides, with the modules as the script names them; undefined = defaults for all layers. */
  readonly plan: CodePlan | undefined;
}

export interface Insertion {
  readonly kind: InsertionKind;
  readonly edits: readonly { readonly start: number; readonly end: number; readonly text: string }[];
}

/** A block without indentation, what it needs, and edits elsewhere that belong to it. */
export interface Block {
  readonly lines: readonly string[];
  readonly imports: readonly NeededImport[];
  readonly edits?: Insertion['edits'];
}

/** What can be inserted for the network that an offset speaks of; nothing that stands in the script already. */
export function insertionsAt(input: InsertionInput, offset: number): readonly Insertion[] {
  if (!input.module.complete) return [];
  const place = placeAt(input, offset);
  if (!place) return [];
  return insertionKinds.flatMap((kind): Insertion[] => {
    if (stands(input.program, kind)) return [];
    const block = blockOf(kind, input, place);
    if (!block) return [];
    const edits = [
      ...(block.edits ?? []),
      ...importEdits(input, block.imports, place.at),
      blockEdit(input.text, place, block),
    ];
    return [{ kind, edits: edits.sort((one, other) => one.start - other.start) }];
  });
}

/** Calls of which one is enough to say that it is done. */
const done: Readonly<Record<InsertionKind, RegExp>> = {
  static: /\.(prepare|prepare_fx|prepare_pt2e|quantize_static)$/,
  training: /\.prepare_qat(_fx|_pt2e)?$/,
  onnxruntime: /^onnxruntime\.quantization\.quantize(_static|_dynamic)?$/,
  torchao: /^torchao\..*quantize_$/,
};

function stands({ calls }: Program, kind: InsertionKind): boolean {
  return calls.some(({ path }) => path !== undefined && done[kind].test(canonicalPath(path)));
}

function blockOf(kind: InsertionKind, input: InsertionInput, place: Place): Block | undefined {
  switch (kind) {
    case 'static':
      return exportedBlock(input, place, false);
    case 'training':
      return exportedBlock(input, place, true);
    case 'onnxruntime':
      return quantizeStaticBlock(input, place);
    case 'torchao':
      return tensorBlock(input, place);
  }
}

function blockEdit(
  text: string,
  { at, isBehind, indent }: Place,
  { lines }: Block,
): Insertion['edits'][number] {
  const lineBreak = text.includes('\r\n') ? '\r\n' : '\n';
  const step = indent.includes('\t') || /^\t/m.test(text) ? '\t' : '    ';
  const written = lines
    .join('\n')
    .split('\n')
    .map((line) => {
      const [blanks = ''] = /^ */.exec(line) ?? [];
      const inner = step.repeat(blanks.length / 4) + line.slice(blanks.length);
      return line === '' ? '' : indent + inner;
    })
    .join(lineBreak);
  const inserted = isBehind
    ? `${lineBreak}${lineBreak}${written}`
    : `${lineBreak}${written}${lineBreak}${lineBreak}`;
  return { start: at, end: at, text: inserted };
}

/** First line of a block: what it does and who decided. */
export function heading(what: string, plan: CodePlan | undefined): string {
  return comment(plan?.recipe === undefined ? `${what}.` : `${what}, as ${plan.recipe} decides.`);
}

function exportedBlock(input: InsertionInput, place: Place, training: boolean): Block | undefined {
  const [loader] = loadersAt(place, training ? 'training' : 'calibration', input.pipelines);
  if (loader === undefined) return undefined;
  const target = batchTarget(input, loader);
  const several = target === 'several';
  if (target === undefined || (training && !several)) return undefined;
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
  if (plan && !roles.some(({ kind }) => kind === 'exported')) return undefined;
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

function named({
  module,
  names,
}: {
  readonly module: string;
  readonly names: readonly string[];
}): NeededImport {
  return { module, names: [...unique(names)].sort().map((name) => ({ name })) };
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
function tensorBlock(input: InsertionInput, place: Place): Block | undefined {
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
  if (tensors.length === 0) return undefined;
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

/** The file argument of an export call: its text, and its name where that is known. */
export function exportedFile(
  { text }: Pick<InsertionInput, 'text'>,
  { exported }: Place,
): { readonly text: string; readonly name: string | undefined } | undefined {
  if (!exported) return undefined;
  const given = argument(exported, 'f', 2);
  if (!given || given === 'hidden') return undefined;
  const { value } = given;
  const name = value.kind === 'constant' ? stringOf(evaluate(value, exported.scope)) : undefined;
  return { text: text.slice(value.span[0], value.span[1]), name };
}
