/**
 * The block behind an export call for `quantize_dynamic` of onnxruntime: int8 weights, ranges of activations taken while
 * the network runs. It knows MatMul (Linear), LSTM and embeddings; Gemm becomes MatMul first and is named so. Networks of
 * convolutions gain more from ranges known before (rule S41). Checked with 1.30.
 */
import { Notes } from './code-plan';
import { type Block, fileName, heading, type InsertionInput, type Refusal, refusal } from './insert-block';
import { preparation } from './insert-onnx';
import type { Place } from './insert-place';
import { commonSettings, ortRole, type StaticRole, sameSetting } from './onnxruntime-roles';
import { boolean, call, comment, noteLines, strings } from './python';

const quantization = 'onnxruntime.quantization';

/** Operators that modules with weights become. */
const operators: readonly (readonly [type: RegExp, operator: string])[] = [
  [/\.(Lazy)?(Linear|MultiheadAttention)$|\.Transformer\w*$/, 'MatMul'],
  [/\.LSTM$/, 'LSTM'],
  [/\.Embedding(Bag)?$/, 'Gather'],
];

export function dynamicBlock(input: InsertionInput, place: Place): Block | Refusal {
  if (!place.exported) return refusal('no-export');
  const { file } = place.exported;
  if (!file) return refusal('no-file');
  const { plan } = input;
  const notes = new Notes();
  const types = typesOf(input, place);
  if (types?.some((type) => convolution.test(type)) && !types.some((type) => sequence.test(type)))
    return refusal('convolutional');
  const known = operators.flatMap(([pattern, operator]) =>
    !types || types.some((type) => pattern.test(type)) ? [operator] : [],
  );
  // A table alone gains nothing at run time.
  if (!known.some((one) => one !== 'Gather')) return refusal('no-matrices');
  const roles = plan?.layers.map((layer) => ortRole(layer, notes)) ?? [];
  const taken = roles.filter((role): role is StaticRole => {
    const isMatrix = role.layer.op === 'MatMul' || role.layer.plainGemm;
    return isMatrix && role.kind === 'static' && /Int8$/.test(role.weights.type);
  });
  if (plan && taken.length === 0) return refusal('recipe', plan.recipe);
  for (const role of roles) {
    const { name, op } = role.layer;
    if (taken.some((one) => one === role))
      notes.add('ranges of activations', 'found while the network runs', false, name);
    else if (role.kind !== 'float')
      notes.add(
        op === 'Conv' || op === 'ConvTranspose' ? 'a convolution' : 'a format that quantize_dynamic lacks',
        'the layer stays float',
        true,
        name,
      );
  }
  const { weights } = commonSettings(taken);
  for (const { layer, weights: own } of taken)
    if (!sameSetting(own, weights)) notes.add('another format', 'that of all layers', true, layer.name);
  const excluded = roles
    .filter((role) => !taken.some((one) => one === role) && role.layer.op !== 'Conv')
    .map(({ layer }) => (layer.op === 'Gemm' && layer.plainGemm ? `${layer.node}_MatMul` : layer.node));
  const prepared = preparation(input, place, file);
  // With a recipe only what it decides: LSTMs and tables stay float.
  const quantized = plan ? ['MatMul'] : known;
  return {
    lines: [
      heading('Dynamic quantization of the exported file', plan),
      comment('Weights become int8; ranges of activations are found at run time, so no data is needed.'),
      ...noteLines(notes.list),
      ...prepared.lines,
      call('quantize_dynamic', [
        fileName(file, '.prepared.onnx'),
        fileName(file, '.dynamic.onnx'),
        strings('op_types_to_quantize=', quantized),
        `per_channel=${boolean(plan ? weights.perChannel : true)}`,
        ...(weights.reduced ? ['reduce_range=True'] : []),
        `weight_type=QuantType.${plan ? weights.type : 'QInt8'}`,
        ...(excluded.length > 0 ? [strings('nodes_to_exclude=', excluded)] : []),
      ]),
    ],
    imports: [
      { module: quantization, names: [{ name: 'QuantType' }, { name: 'quantize_dynamic' }] },
      ...prepared.imports,
    ],
  };
}

const convolution = /\.Conv(Transpose)?[123]d$/;
const sequence = /\.(LSTM|GRU|RNN|MultiheadAttention|Transformer\w*)$/;

/**
 * Types of the network's modules, or of all networks of the script where it is not clear which one it is; undefined where
 * none is defined here. Classifiers of torchvision are taken to be convolutional.
 */
function typesOf({ trees, program }: InsertionInput, { className }: Place): readonly string[] | undefined {
  const own = trees.filter(({ name }) => className === undefined || name === className);
  if (own.length > 0)
    return own.flatMap(({ layers, leaves }) => [...layers.map(({ type }) => type), ...leaves.values()]);
  return className === undefined && program.imports.has('torchvision') ? ['torch.nn.Conv2d'] : undefined;
}
