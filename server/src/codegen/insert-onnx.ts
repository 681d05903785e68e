/** The block behind an export call that quantizes the file it writes with onnxruntime. */

import { hasReader, type ReaderInput, readerEdits } from '../script/calibration-reader';
import type { DataPipeline } from '../script/data-pipeline';
import { pathOf } from '../script/names';
import { argumentValue } from '../script/program';
import { evaluate, stringOf } from '../script/values';
import { Notes } from './code-plan';
import {
  type Block,
  exportedFile,
  fileName,
  heading,
  heldOutNote,
  type InsertionInput,
  type Refusal,
  refusal,
} from './insert-block';
import { pipelineOf } from './insert-loaders';
import { isHeldOut, type Loader, loadersAt, type Place } from './insert-place';
import { calibrationOf } from './onnxruntime';
import { commonSettings, ortRole, type StaticRole, sameSetting } from './onnxruntime-roles';
import { boolean, call, noteLines, quote, strings } from './python';

const quantization = 'onnxruntime.quantization';

export function quantizeStaticBlock(input: InsertionInput, place: Place): Block | Refusal {
  if (!place.exported) return refusal('no-export');
  const file = exportedFile(input, place);
  if (!file) return refusal('no-file');
  const reader = readerOf(input, place, file.text);
  if ('lack' in reader) return reader;
  const { plan } = input;
  const notes = new Notes();
  const roles = plan?.layers.map((layer) => ortRole(layer, notes)) ?? [];
  const staticRoles = roles.filter((role): role is StaticRole => role.kind === 'static');
  if (plan && staticRoles.length === 0) return refusal('recipe', plan.recipe);
  const common = commonSettings(staticRoles);
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
  const excluded = [
    ...roles.filter(({ kind }) => kind !== 'static').map(({ layer }) => layer.node),
    ...(plan?.others ?? []),
  ];
  const name = (suffix: string) => fileName(file, suffix);
  // The reader imports from the same module: one statement takes all names.
  const merged = reader.edits?.some(({ text }) => importLine.test(text)) ?? false;
  const calibration = plan ? calibrationOf(plan.estimator, notes) : undefined;
  const options = [
    ...(calibration?.options ?? []),
    ...(common.activations.symmetric ? ['"ActivationSymmetric": True'] : []),
    ...(common.weights.symmetric ? [] : ['"WeightSymmetric": False']),
  ];
  const names = [...(calibration ? ['CalibrationMethod'] : []), ...needed];
  return {
    lines: [
      heading('Static quantization of the exported file', plan),
      ...(reader.loader ? heldOutNote(reader.loader) : []),
      ...noteLines(notes.list),
      call('quant_pre_process', [file.text, name('.prepared.onnx'), 'skip_symbolic_shape=True']),
      call('quantize_static', [
        name('.prepared.onnx'),
        name('.int8.onnx'),
        reader.made,
        'quant_format=QuantFormat.QDQ',
        ...(calibration ? [`calibrate_method=CalibrationMethod.${calibration.method}`] : []),
        `per_channel=${boolean(common.weights.perChannel)}`,
        ...(common.weights.reduced ? ['reduce_range=True'] : []),
        `activation_type=QuantType.${common.activations.type}`,
        `weight_type=QuantType.${common.weights.type}`,
        ...(excluded.length > 0 ? [strings('nodes_to_exclude=', excluded)] : []),
        ...(options.length > 0 ? [`extra_options={${options.join(', ')}}`] : []),
      ]),
    ],
    imports: [
      ...(merged ? [] : [{ module: quantization, names: names.map((one) => ({ name: one })) }]),
      ...(reader.asksFile ? [{ module: 'onnxruntime', names: [{ name: 'InferenceSession' }] }] : []),
      { module: `${quantization}.shape_inference`, names: [{ name: 'quant_pre_process' }] },
    ],
    ...(reader.edits ? { edits: reader.edits.map((edit) => withNames(edit, names)) } : {}),
  };
}

const needed = ['QuantFormat', 'QuantType', 'quantize_static'];
const importLine = /from onnxruntime\.quantization import CalibrationDataReader(?=\r?\n|$)/;

function withNames<T extends { readonly text: string }>(edit: T, names: readonly string[]): T {
  return { ...edit, text: edit.text.replace(importLine, (line) => `${line}, ${names.join(', ')}`) };
}

interface ReaderUse {
  /** Expression that makes the reader. */
  readonly made: string;
  /** The expression opens the exported file for the name of its input. */
  readonly asksFile?: boolean;
  readonly edits?: Block['edits'];
  /** The loader that it reads, where that is known. */
  readonly loader?: Loader;
}

/** The script's own reader, or one made from its loader. */
function readerOf(input: InsertionInput, place: Place, file: string): ReaderUse | Refusal {
  const { program, pipelines } = input;
  if (hasReader({ parsed: input, program })) return ownReader(input, place) ?? refusal('no-reader');
  const loaders = loadersAt(program, place, 'calibration', pipelines);
  const others = pipelines.flatMap(({ loader }): Loader[] => {
    const name = loader?.name;
    const isKnown = name === undefined || loaders.some((one) => one.name === name);
    return isKnown ? [] : [{ name, isHeldOut: isHeldOut(name) }];
  });
  const all = [...loaders, ...others].sort((one, other) => Number(one.isHeldOut) - Number(other.isHeldOut));
  for (const loader of all) {
    const pipeline = pipelines.find((one) => one.loader?.name === loader.name);
    const use = pipeline && fromPipeline(input, place, pipeline, file);
    if (use) return { ...use, loader };
  }
  const isRandom = ({ name }: Loader) =>
    pipelineOf(program, place.scope, name, pipelines)?.doubts.some(({ kind }) => kind === 'random') ?? false;
  if (all[0] && all.every(isRandom)) return refusal('random', all[0].name);
  return refusal(all.length > 0 ? 'no-reader' : 'no-loader', all[0]?.name);
}

function fromPipeline(
  input: InsertionInput,
  place: Place,
  pipeline: DataPipeline,
  file: string,
): ReaderUse | undefined {
  const name = inputName(place);
  const fed: ReaderInput | undefined =
    name === undefined ? undefined : { name, anyBatch: false, type: 'float32' };
  const edits = readerEdits({ parsed: input, program: input.program }, pipeline, fed);
  if (!edits) return undefined;
  const text = edits.map((edit) => edit.text).join('');
  const made = /class (\w+)\(/.exec(text)?.[1];
  // The class has to stand in front of the block, and its loader needs a default.
  const isAhead = edits.every(({ start }) => start < place.at);
  if (made === undefined || !isAhead || !/def __init__\(self, \w+=/.test(text)) return undefined;
  if (name !== undefined) return { made: `${made}()`, edits };
  // The exporter chose the name: only the file knows it.
  const asked = `InferenceSession(${file}).get_inputs()[0].name`;
  return { made: `${made}(input_name=${asked})`, edits, asksFile: true };
}

/** Name of the only input that the export gives one. */
function inputName({ exported }: Place): string | undefined {
  const names = exported && argumentValue(exported, 'input_names');
  return names?.kind === 'list' && names.items.length === 1 ? stringOf(names.items[0]) : undefined;
}

/** A reader class of the script, when it can be made without arguments, or the variable that holds one. */
function ownReader(input: InsertionInput, place: Place): ReaderUse | undefined {
  const { program } = input;
  for (const { statement, scope } of program.classes) {
    const isReader = statement.bases.some(({ value }) => {
      const path = pathOf(value, scope.parent ?? scope);
      return path?.endsWith('CalibrationDataReader') ?? false;
    });
    if (!isReader) continue;
    const init = statement.body.find((one) => one.kind === 'function' && one.name === '__init__');
    const parameters = init?.kind === 'function' ? init.parameters.slice(1) : [];
    if (parameters.every((one) => one.default !== undefined || one.star !== undefined)) {
      const named = parameters.find(({ name }) => name === 'input_name')?.default;
      const wanted = inputName(place);
      // Another network may be fed under another name.
      const differs =
        named !== undefined && wanted !== undefined && stringOf(evaluate(named, scope)) !== wanted;
      const given = differs ? `input_name=${quote(wanted)}` : '';
      return statement.span[1] < place.at ? { made: `${statement.name}(${given})` } : undefined;
    }
    const maker = program.calls.find(
      ({ expression, statement: around }) =>
        expression.callee.kind === 'name' &&
        expression.callee.name === statement.name &&
        around.kind === 'assign' &&
        around.span[1] < place.at,
    );
    const target = maker?.statement.kind === 'assign' ? maker.statement.targets[0] : undefined;
    if (target?.kind === 'name') return { made: target.name };
  }
  return undefined;
}
