/**
 * Trees of `nn.Module`s that a script builds: each layer with the attribute path that PyTorch gives it in a state
 * dictionary (`layer1.0.conv1`) and the place of the constructor call that makes it.
 */
import { Interpreter, type Resolver } from './interpret';
import {
  type ClassValue,
  noArguments,
  type ObjectValue,
  type Place,
  type PythonValue,
} from './interpret-values';
import { definitionOf } from './names';
import type { Call, Program } from './program';
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
  /** Constructor calls of the modules around it, outermost first. */
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

/**
 * All networks that a file constructs: by calls of its module classes, by factory functions that need no argument,
 * and of classes that nothing calls, with their defaults. Trees without a layer are left out.
 * @param resolve classes and functions imported from other files of the workspace.
 */
export function moduleTrees(source: ScriptFile, resolve: Resolver = () => undefined): readonly ModuleTree[] {
  const { program, file } = source;
  const interpreter = new Interpreter(resolve);
  const trees: ModuleTree[] = [];
  const built = new Set<string>();
  const seen = new Set<string>();
  const keep = (value: PythonValue, place: Place) => {
    if (value.kind !== 'object') return;
    noteClasses(value, built);
    const { layers, leaves } = contentsOf(value);
    const signature = JSON.stringify([value.type, layers.map(({ path, shape }) => [path, shape])]);
    if (layers.length === 0 || seen.has(signature)) return;
    seen.add(signature);
    trees.push({ name: value.type, place, layers, leaves });
  };
  for (const call of program.calls) {
    if (!mayConstruct(call)) continue;
    const value = interpreter.evaluate(call.expression, call.scope, file);
    keep(value, { file, span: call.expression.span });
  }
  for (const { statement, scope, class: owner } of program.functions) {
    if (owner || statement.parameters.some((one) => !one.star && !one.default)) continue;
    const value = interpreter.call(
      { kind: 'function', statement, scope, closure: undefined, self: undefined, file },
      noArguments,
    );
    keep(value, { file, span: statement.nameSpan });
  }
  const alone = program.classes.map(({ statement, scope }) => {
    const place = { file, span: statement.nameSpan };
    const target: ClassValue = { kind: 'class', statement, scope, file };
    const value = interpreter.instantiate(target, noArguments, place);
    const inside = new Set<string>();
    for (const child of value.attributes.values()) if (child.kind === 'object') noteClasses(child, inside);
    for (const name of inside) if (name !== statement.name) built.add(name);
    return { value, place, name: statement.name };
  });
  for (const { value, place, name } of alone) if (!built.has(name)) keep(value, place);
  return trees;
}

/** A call of a class or function of this program outside other classes: what is inside is built with its owner. */
function mayConstruct(call: Call): boolean {
  if (call.class) return false;
  const target = definitionOf(call.expression.callee, call.scope);
  return target !== undefined;
}

function noteClasses(value: ObjectValue, into: Set<string>, seen = new Set<ObjectValue>()): void {
  if (seen.has(value)) return;
  seen.add(value);
  if (value.class) into.add(value.class.statement.name);
  for (const child of value.attributes.values()) if (child.kind === 'object') noteClasses(child, into, seen);
}

/** Depth-first in the order of assignment, as PyTorch names parameters; a shared module is listed once. */
function contentsOf(root: ObjectValue): Pick<ModuleTree, 'layers' | 'leaves'> {
  const layers: ModuleLayer[] = [];
  const leaves = new Map<string, string>();
  const seen = new Set<ObjectValue>();
  const visit = (module: ObjectValue, path: string, around: readonly Place[]) => {
    if (seen.has(module) || layers.length >= MAXIMUM_LAYERS) return;
    seen.add(module);
    const layer = layerTypes[module.type];
    if (layer || module.attributes.size === 0) leaves.set(path, module.type);
    if (layer) {
      const shape = layer.shape?.((name, position) => argumentOf(module, name, position));
      const weights = layer.weights ?? ['weight'];
      const groups = argumentOf(module, 'groups', 6);
      layers.push({
        path,
        type: module.type,
        weights,
        place: module.origin,
        around,
        shape,
        groups: groups === undefined ? 1 : groups,
      });
      return;
    }
    for (const [name, child] of module.attributes)
      if (child.kind === 'object')
        visit(child, path === '' ? name : `${path}.${name}`, [...around, module.origin]);
  };
  visit(root, '', []);
  return { layers, leaves };
}

function argumentOf(module: ObjectValue, name: string, position: number): number | null | undefined {
  const given = module.args.keywords.get(name) ?? module.args.positional[position];
  if (given === undefined) return undefined;
  if (given.kind === 'constant' && typeof given.value === 'number') return given.value;
  // kernel_size=(3, 3): the first stands for all where they agree.
  const items = given.kind === 'list' ? given.items : [];
  const [first] = items;
  const same =
    first?.kind === 'constant' && items.every((one) => one.kind === 'constant' && one.value === first.value);
  return same && typeof first.value === 'number' ? first.value : null;
}
