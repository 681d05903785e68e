/**
 * Trees of `nn.Module`s that a script builds: each layer with the attribute path that PyTorch gives it in a state
 * dictionary (`layer1.0.conv1`) and the place of the constructor call that makes it.
 */
import { Interpreter, type Resolver } from './interpret';
import { methodOf } from './interpret-classes';
import type { Machine } from './interpret-frame';
import {
  type Arguments,
  type ClassValue,
  noArguments,
  type ObjectValue,
  type Place,
  type PythonValue,
} from './interpret-values';
import { definitionOf, starPaths } from './names';
import { isParameter, parameterLayers, tensorType } from './parameter-layers';
import { type Call, type Program, stampOf, type Unit } from './program';
import { layerTypes } from './torch-layers';

/** One layer with weights, at one place of a network. */
export interface ModuleLayer {
  /** Attribute path from the root: `layer1.0.conv1`. */
  readonly path: string;
  /** `torch.nn.Conv2d`. */
  readonly type: string;
  /** Names of its weights below the path: `weight`. */
  readonly weights: readonly string[];
  /** Call of its constructor. */
  readonly place: Place;
  /** Constructor calls of the modules around it, outermost first, and calls of the functions that made them or it. */
  readonly around: readonly Place[];
  /** Sizes that the constructor states, in the order of the weight's shape: null where not known. */
  readonly shape: readonly (number | null)[] | undefined;
  /** Groups of a convolution; 1 when the constructor does not state them, null when not known. */
  readonly groups: number | null;
}

/** A network that a script constructs. */
export interface ModuleTree {
  /** Class of the root module. */
  readonly name: string;
  /** The call that makes it, or the class itself when nothing in the program calls it. */
  readonly place: Place;
  readonly layers: readonly ModuleLayer[];
  /** Type of every module without children, by its path: also those without weights. */
  readonly leaves: ReadonlyMap<string, string>;
}

/** One parsed file of a workspace. */
export interface ScriptFile {
  readonly file: string;
  readonly program: Program;
}

/** Layers of one network beyond which it is cut. */
const MAXIMUM_LAYERS = 20_000;

/** One way to make an object, and what it makes. */
interface Candidate {
  /** Missing when it makes no network. */
  readonly tree: ModuleTree | undefined;
  /** Equal for trees that cannot be told apart. */
  readonly signature: string;
  /** Classes of the objects inside, the object itself included. */
  readonly classes: ReadonlySet<string>;
  /** Class of a candidate that stands for a class nothing calls. */
  readonly alone?: string;
}

/** What one statement at the top of a file makes. */
interface UnitTrees {
  readonly stamp: number;
  readonly calls: readonly Candidate[];
  readonly functions: readonly Candidate[];
  readonly classes: readonly Candidate[];
}

const nothing: Resolver = () => undefined;
const knownTrees = new WeakMap<Resolver, WeakMap<Unit, UnitTrees>>();

/**
 * All networks that a file constructs: by calls of its module classes, by factory functions that need no argument,
 * and of classes that nothing calls, with their defaults. Trees without a layer are left out. A tree is the same object
 * as long as nothing it depends on changed.
 * @param resolve classes and functions imported from other files of the workspace; another function for other files.
 */
export function moduleTrees(source: ScriptFile, resolve: Resolver = nothing): readonly ModuleTree[] {
  const all = [...moduleTreeSteps(source, resolve)].filter((made) => made !== undefined);
  const trees: ModuleTree[] = [];
  const built = new Set<string>();
  const seen = new Set<string>();
  const keep = ({ tree, signature, classes }: Candidate) => {
    for (const name of classes) built.add(name);
    if (!tree || seen.has(signature)) return;
    seen.add(signature);
    trees.push(tree);
  };
  for (const { calls } of all) calls.forEach(keep);
  for (const { functions } of all) functions.forEach(keep);
  const alone = all.flatMap(({ classes }) => classes);
  // A class is no network of its own where another one holds it.
  for (const { classes, alone: name } of alone)
    for (const inside of classes) if (inside !== name) built.add(inside);
  for (const one of alone) if (one.alone !== undefined && !built.has(one.alone)) keep(one);
  return trees;
}

/**
 * The work of {@link moduleTrees} in steps, one per statement at the top of the file; done once, it is remembered. A step
 * without a result needs a file that has to be read before the next.
 */
export function* moduleTreeSteps(
  source: ScriptFile,
  resolve: Resolver = nothing,
): Generator<UnitTrees | undefined, void> {
  const known = knownTrees.get(resolve) ?? new WeakMap<Unit, UnitTrees>();
  knownTrees.set(resolve, known);
  for (const unit of source.program.units) {
    const stamp = stampOf(unit);
    let made = known.get(unit);
    while (made?.stamp !== stamp) {
      const trees = treesOfUnit(unit, source, resolve);
      if (resolve.waits?.()) yield undefined;
      else made = { stamp, ...trees };
    }
    known.set(unit, made);
    yield made;
  }
}

function treesOfUnit(unit: Unit, { file }: ScriptFile, resolve: Resolver): Omit<UnitTrees, 'stamp'> {
  const interpreter = new Interpreter(resolve);
  const calls = unit.calls
    .filter((call) => mayConstruct(call, file, resolve))
    .map(({ expression, scope }) =>
      candidate(interpreter.evaluate(expression, scope, file), { file, span: expression.span }, interpreter),
    );
  const functions = unit.functions
    .filter(
      ({ statement, class: owner }) => !owner && statement.parameters.every((one) => one.star || one.default),
    )
    .map(({ statement, scope }) => {
      const target = {
        kind: 'function',
        statement,
        scope,
        closure: undefined,
        self: undefined,
        file,
      } as const;
      return candidate(
        interpreter.call(target, noArguments),
        { file, span: statement.nameSpan },
        interpreter,
      );
    });
  const classes = unit.classes.map(({ statement, scope }) => {
    const place = { file, span: statement.nameSpan };
    const target: ClassValue = { kind: 'class', statement, scope, file };
    const made = candidate(interpreter.instantiate(target, noArguments, place), place, interpreter);
    return { ...made, alone: statement.name };
  });
  return { calls, functions, classes };
}

function candidate(value: PythonValue, place: Place, machine: Machine): Candidate {
  const classes = new Set<string>();
  if (value.kind !== 'object') return { tree: undefined, signature: '', classes };
  noteClasses(value, classes);
  const { layers, leaves } = contentsOf(value, machine);
  const signature = JSON.stringify([value.type, layers.map(({ path, shape }) => [path, shape])]);
  const tree = layers.length === 0 ? undefined : { name: value.type, place, layers, leaves };
  return { tree, signature, classes };
}

/** A call of a class or function of the workspace outside other classes: what is inside is built with its owner. */
function mayConstruct(call: Call, file: string, resolve: Resolver): boolean {
  if (call.class) return false;
  const { callee } = call.expression;
  if (definitionOf(callee, call.scope)) return true;
  const starred = callee.kind === 'name' ? starPaths(call.scope, callee.name) : [];
  return [...(call.path === undefined ? [] : [call.path]), ...starred].some((path) => {
    const found = resolve(path, file);
    return found?.kind === 'class' || found?.kind === 'function';
  });
}

function noteClasses(value: ObjectValue, into: Set<string>, seen = new Set<ObjectValue>()): void {
  if (seen.has(value)) return;
  seen.add(value);
  if (value.class) into.add(value.class.statement.name);
  for (const child of value.attributes.values()) if (child.kind === 'object') noteClasses(child, into, seen);
}

/** Depth-first in the order of assignment, as PyTorch names parameters; a shared module is listed once. */
function contentsOf(root: ObjectValue, machine: Machine): Pick<ModuleTree, 'layers' | 'leaves'> {
  const parametersOf = (module: ObjectValue) => {
    if (!module.class || ![...module.attributes.values()].some(isParameter)) return [];
    const forward = methodOf(machine, module.class, 'forward')?.function;
    return forward?.statement.kind === 'function'
      ? parameterLayers(module, { statement: forward.statement, scope: forward.scope })
      : [];
  };
  const layers: ModuleLayer[] = [];
  const leaves = new Map<string, string>();
  const seen = new Set<ObjectValue>();
  const visit = (module: ObjectValue, path: string, outside: readonly Place[]) => {
    if (seen.has(module) || layers.length >= MAXIMUM_LAYERS) return;
    seen.add(module);
    const around = [...outside, ...(module.handedOut?.toReversed() ?? [])];
    const { type, args } = libraryLayer(module);
    const layer = layerTypes[type];
    if (layer || module.attributes.size === 0) leaves.set(path, type);
    if (layer) {
      const argument = (name: string, position: number) => argumentOf(args, name, position);
      const groups = argument('groups', 6);
      const shared = {
        type,
        place: module.origin,
        around,
        groups: groups === undefined ? 1 : groups,
      };
      const parts = layer.parts?.(argument).map(({ path: below, weight, shape }) => ({
        ...shared,
        path: [path, below].filter((one) => one !== '').join('.'),
        weights: [weight],
        shape,
      }));
      const whole = { ...shared, path, weights: layer.weights ?? ['weight'], shape: layer.shape?.(argument) };
      layers.push(...(parts ?? [whole]));
      return;
    }
    const inside = [...around, module.origin];
    for (const { name, parameter, shape } of parametersOf(module))
      layers.push({
        path,
        type: module.type,
        weights: [name],
        place: parameter.origin,
        around: inside,
        shape,
        groups: null,
      });
    for (const [name, child] of module.attributes)
      if (child.kind === 'object' && child.type !== tensorType)
        visit(child, path === '' ? name : `${path}.${name}`, inside);
  };
  visit(root, '', []);
  return { layers, leaves };
}

/** A layer of a library, or what a class derives from one: `class StandardizedConv2d(nn.Conv2d)`. */
function libraryLayer({ type, args, base }: ObjectValue): {
  readonly type: string;
  readonly args: Arguments;
} {
  return base && !layerTypes[type] && layerTypes[base.type] ? base : { type, args };
}

function argumentOf(args: Arguments, name: string, position: number): number | null | undefined {
  const given = args.keywords.get(name) ?? args.positional[position];
  if (given === undefined) return undefined;
  if (given.kind === 'constant' && typeof given.value === 'number') return given.value;
  // kernel_size=(3, 3): the first stands for all where they agree.
  const items = given.kind === 'list' ? given.items : [];
  const [first] = items;
  const same =
    first?.kind === 'constant' && items.every((one) => one.kind === 'constant' && one.value === first.value);
  return same && typeof first.value === 'number' ? first.value : null;
}
