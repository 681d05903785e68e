/** Where a block for a network goes in a script, and what the script calls the network and its data there. */
import { canonicalPath } from '../script/catalog';
import type { DataPipeline } from '../script/data-pipeline';
import { definitionOf, lookUp, pathOf, type Scope } from '../script/names';
import { argument, type Call, type Program } from '../script/program';
import { blocks, type Expression, type Span, type Statement } from '../script/syntax';
import { pipelineOf } from './insert-loaders';

export interface InsertScript {
  readonly text: string;
  readonly program: Program;
}

export interface Place {
  /** The network as code calls it there: `model`, `self.net`. */
  readonly model: string;
  /** Class of the network, if one of the script. */
  readonly className: string | undefined;
  /** The export call behind which the block goes. */
  readonly exported: Call | undefined;
  readonly scope: Scope;
  /** End of the line behind which, or start of the line in front of which, the block goes. */
  readonly at: number;
  readonly isBehind: boolean;
  /** White space in front of the statements there. */
  readonly indent: string;
}

const exporters: ReadonlySet<string> = new Set(['torch.onnx.export', 'torch.onnx.utils.export']);

/** Spans of the text that speak of a network for which a block can be inserted: classes, exports, other variables. */
export function networkSpans(script: InsertScript): readonly Span[] {
  const { calls, classes } = script.program;
  const makers = calls.filter((call) => madeName(call) !== undefined);
  const exports = calls.filter(isExport);
  const exported = new Set(exports.map((call) => modelOf(script, call)));
  const owners = classes.filter(({ statement }) => makers.some((call) => classOf(call) === statement.name));
  const variables = makers.filter(
    (call) => classOf(call) === undefined && !exported.has(madeName(call) ?? ''),
  );
  return [
    ...owners.map(({ statement }) => statement.nameSpan),
    ...[...exports, ...variables].map(({ nameSpan }) => nameSpan),
  ]
    .filter(([start]) => placeAt(script, start) !== undefined)
    .sort(([one], [other]) => one - other);
}

/** The network that an offset speaks of: an export call, the statement that makes it, or the name of its class. */
export function placeAt(script: InsertScript, offset: number): Place | undefined {
  const { program } = script;
  const exports = program.calls.filter(isExport);
  const here = exports.find(({ statement }) => covers(script.text, statement.span, offset));
  if (here) return behindExport(script, here);
  const makers = program.calls.filter((call) => madeName(call) !== undefined);
  const owner = program.classes.find(({ statement }) => covers(script.text, statement.nameSpan, offset));
  const made = owner
    ? makers.find((call) => classOf(call) === owner.statement.name)
    : makers.find(({ statement }) => covers(script.text, statement.span, offset));
  const name = made && madeName(made);
  if (!made || name === undefined) return undefined;
  // What is exported in the same function is trained by then.
  const later = exports.find(
    (call) => call.function === made.function && modelOf(script, call) === name && !call.loops.length,
  );
  return (later && behindExport(script, later)) ?? atEnd(script, made, name);
}

/** True for a call that writes a network to an ONNX file. */
export function isExport({ path }: Call): boolean {
  return path !== undefined && exporters.has(canonicalPath(path));
}

/** On the lines of a span. */
function covers(text: string, [start, end]: Span, offset: number): boolean {
  const first = text.lastIndexOf('\n', start - 1) + 1;
  const newline = text.indexOf('\n', end);
  return first <= offset && offset <= (newline < 0 ? text.length : newline);
}

/** `model` of `model = Net(…)`, also `model = Net(…).to(device)`, where Net is a class of the file or of torchvision. */
export function madeName({ statement, expression, scope }: Call): string | undefined {
  if (statement.kind !== 'assign' || statement.operator !== undefined || !statement.value) return undefined;
  const [target] = statement.targets;
  if (statement.targets.length !== 1 || target?.kind !== 'name') return undefined;
  if (innermost(statement.value) !== expression) return undefined;
  const path = pathOf(expression.callee, scope);
  const isTorchvision = path !== undefined && /^torchvision\.models\.(\w+\.)?[a-z]\w*$/.test(path);
  return isTorchvision || networkOf(expression.callee, scope) ? target.name : undefined;
}

type ClassBinding = Extract<ReturnType<typeof definitionOf>, { kind: 'class' }>;

/** The class of a network that a call gives: it, or a function of the file that returns one. */
function networkOf(callee: Expression, scope: Scope, depth = 0): ClassBinding | undefined {
  const definition = definitionOf(callee, scope);
  if (definition?.kind === 'class')
    return isNetwork(definition.statement.bases, scope) ? definition : undefined;
  const last = definition?.statement.body.at(-1);
  if (!definition || last?.kind !== 'return' || !last.value || depth > MAXIMUM_DEPTH) return undefined;
  const made = innermost(last.value);
  return made.kind === 'call' ? networkOf(made.callee, definition.scope, depth + 1) : undefined;
}

/** Functions that call functions that make a network. */
const MAXIMUM_DEPTH = 4;

function isNetwork(bases: readonly { readonly value: Expression }[], scope: Scope): boolean {
  return bases.some(({ value }) => {
    const path = pathOf(value, scope);
    if (path !== undefined) return /^torch\.nn\.(Module|Sequential)$/.test(path);
    const base = definitionOf(value, scope);
    return base?.kind === 'class' && isNetwork(base.statement.bases, scope);
  });
}

function innermost(value: Expression): Expression {
  const isMethod = value.kind === 'call' && value.callee.kind === 'attribute';
  return isMethod && value.callee.object.kind === 'call' ? innermost(value.callee.object) : value;
}

function classOf({ expression, scope }: Call): string | undefined {
  return networkOf(expression.callee, scope)?.statement.name;
}

function modelOf({ text }: InsertScript, call: Call): string | undefined {
  const given = argument(call, 'model', 0);
  if (!given || given === 'hidden') return undefined;
  const { value } = given;
  const isPlain = value.kind === 'name' || value.kind === 'attribute';
  const name = isPlain ? value : methodReceiver(value);
  return name && text.slice(name.span[0], name.span[1]);
}

/** `network` of `network.to(…)`, `network.eval()`. */
function methodReceiver(value: Expression): Expression | undefined {
  if (value.kind !== 'call' || value.callee.kind !== 'attribute') return undefined;
  const { object } = value.callee;
  return object.kind === 'name' || object.kind === 'attribute' ? object : undefined;
}

function behindExport(script: InsertScript, call: Call): Place | undefined {
  const model = modelOf(script, call);
  if (model === undefined) return undefined;
  const maker = script.program.calls.find((one) => madeName(one) === model);
  const end = lineBehind(script.text, call.statement);
  const indent = indentOf(script.text, call.statement);
  if (end === undefined || indent === undefined) return undefined;
  const className = maker && classOf(maker);
  return { model, className, exported: call, scope: call.scope, at: end, isBehind: true, indent };
}

/** Behind the last statement of the block that makes the network, in front of a `return`. */
function atEnd(script: InsertScript, made: Call, model: string): Place | undefined {
  const around = blockOf(script.program.module.statements, made.statement);
  const last = around?.at(-1);
  if (!last) return undefined;
  const indent = indentOf(script.text, last);
  if (indent === undefined) return undefined;
  const className = classOf(made);
  const common = { model, className, exported: undefined, scope: made.scope, indent };
  if (last.kind === 'return' && last !== made.statement)
    return { ...common, at: script.text.lastIndexOf('\n', last.span[0] - 1) + 1, isBehind: false };
  const end = lineBehind(script.text, last);
  return end === undefined ? undefined : { ...common, at: end, isBehind: true };
}

function blockOf(statements: readonly Statement[], wanted: Statement): readonly Statement[] | undefined {
  if (statements.includes(wanted)) return statements;
  for (const one of statements) {
    if (one.span[0] > wanted.span[0] || wanted.span[1] > one.span[1]) continue;
    for (const inside of blocks(one)) {
      const found = blockOf(inside, wanted);
      if (found) return found;
    }
  }
  return undefined;
}

/** End of the line on which a statement ends; undefined when another one follows on that line. */
function lineBehind(text: string, { span }: Statement): number | undefined {
  const end = text.slice(0, span[1]).trimEnd().length;
  const newline = text.indexOf('\n', end);
  const lineEnd = newline < 0 ? text.length : newline;
  if (!/^[ \t]*(#.*)?\r?$/.test(text.slice(end, lineEnd))) return undefined;
  return text[lineEnd - 1] === '\r' ? lineEnd - 1 : lineEnd;
}

/** White space in front of a statement; undefined when it does not begin its line. */
function indentOf(text: string, { span }: Statement): string | undefined {
  const start = text.lastIndexOf('\n', span[0] - 1) + 1;
  const before = text.slice(start, span[0]);
  return /^[ \t]*$/.test(before) ? before : undefined;
}

/** A DataLoader that code at a place can name. */
export interface Loader {
  readonly name: string;
  /** What is reported on a test set shall not be chosen by it. */
  readonly isHeldOut: boolean;
}

/** DataLoaders that code at a place can name, best first; test sets come last. */
export function loadersAt(
  program: Program,
  place: Place,
  purpose: 'calibration' | 'training',
  pipelines: readonly DataPipeline[],
): readonly Loader[] {
  const names = new Set<string>();
  for (let scope: Scope | undefined = place.scope; scope; scope = scope.parent) {
    if (scope.kind === 'class') continue;
    for (const [name, bindings] of scope.names)
      if (bindings.some((one) => isLoader(name, one, scope ?? place.scope, place.at))) names.add(name);
  }
  const isTraining = purpose === 'training';
  const order = isTraining ? trainingOrder : calibrationOrder;
  return [...names]
    .map((name) => {
      const pipeline = pipelineOf(program, place.scope, name, pipelines);
      const isRandom = pipeline?.doubts.some(({ kind }) => kind === 'random') ?? false;
      const isLast = isHeldOut(name) || (isTraining && isForValidation(name, pipeline));
      const at = order.findIndex((pattern) => pattern.test(name));
      const known = at < 0 ? order.length : at;
      // Ranges of pictures changed at random are not those of what the network will see.
      const rank = known + (!isTraining && isRandom ? 10 : 0) + (isLast ? 100 : 0);
      return { name, isHeldOut: isLast, rank };
    })
    .sort((one, other) => one.rank - other.rank);
}

/** Nothing may be trained on what a name, or the data behind it, is for. */
function isForValidation(name: string, pipeline: DataPipeline | undefined): boolean {
  if (/train/i.test(name)) return false;
  // Data for calibration is a part of one set or the other; its folder says which.
  if (/calib/i.test(name)) return pipeline?.sources.some(({ path }) => namesValidation(path)) ?? false;
  return namesValidation(name) || pipeline?.role === 'evaluation';
}

function namesValidation(text: string): boolean {
  const words = text.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
  return /(^|[^a-z])(val|valid|validation|dev|holdout|heldout|test|eval)(set|dataset|data|dataloader|loader|dl|ds)?([^a-z]|$)/.test(
    words,
  );
}

export function isHeldOut(loader: string): boolean {
  return /test|eval/i.test(loader);
}

const calibrationOrder = [/calib/i, /train/i, /val/i];
const trainingOrder = [/train/i, /calib/i];

function isLoader(
  name: string,
  binding: ReturnType<typeof lookUp>[number],
  scope: Scope,
  before: number,
): boolean {
  if (binding.kind === 'parameter') return /loader$/i.test(name);
  if (binding.kind !== 'variable') return false;
  const isOwn = binding.span[0] < before;
  if (!isOwn) return false;
  const { value } = binding;
  if (value?.kind !== 'call') return /(^|_)(data_?)?loader$/i.test(name);
  const path = pathOf(value.callee, scope);
  return (
    (path !== undefined && canonicalPath(path).endsWith('utils.data.DataLoader')) || /loader$/i.test(name)
  );
}

/** How batches of a loader are taken: the first of several, or the batch itself; undefined for dictionaries. */
export function batchTarget(
  { text, program }: InsertScript,
  loader: string,
): 'several' | 'single' | undefined {
  for (const { loops } of program.calls)
    for (const loop of loops) {
      const { target, iterable, span } = loop;
      const counted = iterable.kind === 'call' && iterable.callee.kind === 'name' ? iterable : undefined;
      const over =
        counted && /^(enumerate|tqdm)$/.test(nameOf(counted.callee)) ? counted.args[0]?.value : iterable;
      if (!over || nameOf(over) !== loader) continue;
      const isNumbered = counted !== undefined && nameOf(counted.callee) === 'enumerate';
      const batch = isNumbered && target.kind === 'tuple' ? target.items[1] : target;
      if (!batch) continue;
      if (batch.kind !== 'name') return 'several';
      const body = text.slice(...span);
      const used = (pattern: string) => new RegExp(`\\b${batch.name}${pattern}`).test(body);
      if (used('\\s*\\[\\s*["\']') || used('\\.(items|keys|values)\\(')) return undefined;
      const isUnpacked = new RegExp(`,[^=\\n]*=\\s*${batch.name}\\b`).test(body);
      return used('\\s*\\[\\s*0') || isUnpacked ? 'several' : 'single';
    }
  return 'several';
}

function nameOf(expression: Expression): string {
  return expression.kind === 'name' ? expression.name : '';
}

/** A name that nothing at a place has yet. */
export function freeName({ scope }: Place, wanted: string): string {
  let name = wanted;
  while (lookUp(scope, name).length > 0) name = `${name}_`;
  return name;
}
