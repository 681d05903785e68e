/**
 * Which networks of a script are quantized already, kind by kind: what a call is given is followed back to the network
 * or the exported file it comes from. A call that leads to no network is taken to be about all of them.
 */
import { canonicalPath } from '../script/catalog';
import { definitionOf, lookUp, pathOf, type Scope } from '../script/names';
import type { Call, Program } from '../script/program';
import { type Expression, parts } from '../script/syntax';
import { evaluate, stringOf } from '../script/values';
import type { InsertionKind } from './insert-block';
import { type ExportUse, exportsOf } from './insert-exports';
import { type InsertScript, networkMakers } from './insert-networks';
import type { Place } from './insert-place';

/** Calls of which one is enough to say that it is done. */
const done: Readonly<Record<InsertionKind, RegExp>> = {
  static: /\.(prepare|prepare_fx|prepare_pt2e|quantize_static)$/,
  training: /\.prepare_qat(_fx|_pt2e)?$/,
  onnxruntime: /^onnxruntime\.quantization\.quantize(_static)?$/,
  dynamic: /^onnxruntime\.quantization\.quantize_dynamic$/,
  torchao: /^torchao\..*quantize_$/,
};

/** Kinds that quantize the exported file, not the network in memory. */
const ofFiles: ReadonlySet<InsertionKind> = new Set(['onnxruntime', 'dynamic']);

/** True when the script does for the network of a place what an insertion would add. */
export function stands(script: InsertScript, place: Place, kind: InsertionKind): boolean {
  const { program } = script;
  const calls = program.calls.filter(
    ({ path }) => path !== undefined && done[kind].test(canonicalPath(path)),
  );
  if (calls.length === 0) return false;
  const byFile = ofFiles.has(kind);
  const exports = exportsOf(script);
  const flow = flowOf(program, exports);
  const own = reached(flow, seedsOf(place, byFile));
  const others = networks(script, exports, byFile)
    .filter((seeds) => !seeds.some((token) => own.has(token)))
    .map((seeds) => reached(flow, seeds));
  return calls.some((call) => {
    const given = call.expression.args[0]?.value;
    const tokens = given ? tokensOf(given, call.scope) : [];
    if (tokens.some((token) => own.has(token))) return true;
    return !others.some((one) => tokens.some((token) => one.has(token)));
  });
}

function seedsOf({ exported, model, scope }: Place, byFile: boolean): readonly string[] {
  return (byFile && exported && fileTokens(exported)) || toList(nameToken(model, scope));
}

function networks(
  script: InsertScript,
  exports: readonly ExportUse[],
  byFile: boolean,
): readonly (readonly string[])[] {
  if (byFile) return exports.map(fileTokens);
  const makers = networkMakers(script).flatMap(({ call, name }) => {
    const token = nameToken(name, call.scope);
    return token === undefined ? [] : [[token]];
  });
  return [...makers, ...exports.map(modelTokens)];
}

function fileTokens({ file }: ExportUse): readonly string[] {
  return file ? tokensOf(file.expression, file.scope) : [];
}

function modelTokens({ model, call }: ExportUse): readonly string[] {
  return toList(model === undefined ? undefined : nameToken(model, call.scope));
}

/** What comes from what: with one token of `from`, all of `to`. */
interface Step {
  readonly from: readonly string[];
  readonly to: readonly string[];
}

const flows = new WeakMap<Program, readonly Step[]>();

function flowOf(program: Program, exports: readonly ExportUse[]): readonly Step[] {
  const known = flows.get(program);
  if (known) return known;
  const filed = exports.map((use) => ({ from: modelTokens(use), to: fileTokens(use) }));
  const steps = [...assigned(program.scope), ...program.calls.flatMap(stepsOf), ...filed].filter(
    ({ from, to }) => from.length > 0 && to.length > 0,
  );
  flows.set(program, steps);
  return steps;
}

function assigned(scope: Scope): readonly Step[] {
  const own = [...scope.names].flatMap(([name, bindings]) =>
    bindings.flatMap((one): Step[] => {
      const value = one.kind === 'variable' ? one.value : undefined;
      return value ? [{ from: tokensOf(value, scope), to: toList(nameToken(name, scope)) }] : [];
    }),
  );
  return [...own, ...[...scope.inner.values()].flatMap(assigned)];
}

/** What a call hands on: to the targets of its statement, to loops, to parameters, from file to file. */
function stepsOf(call: Call): readonly Step[] {
  const { statement, scope, loops, expression, path } = call;
  const targets = statement.kind === 'assign' ? statement.targets : [];
  const all = expression.args.flatMap(({ value }) => tokensOf(value, scope));
  const definition = definitionOf(expression.callee, scope);
  const handed =
    definition?.kind === 'function'
      ? expression.args.flatMap(({ value, keyword }, index): Step[] => {
          const parameter = keyword ?? definition.statement.parameters[index]?.name;
          const to = parameter === undefined ? undefined : nameToken(parameter, definition.scope);
          return [{ from: tokensOf(value, scope), to: toList(to) }];
        })
      : [];
  const filed =
    path !== undefined && /^onnx(runtime|sim)?\./.test(canonicalPath(path))
      ? [{ from: all.slice(0, 1), to: all }]
      : [];
  return [
    { from: all, to: targets.flatMap((target) => tokensOf(target, scope)) },
    ...loops.map(({ iterable, target }) => ({
      from: tokensOf(iterable, scope),
      to: tokensOf(target, scope),
    })),
    ...handed,
    ...filed,
  ];
}

function reached(flow: readonly Step[], seeds: readonly string[]): ReadonlySet<string> {
  const found = new Set(seeds);
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const { from, to } of flow) {
      if (!from.some((token) => found.has(token))) continue;
      for (const token of to) found.add(token);
    }
  }
  return found;
}

/** Not `.prepared.onnx`, the end of a name. */
const isFile = /^[^.].*\.onnx$/i;

/** Files that an expression names; without one its variables. */
function tokensOf(expression: Expression, scope: Scope): readonly string[] {
  const value = stringOf(evaluate(expression, scope));
  if (value !== undefined) return isFile.test(value) ? [`file ${value}`] : [];
  const tokens = [...within(expression, scope)];
  const files = tokens.filter((token) => token.startsWith('file '));
  return files.length > 0 ? files : tokens;
}

function* within(expression: Expression, scope: Scope): Iterable<string> {
  if (expression.kind === 'constant') {
    const { value } = expression;
    if (typeof value === 'string' && isFile.test(value)) yield `file ${value}`;
    return;
  }
  const { kind } = expression;
  const isOwn =
    kind === 'attribute' && expression.object.kind === 'name' && expression.object.name === 'self';
  if (isOwn) yield `self.${expression.attribute}`;
  else if (kind === 'name') yield* toList(nameToken(expression.name, scope));
  else for (const part of parts(expression)) yield* within(part, scope);
}

const scopeIds = new WeakMap<Scope, number>();
let scopeCount = 0;

/** A variable with the scope that binds it; undefined for imports and names from elsewhere. */
function nameToken(text: string, scope: Scope): string | undefined {
  if (text.startsWith('self.')) return text.split('.').slice(0, 2).join('.');
  const [name = ''] = text.split('.');
  if (name === '' || lookUp(scope, name).length === 0) return undefined;
  if (pathOf({ kind: 'name', name, span: [0, 0] }, scope) !== undefined) return undefined;
  let owner: Scope = scope;
  while (!owner.names.has(name) && owner.parent) owner = owner.parent;
  const id = scopeIds.get(owner) ?? ++scopeCount;
  scopeIds.set(owner, id);
  return `${id} ${name}`;
}

function toList(token: string | undefined): readonly string[] {
  return token === undefined ? [] : [token];
}
