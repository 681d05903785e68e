/**
 * Ties the layers a script constructs to the layers of a model file: by parameter names where the export kept them,
 * else by order and shape (exports with folded BatchNormalization rename every weight). How sure it is, is said.
 */
import type { ModuleLayer, ModuleTree } from './module-tree';

/** A layer of a model file, as far as tying needs it. */
export interface ModelLayer {
  /** Name as in reports. */
  readonly name: string;
  /** Initializer name. */
  readonly weight: string;
  readonly shape: readonly number[];
}

export interface Tie {
  readonly tree: ModuleTree;
  /** Layer of the script → name of the layer in the model. */
  readonly pairs: ReadonlyMap<ModuleLayer, string>;
  /** Tied layers over the larger of both counts, 0 to 1. */
  readonly score: number;
  readonly by: 'names' | 'shapes';
}

/** Below this share of tied layers two networks are not the same. */
const MINIMUM_SCORE = 0.5;

/**
 * Ties of all trees with a model that are good enough, best first. Several with one score are an honest ambiguity:
 * the first is no better than the others.
 */
export function tiesOf(trees: readonly ModuleTree[], layers: readonly ModelLayer[]): readonly Tie[] {
  return trees
    .map((tree) => bestTie(tree, layers))
    .filter(({ score }) => score >= MINIMUM_SCORE)
    .sort((one, other) => other.score - one.score);
}

function bestTie(tree: ModuleTree, layers: readonly ModelLayer[]): Tie {
  const named = byNames(tree, layers);
  const shaped = byShapes(tree, layers);
  return named.score >= shaped.score ? named : shaped;
}

/** Parameter names, whatever prefix a wrapper put before all of them (`module.`, `model.`, `_orig_mod.`). */
function byNames(tree: ModuleTree, layers: readonly ModelLayer[]): Tie {
  const own = tree.layers.flatMap((layer) =>
    layer.weights.map((weight) => ({ layer, name: layer.path === '' ? weight : `${layer.path}.${weight}` })),
  );
  let best: ReadonlyMap<ModuleLayer, string> = new Map();
  for (const prefix of prefixesOf(own[0]?.name, layers)) {
    const known = new Map(
      layers.flatMap(({ name, weight }) =>
        weight.startsWith(prefix) ? [[weight.slice(prefix.length), name]] : [],
      ),
    );
    const pairs = new Map<ModuleLayer, string>();
    for (const { layer, name } of own) {
      const found = known.get(name);
      if (found !== undefined && !pairs.has(layer)) pairs.set(layer, found);
    }
    if (pairs.size > best.size) best = pairs;
  }
  return { tree, pairs: best, score: scoreOf(tree, layers, best), by: 'names' };
}

/** What stands before the first parameter of the script in the model's names; without one, nothing. */
function prefixesOf(first: string | undefined, layers: readonly ModelLayer[]): readonly string[] {
  if (first === undefined) return [''];
  const found = layers.filter(({ weight }) => weight === first || weight.endsWith(`.${first}`));
  return [...new Set(['', ...found.map(({ weight }) => weight.slice(0, weight.length - first.length))])];
}

/** Cells of the alignment table beyond which order and shape are not compared. */
const MAXIMUM_CELLS = 4_000_000;

/** Longest common subsequence of both orders, a pair being two weights of one shape. */
function byShapes(tree: ModuleTree, layers: readonly ModelLayer[]): Tie {
  const rows = tree.layers.length;
  const columns = layers.length;
  const none: Tie = { tree, pairs: new Map(), score: 0, by: 'shapes' };
  if (rows * columns > MAXIMUM_CELLS) return none;
  const fits = (row: number, column: number) => sameShape(tree.layers[row], layers[column]);
  const lengths = Array.from({ length: rows + 1 }, () => new Uint32Array(columns + 1));
  const at = (row: number, column: number) => lengths[row]?.[column] ?? 0;
  for (let row = rows - 1; row >= 0; row--) {
    const line = lengths[row];
    if (!line) continue;
    for (let column = columns - 1; column >= 0; column--)
      line[column] = fits(row, column)
        ? at(row + 1, column + 1) + 1
        : Math.max(at(row + 1, column), at(row, column + 1));
  }
  const pairs = new Map<ModuleLayer, string>();
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    const layer = tree.layers[row];
    const model = layers[column];
    if (layer && model && fits(row, column)) {
      pairs.set(layer, model.name);
      row++;
      column++;
    } else if (at(row + 1, column) >= at(row, column + 1)) row++;
    else column++;
  }
  return { tree, pairs, score: scoreOf(tree, layers, pairs), by: 'shapes' };
}

/** Every size that the script states agrees, a linear weight either way round; a layer of unknown size fits nothing. */
function sameShape(layer: ModuleLayer | undefined, model: ModelLayer | undefined): boolean {
  const own = layer?.shape;
  if (!own || !model || own.length !== model.shape.length) return false;
  if (own.every((size) => size === null)) return false;
  const agrees = (shape: readonly number[]) =>
    own.every((size, axis) => size === null || size === shape[axis]);
  return agrees(model.shape) || (own.length === 2 && agrees([...model.shape].reverse()));
}

function scoreOf(
  tree: ModuleTree,
  layers: readonly ModelLayer[],
  pairs: ReadonlyMap<ModuleLayer, string>,
): number {
  return pairs.size / Math.max(1, tree.layers.length, layers.length);
}
