/**
 * The data that a block can use at its place: loaders that code there can name, those that an object there holds or
 * hands out, and functions of the script that make one from constants.
 */
import { canonicalPath } from '../script/catalog';
import type { DataPipeline } from '../script/data-pipeline';
import { type Binding, lookUp, pathOf, type Scope } from '../script/names';
import type { Call } from '../script/program';
import {
  type ClassStatement,
  type Expression,
  type FunctionStatement,
  parts,
  statementsIn,
} from '../script/syntax';
import { isMadeAsLoader, pipelineMadeBy, pipelineOf, returnedLoaders } from './insert-loaders';
import { type Definition, definitionIn, fileOf, type InsertScript } from './insert-networks';
import { freeName, nameOf, type Place } from './insert-place';

/** A DataLoader that a block can use. */
export interface Loader {
  /** As the block calls it. */
  readonly name: string;
  /** What makes it known at the place; empty where it is. */
  readonly lines: readonly string[];
  /** What is reported on a test set shall not be chosen by it. */
  readonly isHeldOut: boolean;
  /** Its pictures are changed at random. */
  readonly isRandom: boolean;
  readonly pipeline: DataPipeline | undefined;
}

export type Purpose = 'calibration' | 'training';

export interface DataScript extends InsertScript {
  readonly pipelines: readonly DataPipeline[];
}

/** A loader before it is judged. */
interface Candidate {
  readonly name: string;
  readonly lines: readonly string[];
  readonly pipeline: DataPipeline | undefined;
  /** Name that tells what it is for, where the own one does not. */
  readonly told?: string;
}

/** Loaders for a block at a place, best first; test sets come last. */
export function loadersAt(script: DataScript, place: Place, purpose: Purpose): readonly Loader[] {
  const known = [
    ...visible(script, place),
    ...ofDictionaries(script, place),
    ...ofSelf(script, place),
    ...handedOut(script, place),
  ];
  const usable = known.map((one) => judged(one, purpose));
  const isGood = ({ isHeldOut: isLast, isRandom }: Loader) =>
    !isLast && (purpose === 'training' || !isRandom);
  const made = usable.some(({ loader }) => isGood(loader))
    ? []
    : madeByFunctions(script, place).map((one) => judged(one, purpose));
  const seen = new Set<string>();
  return [...usable, ...made]
    .sort((one, other) => one.rank - other.rank)
    .map(({ loader }) => loader)
    .filter(({ name }) => !seen.has(name) && seen.add(name));
}

const calibrationOrder = [/calib/i, /val|dev/i, /train/i];
const trainingOrder = [/train/i, /calib/i];

function judged(
  { name, lines, pipeline, told = name }: Candidate,
  purpose: Purpose,
): { readonly loader: Loader; readonly rank: number } {
  const isTraining = purpose === 'training';
  const isRandom = pipeline?.doubts.some(({ kind }) => kind === 'random') ?? false;
  const isLast = isHeldOut(told) || (isTraining && isForValidation(told, pipeline));
  const order = isTraining ? trainingOrder : calibrationOrder;
  const at = order.findIndex((pattern) => pattern.test(told));
  const known = at < 0 ? order.length : at;
  // Ranges of pictures changed at random are not those of what the network will see.
  const rank = known + (!isTraining && isRandom ? 10 : 0) + (isLast ? 100 : 0);
  return { loader: { name, lines, isHeldOut: isLast, isRandom, pipeline }, rank: rank + lines.length / 10 };
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

function isHeldOut(loader: string): boolean {
  return /test|eval/i.test(loader);
}

/** Variables and parameters that code at the place sees. */
function visible(script: DataScript, place: Place): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (let scope: Scope | undefined = place.scope; scope; scope = scope.parent) {
    if (scope.kind === 'class') continue;
    const around = scope;
    for (const [name, bindings] of scope.names) {
      // What is called `_` is not wanted.
      if (found.has(name) || /^_+$/.test(name)) continue;
      const pipeline = pipelineOf(script, place.scope, name);
      if (bindings.some((one) => isLoader(script, name, one, around, place.at, pipeline)))
        found.set(name, { name, lines: [], pipeline });
    }
  }
  return [...found.values()];
}

const calledLoader = /(^|_)(data_?)?(loader|dl)$|loader$/i;

function isLoader(
  script: DataScript,
  name: string,
  binding: Binding,
  scope: Scope,
  before: number,
  pipeline: DataPipeline | undefined,
): boolean {
  if (binding.kind === 'parameter') return /loader$/i.test(name);
  if (binding.kind !== 'variable' || binding.span[0] >= before) return false;
  const { value } = binding;
  if (value?.kind !== 'call') return calledLoader.test(name) || pipeline?.kind === 'loader';
  if (isDataModule(script, value, scope)) return false;
  return isMadeAsLoader(script, value, scope, fileOf(script)) || /loader$/i.test(name);
}

/** `loaders["val"]` of a dictionary whose values are made as loaders. */
function ofDictionaries(script: DataScript, { scope, at }: Place): readonly Candidate[] {
  const found: Candidate[] = [];
  for (let current: Scope | undefined = scope; current; current = current.parent) {
    if (current.kind === 'class') continue;
    for (const [name, bindings] of current.names)
      for (const binding of bindings) {
        if (binding.kind !== 'variable' || !binding.value || binding.span[0] >= at) continue;
        for (const key of loaderKeys(binding.value, current)) {
          const text = `${name}[${JSON.stringify(key)}]`;
          const listed = script.pipelines.find(({ loader }) => loader?.name === `${name}['${key}']`);
          found.push({ name: text, lines: [], pipeline: listed, told: key });
        }
      }
  }
  return found;
}

function loaderKeys(value: Expression, scope: Scope): readonly string[] {
  if (value.kind === 'dict')
    return value.entries.flatMap(({ key, value: one }) =>
      key && isDataLoader(one, scope) ? textIn(key) : [],
    );
  // `{part: DataLoader(…) for part in ["train", "val"]}`
  if (value.kind !== 'comprehension' || value.element.kind !== 'other') return [];
  const [key, made] = value.element.parts;
  const [loop, more] = value.loops;
  if (!key || !made || !loop || more || nameOf(key) !== nameOf(loop.target) || nameOf(key) === '') return [];
  const { iterable } = loop;
  const isList = iterable.kind === 'list' || iterable.kind === 'tuple';
  return isList && isDataLoader(made, scope) ? iterable.items.flatMap(textIn) : [];
}

function textIn(value: Expression): readonly string[] {
  return value.kind === 'constant' && typeof value.value === 'string' ? [value.value] : [];
}

function isDataLoader(value: Expression, scope: Scope): boolean {
  const path = value.kind === 'call' ? pathOf(value.callee, scope) : undefined;
  return path !== undefined && canonicalPath(path).endsWith('utils.data.DataLoader');
}

/** `self.train_loader`, and the same of the object that holds the network. */
function ofSelf(script: DataScript, place: Place): readonly Candidate[] {
  const { holder, class: around } = place;
  const isMethod = place.scope.kind === 'function' && place.model.startsWith('self.');
  const owner = holder?.class ?? (isMethod ? around : undefined);
  if (!owner) return [];
  const object = holder?.name ?? 'self';
  const methods = script.program.functions.filter((one) => one.class === owner);
  return methods.flatMap(({ statement, scope }) =>
    [...statementsIn(statement.body)].flatMap((one): readonly Candidate[] => {
      if (one.kind !== 'assign' || one.operator !== undefined) return [];
      const { value } = one;
      return one.targets
        .flatMap((target) => (target.kind === 'tuple' || target.kind === 'list' ? target.items : [target]))
        .flatMap((target): readonly Candidate[] => {
          if (target.kind !== 'attribute' || nameOf(target.object) !== 'self') return [];
          const isMade = value !== undefined && isMadeAsLoader(script, value, scope, fileOf(script));
          if (!isMade && !calledLoader.test(target.attribute)) return [];
          const name = `${object}.${target.attribute}`;
          const pipeline = value && pipelineMadeBy(script, { span: value.span, file: fileOf(script) });
          return [{ name, lines: [], pipeline, told: target.attribute }];
        });
    }),
  );
}

type ClassDefinition = Extract<Definition, { readonly kind: 'class' }>;

/** `data.val_dataloader()` of Lightning: of a data module at the place, or of the network itself. */
function handedOut(script: DataScript, place: Place): readonly Candidate[] {
  const modules = new Map<string, ClassDefinition>();
  for (let scope: Scope | undefined = place.scope; scope; scope = scope.parent)
    for (const [name, bindings] of scope.names)
      for (const one of bindings) {
        const value = one.kind === 'variable' && one.span[0] < place.at ? one.value : undefined;
        const made = value?.kind === 'call' ? definitionIn(script, value.callee, scope) : undefined;
        if (made?.kind === 'class' && loaderMethods(made.statement).length > 0) modules.set(name, made);
      }
  return [...modules].flatMap(([object, { statement, scope, file }]) =>
    loaderMethods(statement).map((method): Candidate => {
      const name = freeName(place, method.name.replace('dataloader', 'loader'));
      const inside = scope.inner.get(method);
      const [returned] = inside ? returnedLoaders(script, method, inside, file) : [];
      return {
        name,
        lines: [...prepared(script, object, statement, place), `${name} = ${object}.${method.name}()`],
        pipeline: returned?.pipeline,
        told: method.name,
      };
    }),
  );
}

function loaderMethods({ body }: ClassStatement): readonly FunctionStatement[] {
  return body.filter(
    (one): one is FunctionStatement =>
      one.kind === 'function' && /^(train|val|test)_dataloader$/.test(one.name),
  );
}

function isDataModule(script: DataScript, value: Expression, scope: Scope): boolean {
  const made = value.kind === 'call' ? definitionIn(script, value.callee, scope) : undefined;
  return made?.kind === 'class' && loaderMethods(made.statement).length > 0;
}

/** `setup` before the first use; what was fitted with it is set up. */
function prepared(
  { program, text }: DataScript,
  object: string,
  { body }: ClassStatement,
  { at }: Place,
): readonly string[] {
  const needs = body.some((one) => one.kind === 'function' && one.name === 'setup');
  const isDone = program.calls.some(
    ({ name, receiver, expression }) =>
      expression.span[0] < at &&
      ((name === 'setup' && receiver && nameOf(receiver) === object) ||
        (/^(fit|validate)$/.test(name) &&
          new RegExp(`\\b${object}\\b`).test(text.slice(...expression.span)))),
  );
  return needs && !isDone ? [`${object}.setup("fit")`] : [];
}

/** Functions that hand out loaders, called as the script calls them where that can be said at the place as well. */
function madeByFunctions(script: DataScript, place: Place): readonly Candidate[] {
  const seen = new Set<FunctionStatement>();
  const own = script.program.functions
    .filter(({ class: owner, scope }) => !owner && scope.parent?.kind === 'module')
    .map(({ statement, scope }) => ({
      definition: { kind: 'function', statement, scope, file: fileOf(script) } as const,
      call: undefined,
    }));
  const called = script.program.calls.flatMap((call) => {
    const definition = definitionIn(script, call.expression.callee, call.scope);
    return definition?.kind === 'function' && isReachable(call.expression.callee, call.scope, place)
      ? [{ definition, call }]
      : [];
  });
  return [...called, ...own].flatMap(({ definition, call }) => {
    const { statement, scope, file } = definition;
    const isAhead = place.scope.kind !== 'module' || file !== fileOf(script) || statement.span[1] < place.at;
    if (!isAhead || seen.has(statement) || place.scope.statement === statement) return [];
    const text = callText(script, statement, call, place);
    if (text === undefined) return [];
    const loaders = returnedLoaders(script, statement, scope, file);
    if (loaders.length > 0) seen.add(statement);
    return loaders.map(({ at, count, label, pipeline }): Candidate => {
      const name = freeName(place, label ?? 'loader');
      const targets = at === undefined ? name : targetList(name, at, count);
      return { name, lines: [`${targets} = ${text}`], pipeline, told: label ?? statement.name };
    });
  });
}

/** `_, val_loader`. */
function targetList(name: string, at: number, count: number): string {
  return Array.from({ length: count }, (_, index) => (index === at ? name : '_')).join(', ');
}

/** The call as code at the place can write it; undefined where it lacks a value. */
function callText(
  { text }: DataScript,
  { name, parameters }: FunctionStatement,
  call: Call | undefined,
  place: Place,
): string | undefined {
  if (!call)
    return parameters.every((one) => one.default !== undefined || one.star !== undefined)
      ? `${name}()`
      : undefined;
  const { args } = call.expression;
  if (!args.every(({ value }) => isReachable(value, call.scope, place))) return undefined;
  return text.slice(...call.expression.span);
}

/** True where every name of an expression stands for the same at the place. */
function isReachable(value: Expression, scope: Scope, place: Place): boolean {
  if (value.kind === 'lambda' || value.kind === 'comprehension') return false;
  if (value.kind === 'name') {
    const [here, there] = [lookUp(scope, value.name), lookUp(place.scope, value.name)];
    const isEarly =
      place.scope.kind !== 'module' || here.every((one) => one.kind !== 'variable' || one.span[0] < place.at);
    return here === there || (here.length === 0 && there.length === 0) ? isEarly : false;
  }
  return [...parts(value)].every((part) => isReachable(part, scope, place));
}
