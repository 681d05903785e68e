/** The block that quantizes weights of a network in memory: `quantize_` of torchao, for Linear and Embedding. */
import type { NeededImport } from '../script/edit-imports';
import { type CodePlan, Notes } from './code-plan';
import { type Block, heading, type InsertionInput, named, type Refusal, refusal } from './insert-block';
import { freeName, type Place } from './insert-place';
import { bracketed, call, comment, noteLines, quote } from './python';
import { unique } from './torchao-quantizer';
import { torchRole } from './torchao-roles';

interface TensorModule {
  readonly layer: { readonly module: string };
  readonly setting: { readonly text: string; readonly names: readonly string[] };
}

const dynamic = 'Int8DynamicActivationInt8WeightConfig';

/** `quantize_` for the weights of Linear and Embedding; without a recipe all Linear but the last, which is the output. */
export function tensorBlock(input: InsertionInput, place: Place): Block | Refusal {
  const { plan } = input;
  const notes = new Notes();
  const layers = layersOf(input, place);
  const linear = layers.flatMap(({ type, path }) => (type === 'torch.nn.Linear' ? [path] : []));
  const tensors = plan ? planned(plan, notes) : linear.slice(0, -1).map(asDynamic);
  if (tensors.length === 0)
    return plan
      ? refusal('recipe', plan.recipe)
      : refusal(linear.length > 0 ? 'only-output' : layers.length > 0 ? 'no-matrices' : 'unknown-layers');
  const floats = plan ? [] : layers.flatMap(({ type }) => (heavy.test(type) ? [lastPart(type)] : []));
  const quantized = freeName(place, 'quantized_network');
  const what = plan
    ? 'Quantization of exactly these modules'
    : 'Quantization of all Linear modules but the last';
  return {
    lines: [
      heading(what, plan),
      ...floatNote(floats),
      ...noteLines(notes.list),
      `${quantized} = copy.deepcopy(${place.model}).eval()`,
      ...tensorLines(tensors, quantized),
    ],
    imports: [
      { module: 'copy' },
      ...(tensors.some(({ setting }) => setting.text.includes('torch.')) ? [{ module: 'torch' }] : []),
      ...tensorImports(tensors),
    ],
    floats,
  };
}

type Layers = InsertionInput['trees'][number]['layers'];

/** Layers of the network; where an object holds it, they are a part of that object's. */
function layersOf({ trees }: InsertionInput, { className, model, holder, class: around }: Place): Layers {
  const own = trees.find(({ name }) => name === className);
  if (own) return own.layers;
  const owner = holder?.class ?? around;
  const prefix = `${model.slice(model.indexOf('.') + 1)}.`;
  const held = owner && trees.find(({ name }) => name === owner.name);
  return (held?.layers ?? []).flatMap((layer) =>
    layer.path.startsWith(prefix) ? [{ ...layer, path: layer.path.slice(prefix.length) }] : [],
  );
}

/** Modules with weights that `quantize_` passes over. */
const heavy = /\.(Conv(Transpose)?[123]d|LSTM|GRU|RNN|Embedding(Bag)?|MultiheadAttention|Bilinear)$/;

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function floatNote(floats: readonly string[]): readonly string[] {
  if (floats.length === 0) return [];
  return [
    comment(
      `Note: ${counted(floats)} stay float: quantize_ takes Linear modules. Static quantization (PT2E) takes convolutions as well.`,
    ),
  ];
}

/** `17 Conv2d, 1 LSTM`. */
export function counted(types: readonly string[]): string {
  return unique(types)
    .map((type) => `${types.filter((one) => one === type).length} ${type}`)
    .join(', ');
}

function asDynamic(module: string): TensorModule {
  return { layer: { module }, setting: { text: `${dynamic}()`, names: [dynamic] } };
}

function planned({ layers }: CodePlan, notes: Notes): readonly TensorModule[] {
  return layers.flatMap((layer): readonly TensorModule[] => {
    const role = torchRole(layer, notes);
    if (role.kind === 'tensor') return [role];
    if (role.kind === 'float') return [];
    if (layer.op === 'Conv' || role.setting.bits !== 8 || !role.setting.activations) {
      notes.add('what quantize_ does not do', 'insert static quantization (PT2E)', true, layer.name);
      return [];
    }
    notes.add('ranges of activations', 'found while the network runs', false, layer.name);
    return [asDynamic(layer.module)];
  });
}

/** `quantize_` for each configuration, for exactly its modules. */
export function tensorLines(tensors: readonly TensorModule[], network: string): readonly string[] {
  const texts = unique(tensors.map(({ setting }) => setting.text));
  return texts.map((text) => {
    const modules = tensors.filter(({ setting }) => setting.text === text).map(({ layer }) => layer.module);
    const names = bracketed('lambda module, name: name in ', unique(modules).map(quote), ['[', ']']);
    return call('quantize_', [network, text, `filter_fn=${names}`]);
  });
}

export function tensorImports(tensors: readonly TensorModule[]): readonly NeededImport[] {
  if (tensors.length === 0) return [];
  const names = ['quantize_', ...tensors.flatMap(({ setting }) => setting.names)];
  return [named({ module: 'torchao.quantization', names })];
}
