/**
 * The networks that a script makes, and what its code calls them: objects of its classes or of imported ones, what
 * functions hand out, ready networks of libraries.
 */
import type { Resolver } from '../script/interpret';
import { type Binding, definitionOf, pathOf, type Scope } from '../script/names';
import type { Call, Program } from '../script/program';
import { type Expression, type FunctionStatement, statementsIn } from '../script/syntax';

export interface InsertScript {
  readonly text: string;
  readonly program: Program;
  /** Path of the script, from which imports are followed. */
  readonly file?: string;
  /** Classes and functions imported from other files of the workspace. */
  readonly resolve?: Resolver;
}

/** A class or function with the file that defines it. */
export type Definition = Extract<Binding, { kind: 'class' | 'function' }> & { readonly file: string };

/** A call whose value is a network. */
export interface NetworkMaker {
  readonly call: Call;
  /** As code calls it: `model`, `self.net`. */
  readonly name: string;
  /** Class of the network, if it is one of the workspace. */
  readonly className: string | undefined;
  /** Functions that make it and hand it out. */
  readonly through: readonly FunctionStatement[];
}

/** Functions that call functions that make a network. */
const MAXIMUM_DEPTH = 4;

/** Methods that give the network itself. */
const chained =
  /^(to|cuda|cpu|eval|train|half|float|double|bfloat16|apply|requires_grad_|to_empty|share_memory)$/;

/** Functions of libraries that give the network they are given. */
const wrappers: ReadonlySet<string> = new Set(['torch.compile', 'torch.nn.DataParallel']);

const libraryNetworks =
  /^(torchvision\.models\.(\w+\.)*[a-z]\w*|timm\.(models\.)?create_model|torch\.hub\.load|segmentation_models_pytorch\.[A-Z]\w*)$/;

const networkBases =
  /^(torch\.nn\.(modules\.(\w+\.)?)?(Module|Sequential)|(pytorch_lightning|lightning)(\.\w+)*\.LightningModule)$/;

/** All of a script, in the order of the text. */
export function networkMakers(script: InsertScript): readonly NetworkMaker[] {
  return script.program.calls.flatMap((call) => madeBy(script, call) ?? []);
}

/** `model` of `model = Net(…)`, `self.net = Net(…).to(device)`, `model, loss = build()`. */
function madeBy(script: InsertScript, call: Call): NetworkMaker | undefined {
  const { statement, expression, scope } = call;
  if (statement.kind !== 'assign' || statement.operator !== undefined || !statement.value) return undefined;
  const [target] = statement.targets;
  if (!target || statement.targets.length !== 1 || innermost(statement.value) !== expression)
    return undefined;
  const owner = call.class && script.program.classes.find((one) => one.statement === call.class);
  // What a network keeps in itself is a part of it.
  if (owner && target.kind === 'attribute' && isNetworkClass(script, { ...owner, file: fileOf(script) }))
    return undefined;
  const items = target.kind === 'tuple' || target.kind === 'list' ? target.items : undefined;
  if (!items) {
    const name = nameIn(script, target);
    const made = name === undefined ? undefined : networkOf(script, expression, scope, fileOf(script));
    return made && name !== undefined ? { call, name, ...made } : undefined;
  }
  for (const [at, item] of items.entries()) {
    const name = nameIn(script, item);
    const made = name && networkOf(script, expression, scope, fileOf(script), at);
    if (made) return { call, name, ...made };
  }
  return undefined;
}

/** `model` and `self.net`, as they are written. */
function nameIn({ text }: InsertScript, target: Expression): string | undefined {
  const isOwn = target.kind === 'attribute' && target.object.kind === 'name' && target.object.name === 'self';
  return target.kind === 'name' || isOwn ? text.slice(...target.span) : undefined;
}

type Made = Pick<NetworkMaker, 'className' | 'through'>;

/** @param at which of several values is meant; undefined = the value itself. */
function networkOf(
  script: InsertScript,
  value: Expression,
  scope: Scope,
  file: string,
  at?: number,
  depth = 0,
): Made | undefined {
  const made = innermost(value);
  if (depth > MAXIMUM_DEPTH || made.kind !== 'call') return undefined;
  const { callee } = made;
  const path = pathOf(callee, scope);
  if (at === undefined && path !== undefined) {
    const [first] = made.args;
    if (wrappers.has(path) && first)
      return handedOver(script, first.value, scope, file, undefined, depth + 1);
    const isStack = path === 'torch.nn.Sequential' && made.args.some(({ value: one }) => isLayer(one, scope));
    if (isStack || libraryNetworks.test(path)) return { className: undefined, through: [] };
  }
  const loaded = callee.kind === 'attribute' && callee.attribute === 'load_from_checkpoint';
  const definition = definitionIn(script, loaded ? callee.object : callee, scope, file);
  if (!definition) return undefined;
  if (definition.kind === 'class')
    return at === undefined && isNetworkClass(script, definition)
      ? { className: definition.statement.name, through: [] }
      : undefined;
  for (const returned of returnedBy(definition.statement)) {
    const found = handedOver(script, returned, definition.scope, definition.file, at, depth + 1);
    if (found) return { ...found, through: [...found.through, definition.statement] };
  }
  return undefined;
}

/** The network that an expression hands over: a call, or a variable that holds what one made. */
function handedOver(
  script: InsertScript,
  value: Expression,
  scope: Scope,
  file: string,
  at: number | undefined,
  depth: number,
): Made | undefined {
  if (depth > MAXIMUM_DEPTH) return undefined;
  if (at !== undefined && (value.kind === 'tuple' || value.kind === 'list')) {
    const item = value.items[at];
    return item && handedOver(script, item, scope, file, undefined, depth);
  }
  if (value.kind !== 'name') return networkOf(script, value, scope, file, at, depth);
  for (const binding of scope.names.get(value.name) ?? []) {
    const held = binding.kind === 'variable' ? binding.value : undefined;
    const found = held && networkOf(script, held, scope, file, at, depth);
    if (found) return found;
  }
  return undefined;
}

/** What a function returns, the last first. */
export function returnedBy({ body }: FunctionStatement): readonly Expression[] {
  const own = statementsIn(body, ({ kind }) => kind !== 'function' && kind !== 'class');
  return [...own].flatMap((one) => (one.kind === 'return' && one.value ? [one.value] : [])).reverse();
}

/** A class or function of the script, or one of the workspace that it imports. */
export function definitionIn(
  script: InsertScript,
  expression: Expression,
  scope: Scope,
  file: string = fileOf(script),
): Definition | undefined {
  const own = definitionOf(expression, scope);
  if (own) return { ...own, file };
  const path = script.resolve && pathOf(expression, scope);
  const found = path === undefined ? undefined : script.resolve?.(path, file);
  if (found?.kind === 'class')
    return { kind: 'class', statement: found.statement, scope: found.scope, file: found.file };
  return found?.kind === 'function' && found.statement.kind === 'function'
    ? { kind: 'function', statement: found.statement, scope: found.scope, file: found.file }
    : undefined;
}

export function fileOf({ file }: InsertScript): string {
  return file ?? '';
}

type ClassPart = Pick<Extract<Definition, { kind: 'class' }>, 'statement' | 'scope' | 'file'>;

/** True for a class that inherits from a module of PyTorch. */
export function isNetworkClass(script: InsertScript, definition: ClassPart, depth = 0): boolean {
  const { statement, scope, file } = definition;
  const around = scope.parent ?? scope;
  return statement.bases.some(({ value }) => {
    const path = pathOf(value, around);
    if (path !== undefined && networkBases.test(path)) return true;
    const base = depth > MAXIMUM_DEPTH ? undefined : definitionIn(script, value, around, file);
    return base?.kind === 'class' && isNetworkClass(script, base, depth + 1);
  });
}

/** `nn.Linear(…)`: a Sequential of transforms is no network. */
function isLayer(value: Expression, scope: Scope): boolean {
  const path = value.kind === 'call' ? pathOf(value.callee, scope) : undefined;
  return path?.startsWith('torch.nn.') ?? false;
}

function innermost(value: Expression): Expression {
  const isChained =
    value.kind === 'call' && value.callee.kind === 'attribute' && chained.test(value.callee.attribute);
  return isChained && value.callee.object.kind === 'call' ? innermost(value.callee.object) : value;
}
