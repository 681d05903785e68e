/**
 * Ties the layers a script constructs to the layers of a model file: by parameter names where the export kept them, by
 * the module path that exporters write into the names of operators, what is left by order and shape (exports with folded
 * BatchNormalization or transposed weights rename them). A pair that another alignment contradicts is left out; how sure
 * a tie is, is said.
 */
import type { ModuleLayer, ModuleTree } from './module-tree';

/** A layer of a model file, as far as tying needs it. */
export interface ModelLayer {
  /** Name as in reports. */
  readonly name: string;
  /** Initializer name. */
  readonly weight: string;
  readonly shape: readonly number[];
  /** Name of the operator; `/layer1/layer1.0/conv1/Conv` tells the module. */
  readonly node?: string;
}

export interface Tie {
  readonly tree: ModuleTree;
  /** Layer of the script → name of the layer in the model. */
  readonly pairs: ReadonlyMap<ModuleLayer, string>;
  /** Tied layers over the larger of both counts, 0 to 1. */
  readonly score: number;
  readonly by: 'names' | 'shapes';
  /** Layers that names alone tied. */
  readonly named: number;
}

/** Below this share of tied layers two networks are not the same. */
const MINIMUM_SCORE = 0.5;

/**
 * Ties of all trees with a model that are good enough, best first. Several with one score are an honest ambiguity:
 * the first is no better than the others.
 * @param isCertain the user says that the model belongs to the script: a few names are enough.
 */
export function tiesOf(
  trees: readonly ModuleTree[],
  layers: readonly ModelLayer[],
  isCertain = false,
): readonly Tie[] {
  return trees
    .map((tree) => bestTie(tree, layers))
    .filter(({ score, by, named }) => score >= MINIMUM_SCORE || (isCertain && by === 'names' && named > 0))
    .sort(
      (one, other) =>
        other.score - one.score ||
        other.named - one.named ||
        agreement(other, layers) - agreement(one, layers),
    );
}

const knownTies = new WeakMap<ModuleTree, WeakMap<readonly ModelLayer[], Tie>>();

/** A tree stays the same object while its code does, and so do the layers of a file. */
function bestTie(tree: ModuleTree, layers: readonly ModelLayer[]): Tie {
  const known = knownTies.get(tree) ?? new WeakMap<readonly ModelLayer[], Tie>();
  knownTies.set(tree, known);
  const before = known.get(layers);
  if (before) return before;
  const named = byNames(tree, layers);
  const shaped = named.score === 1 ? named : byShapes(tree, layers);
  // Without a single name it is an alignment, whatever it is called.
  const tie = named.named > 0 && named.score >= shaped.score ? named : shaped;
  known.set(layers, tie);
  return tie;
}

/** Pairs whose sizes agree as far as the script states them: the same names may be those of a wider network. */
function agreement({ pairs }: Tie, layers: readonly ModelLayer[]): number {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  return [...pairs].filter(([layer, name]) => mayBe(layer, byName.get(name))).length;
}

/** Parameter and module names, whatever prefix a wrapper put before all of them (`module.`, `model.`, `_orig_mod.`). */
function byNames(tree: ModuleTree, layers: readonly ModelLayer[]): Tie {
  let best: ReadonlyMap<ModuleLayer, ModelLayer> = new Map();
  for (const prefix of prefixesOf(tree, layers)) {
    const pairs = namedPairs(tree, layers, prefix);
    if (pairs.size > best.size) best = pairs;
  }
  const pairs = withGaps(tree, layers, best);
  return { tree, pairs, score: scoreOf(tree, layers, pairs), by: 'names', named: best.size };
}

function namedPairs(
  tree: ModuleTree,
  layers: readonly ModelLayer[],
  prefix: string,
): ReadonlyMap<ModuleLayer, ModelLayer> {
  const byWeight = new Map(layers.map((layer) => [layer.weight, layer]));
  const byModule = new Map<string, ModelLayer[]>();
  for (const layer of layers) {
    const module = modulePath(layer.node);
    const list = module === undefined ? undefined : byModule.get(module);
    if (list) list.push(layer);
    else if (module !== undefined) byModule.set(module, [layer]);
  }
  const pairs = new Map<ModuleLayer, ModelLayer>();
  const taken = new Set<ModelLayer>();
  const pair = (layer: ModuleLayer, found: ModelLayer | undefined) => {
    if (!found || taken.has(found) || pairs.has(layer)) return;
    taken.add(found);
    pairs.set(layer, found);
  };
  for (const layer of tree.layers)
    for (const weight of layer.weights) {
      const found = byWeight.get(prefix + parameter(layer, weight));
      if (found && sameKind(layer, found)) pair(layer, found);
    }
  for (const layer of tree.layers) {
    if (pairs.has(layer)) continue;
    const inside = byModule.get((prefix + layer.path).replace(/\.$/, '')) ?? [];
    const fitting = inside.filter((one) => !taken.has(one) && mayBe(layer, one));
    if (fitting.length === 1) pair(layer, fitting[0]);
  }
  return pairs;
}

function parameter({ path }: ModuleLayer, weight: string): string {
  return path === '' ? weight : `${path}.${weight}`;
}

/** What stands before the first parameter of the script in the model's names, or nothing. */
function prefixesOf({ layers: own }: ModuleTree, layers: readonly ModelLayer[]): readonly string[] {
  const prefixes = new Set(['']);
  for (const layer of own.slice(0, MAXIMUM_FIRST)) {
    const [weight = 'weight'] = layer.weights;
    const name = parameter(layer, weight);
    for (const one of layers) {
      const module = modulePath(one.node);
      if (one.weight.endsWith(`.${name}`)) prefixes.add(one.weight.slice(0, -name.length));
      if (layer.path !== '' && module?.endsWith(`.${layer.path}`))
        prefixes.add(module.slice(0, -layer.path.length));
    }
    if (prefixes.size > 1) break;
  }
  return [...prefixes];
}

/** Layers of a script by which a prefix is looked for; the first may be one that the export left out. */
const MAXIMUM_FIRST = 4;

/** `/layer1/layer1.0/conv1/Conv` → `layer1.0.conv1`: children of containers repeat the container's name. */
function modulePath(node: string | undefined): string | undefined {
  if (!node?.startsWith('/')) return undefined;
  const scopes = node.split('/').slice(1, -1);
  let path = '';
  let last = '';
  for (const scope of scopes) {
    if (last !== '' && scope.startsWith(`${last}.`)) path = path.slice(0, path.length - last.length) + scope;
    else path = path === '' ? scope : `${path}.${scope}`;
    last = scope;
  }
  return path === '' ? undefined : path;
}

/** What names did not tie, by order and shape between the layers that they did tie. */
function withGaps(
  { layers: own }: ModuleTree,
  layers: readonly ModelLayer[],
  named: ReadonlyMap<ModuleLayer, ModelLayer>,
): ReadonlyMap<ModuleLayer, string> {
  const pairs = new Map([...named].map(([layer, { name }]) => [layer, name]));
  if (named.size === 0 || named.size === Math.min(own.length, layers.length)) return pairs;
  const position = new Map(layers.map((layer, at) => [layer, at]));
  const taken = new Set(named.values());
  const fill = (from: readonly [number, number], to: readonly [number, number]) => {
    const rows = own.slice(from[0], to[0]).filter((layer) => !named.has(layer));
    const columns = layers.slice(from[1], to[1]).filter((layer) => !taken.has(layer));
    for (const [layer, found] of aligned(rows, columns)) pairs.set(layer, found.name);
  };
  let last: readonly [number, number] = [0, 0];
  own.forEach((layer, row) => {
    const found = named.get(layer);
    const column = found && position.get(found);
    if (column === undefined || column < last[1]) return;
    fill(last, [row, column]);
    last = [row + 1, column + 1];
  });
  fill(last, [own.length, layers.length]);
  return pairs;
}

/** Longest common subsequence of both orders, a pair being two weights of one shape. */
function byShapes(tree: ModuleTree, layers: readonly ModelLayer[]): Tie {
  const pairs = new Map([...aligned(tree.layers, layers)].map(([layer, { name }]) => [layer, name]));
  return { tree, pairs, score: scoreOf(tree, layers, pairs), by: 'shapes', named: 0 };
}

/** Cells of the alignment table beyond which order and shape are not compared. */
const MAXIMUM_CELLS = 4_000_000;

/** Pairs on which the alignments from the front and from the back agree; where they do not, either may be wrong. */
function aligned(
  rows: readonly ModuleLayer[],
  columns: readonly ModelLayer[],
): ReadonlyMap<ModuleLayer, ModelLayer> {
  const none = new Map<ModuleLayer, ModelLayer>();
  if (rows.length === 0 || columns.length === 0 || rows.length * columns.length > MAXIMUM_CELLS) return none;
  const forwards = subsequence(rows, columns);
  const backwards = subsequence(rows.toReversed(), columns.toReversed());
  return new Map([...forwards].filter(([row, column]) => backwards.get(row) === column));
}

function subsequence(
  rows: readonly ModuleLayer[],
  columns: readonly ModelLayer[],
): ReadonlyMap<ModuleLayer, ModelLayer> {
  const fits = (row: number, column: number) => sameShape(rows[row], columns[column]);
  const lengths = Array.from({ length: rows.length + 1 }, () => new Uint32Array(columns.length + 1));
  const at = (row: number, column: number) => lengths[row]?.[column] ?? 0;
  for (let row = rows.length - 1; row >= 0; row--) {
    const line = lengths[row];
    if (!line) continue;
    for (let column = columns.length - 1; column >= 0; column--)
      line[column] = fits(row, column)
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
  }
  const pairs = new Map<ModuleLayer, ModelLayer>();
  for (let row = 0, column = 0; row < rows.length && column < columns.length; ) {
    const layer = rows[row];
    const model = columns[column];
    if (layer && model && fits(row, column)) {
      pairs.set(layer, model);
      row++;
      column++;
    } else if (at(row + 1, column) >= at(row, column + 1)) row++;
    else column++;
  }
  return pairs;
}

/** Every size that the script states agrees, and it states one. */
function sameShape(layer: ModuleLayer | undefined, model: ModelLayer | undefined): boolean {
  return layer?.shape?.some((size) => size !== null) === true && mayBe(layer, model);
}

/** No size that the script states contradicts, a linear weight either way round. */
function mayBe({ shape: own }: ModuleLayer, model: ModelLayer | undefined): boolean {
  if (!model) return false;
  if (!own) return true;
  if (own.length !== model.shape.length) return false;
  const agrees = (shape: readonly number[]) =>
    own.every((size, axis) => size === null || size === shape[axis]);
  return agrees(model.shape) || (own.length === 2 && agrees([...model.shape].reverse()));
}

/** Another count of classes or a wider network keeps its names; another rank or kernel is another layer. */
function sameKind({ shape: own }: ModuleLayer, { shape }: ModelLayer): boolean {
  if (!own) return true;
  if (own.length !== shape.length) return false;
  return own.slice(2).every((size, at) => size === null || size === shape[at + 2]);
}

function scoreOf(
  tree: ModuleTree,
  layers: readonly ModelLayer[],
  pairs: ReadonlyMap<ModuleLayer, string>,
): number {
  return pairs.size / Math.max(1, tree.layers.length, layers.length);
}
