/** The block behind an export call that quantizes the file it writes with onnxruntime. */
import { importedAs, type NeededImport } from '../script/edit-imports';
import { type CodePlan, Notes } from './code-plan';
import {
  type Block,
  fileName,
  heading,
  type InsertionInput,
  loaderNotes,
  named,
  type Refusal,
  refusal,
} from './insert-block';
import type { ExportedFile } from './insert-exports';
import { freeName, type Place } from './insert-place';
import { type ReaderUse, readerUse } from './insert-reader';
import { calibrationOf } from './onnxruntime';
import {
  plannedOptions,
  prepareImports,
  preprocessLines,
  productLines,
  quantizedOperators,
  realInputLines,
} from './onnxruntime-prepare';
import { commonSettings, type OrtRole, ortRole, type StaticRole, sameSetting } from './onnxruntime-roles';
import { boolean, bracketed, call, noteLines, strings } from './python';

const quantization = 'onnxruntime.quantization';

export function quantizeStaticBlock(input: InsertionInput, place: Place): Block | Refusal {
  if (!place.exported) return refusal('no-export');
  const { file } = place.exported;
  if (!file) return refusal('no-file');
  const reader = readerUse(input, place, file.text);
  if ('lack' in reader) return reader;
  const { plan } = input;
  const notes = new Notes();
  const roles = plan?.layers.map((layer) => ortRole(layer, notes)) ?? [];
  const staticRoles = roles.filter((role): role is StaticRole => role.kind === 'static');
  if (plan && staticRoles.length === 0) return refusal('recipe', plan.recipe);
  const common = commonSettings(staticRoles);
  noteOthers(roles, common, notes);
  const operators = plan
    ? quantizedOperators(
        staticRoles.map(({ layer }) => layer.op),
        plan.operators,
      )
    : quantizedOperators();
  const prepared = preparation(input, place, file);
  const excluded = plan
    ? { text: excludedOf(plan, roles), lines: [] }
    : productLines(prepared.onnx, fileName(file, '.prepared.onnx'), (wanted) => freeName(place, wanted));
  const calibration = plan ? calibrationOf(plan.estimator, notes) : undefined;
  const names = [...(calibration ? ['CalibrationMethod'] : []), ...needed];
  return {
    lines: [
      heading('Static quantization of the exported file', plan),
      ...(reader.loader ? loaderNotes(reader.loader) : []),
      ...noteLines(notes.list),
      ...(reader.loader?.lines ?? []),
      ...prepared.lines,
      ...excluded.lines,
      quantizeCall(file, reader, common, { operators, excluded: excluded.text, calibration }),
      ...realInputs(roles, excluded.text, prepared.onnx, fileName(file, '.int8.onnx'), place),
    ],
    imports: [...importsFor(reader, names), ...prepared.imports],
    ...(reader.edits ? { edits: reader.edits.map((edit) => withNames(edit, names)) } : {}),
  };
}

/** Layers that are not quantized statically, and products of two activations. */
function excludedOf({ others }: CodePlan, roles: readonly OrtRole[]): string {
  const floats = roles.filter(({ kind }) => kind !== 'static').map(({ layer }) => layer.node);
  const nodes = [...floats, ...others];
  return nodes.length === 0 ? '' : strings('', nodes);
}

/** Float layers of the quantized file that share a tensor with others read it as it is. */
function realInputs(
  roles: readonly OrtRole[],
  excluded: string,
  onnx: string,
  written: string,
  place: Place,
): readonly string[] {
  const model = freeName(place, 'quantized_model');
  const lines = realInputLines(roles, excluded, model, freeName(place, 'sources'));
  if (lines.length === 0) return [];
  return [`${model} = ${onnx}.load(${written})`, ...lines, `${onnx}.save(${model}, ${written})`];
}

/** Preprocessing of the exported file with the names of the script, or free ones. */
export function preparation(
  input: InsertionInput,
  place: Place,
  file: ExportedFile,
): Pick<Block, 'lines' | 'imports'> & { readonly onnx: string } {
  const onnx = importedAs(input, 'onnx', undefined, place.at) ?? freeName(place, 'onnx');
  const names = { onnx, options: freeName(place, 'options') };
  return {
    onnx,
    lines: preprocessLines(names, file.text, fileName(file, '.prepared.onnx')),
    imports: [
      { module: 'onnx', ...(onnx === 'onnx' ? {} : { as: onnx }) },
      named({ module: 'onnxruntime', names: prepareImports }),
      { module: `${quantization}.shape_inference`, names: [{ name: 'quant_pre_process' }] },
    ],
  };
}

/** Layers whose format is not that of all, or that this call cannot quantize. */
function noteOthers(
  roles: readonly OrtRole[],
  common: ReturnType<typeof commonSettings>,
  notes: Notes,
): void {
  for (const role of roles) {
    const { name } = role.layer;
    const differs =
      role.kind === 'static' &&
      !(sameSetting(role.weights, common.weights) && sameSetting(role.activations, common.activations));
    if (differs)
      notes.add('other formats', 'those of all layers; exporting the recipe as code keeps them', true, name);
    if (role.kind === 'stored' || role.kind === 'blocks')
      notes.add(
        'weights alone',
        'the layer stays float; exporting the recipe as code keeps them',
        true,
        name,
      );
  }
}

interface Options {
  readonly operators: readonly string[];
  /** Python for the names of nodes; empty where there are none. */
  readonly excluded: string;
  readonly calibration: ReturnType<typeof calibrationOf> | undefined;
}

function quantizeCall(
  file: ExportedFile,
  reader: ReaderUse,
  { weights, activations }: ReturnType<typeof commonSettings>,
  { operators, excluded, calibration }: Options,
): string {
  const options = [
    ...(calibration?.options ?? []),
    ...(activations.symmetric ? ['"ActivationSymmetric": True'] : []),
    ...(weights.symmetric ? [] : ['"WeightSymmetric": False']),
    ...plannedOptions(operators),
  ];
  return call('quantize_static', [
    fileName(file, '.prepared.onnx'),
    fileName(file, '.int8.onnx'),
    reader.made,
    'quant_format=QuantFormat.QDQ',
    strings('op_types_to_quantize=', operators),
    ...(calibration ? [`calibrate_method=CalibrationMethod.${calibration.method}`] : []),
    `per_channel=${boolean(weights.perChannel)}`,
    ...(weights.reduced ? ['reduce_range=True'] : []),
    `activation_type=QuantType.${activations.type}`,
    `weight_type=QuantType.${weights.type}`,
    ...(excluded === '' ? [] : [`nodes_to_exclude=${excluded}`]),
    ...(options.length > 0 ? [bracketed('extra_options=', options, ['{', '}'])] : []),
  ]);
}

const needed = ['QuantFormat', 'QuantType', 'quantize_static'];
const importLine = /from onnxruntime\.quantization import CalibrationDataReader(?=\r?\n|$)/;

function importsFor({ edits }: ReaderUse, names: readonly string[]): readonly NeededImport[] {
  // The reader imports from the same module: one statement takes all names.
  const merged = edits?.some(({ text }) => importLine.test(text)) ?? false;
  return [...(merged ? [] : [{ module: quantization, names: names.map((one) => ({ name: one })) }])];
}

function withNames<T extends { readonly text: string }>(edit: T, names: readonly string[]): T {
  return { ...edit, text: edit.text.replace(importLine, (line) => `${line}, ${names.join(', ')}`) };
}
