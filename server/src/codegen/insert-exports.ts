/** Where a script writes networks to ONNX files: by a call of the exporter, or of a function of its own that calls it. */
import { namedInputs, type ReaderInput } from '../script/calibration-reader';
import { canonicalPath } from '../script/catalog';
import { definitionOf, type Scope } from '../script/names';
import { argument, type Call } from '../script/program';
import type { Argument, Expression, FunctionStatement } from '../script/syntax';
import { evaluate, stringOf } from '../script/values';
import type { InsertScript } from './insert-networks';
import { quote } from './python';

/** A statement behind which a network's file is there. */
export interface ExportUse {
  readonly call: Call;
  /** The network as code calls it there. */
  readonly model: string | undefined;
  readonly file: ExportedFile | undefined;
  /** Inputs that the export names. */
  readonly input: ReaderInput | undefined;
  /** True for a call of a function that exports what it is given. */
  readonly handed: boolean;
}

export interface ExportedFile {
  /** Python for it at the place of the call. */
  readonly text: string;
  /** Its name where that is known. */
  readonly name: string | undefined;
  readonly expression: Expression;
  readonly scope: Scope;
}

const exporters: ReadonlySet<string> = new Set(['torch.onnx.export', 'torch.onnx.utils.export']);

/** True for a call that writes a network to an ONNX file. */
export function isExport({ path, name, receiver }: Call): boolean {
  return path === undefined
    ? name === 'to_onnx' && receiver !== undefined
    : exporters.has(canonicalPath(path));
}

/** All of a script: its own calls first, then those of functions that export what they are given. */
export function exportsOf(script: InsertScript): readonly ExportUse[] {
  const direct = script.program.calls.filter(isExport).map((call) => directUse(script, call));
  const handed = direct.flatMap((use) => handedUses(script, use));
  return [...direct, ...handed];
}

function directUse(script: InsertScript, call: Call): ExportUse {
  const model = modelExpression(call);
  const file = fileArgument(call);
  return {
    call,
    model: model && script.text.slice(...model.span),
    file: file && exportedFile(script, file.value, call.scope),
    input: namedInputs(call),
    handed: false,
  };
}

function modelExpression(call: Call): Expression | undefined {
  if (call.receiver) return plain(call.receiver);
  const given = argument(call, 'model', 0);
  return given && given !== 'hidden' ? plain(given.value) : undefined;
}

/** `network` of `network`, `network.to(…)`, `network.eval()`. */
function plain(value: Expression): Expression | undefined {
  if (value.kind === 'name' || value.kind === 'attribute') return value;
  return value.kind === 'call' && value.callee.kind === 'attribute' ? plain(value.callee.object) : undefined;
}

function fileArgument(call: Call): Argument | undefined {
  const given = call.receiver ? argument(call, 'file_path', 0) : argument(call, 'f', 2);
  return given === 'hidden' ? undefined : given;
}

function exportedFile({ text }: InsertScript, value: Expression, scope: Scope): ExportedFile {
  const name = value.kind === 'constant' ? stringOf(evaluate(value, scope)) : undefined;
  return { text: text.slice(...value.span), name, expression: value, scope };
}

/** Calls of the function around an export whose parameter is the network. */
function handedUses(script: InsertScript, { call, file, input }: ExportUse): readonly ExportUse[] {
  const { function: around } = call;
  const model = modelExpression(call);
  if (!around || call.class || model?.kind !== 'name') return [];
  if (!around.parameters.some(({ name }) => name === model.name)) return [];
  return script.program.calls.flatMap((user): readonly ExportUse[] => {
    const definition = definitionOf(user.expression.callee, user.scope);
    if (definition?.statement !== around) return [];
    const given = handedArgument(user, around, model.name);
    const value = given && plain(given);
    if (!value) return [];
    return [
      {
        call: user,
        model: script.text.slice(...value.span),
        file: file && handedFile(script, file, user, around),
        input,
        handed: true,
      },
    ];
  });
}

/** What a call gives a parameter; undefined where it gives nothing that is known. */
function handedArgument(call: Call, { parameters }: FunctionStatement, name: string): Expression | undefined {
  const given = argument(
    call,
    name,
    parameters.findIndex((one) => one.name === name),
  );
  return given && given !== 'hidden' ? given.value : undefined;
}

/** The file as code behind the call names it: a constant, or what the call gives. */
function handedFile(
  script: InsertScript,
  file: ExportedFile,
  user: Call,
  around: FunctionStatement,
): ExportedFile | undefined {
  if (file.name !== undefined) return file;
  const { expression } = file;
  const parameter =
    expression.kind === 'name' ? around.parameters.find(({ name }) => name === expression.name) : undefined;
  if (!parameter) return undefined;
  const given = handedArgument(user, around, parameter.name);
  if (given) return exportedFile(script, given, user.scope);
  const known = parameter.default && stringOf(evaluate(parameter.default, file.scope));
  return known === undefined || !parameter.default
    ? undefined
    : { text: quote(known), name: known, expression: parameter.default, scope: file.scope };
}
