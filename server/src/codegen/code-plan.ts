/**
 * What is told to another tool: the plan of a recipe for one model as plain data, layer by layer, with the names that
 * the other tools know layers by. Everything in this folder turns such a plan into Python.
 */
import type { RecipeData } from '../engine/format/recipe';
import type { QuantScheme } from '../engine/numerics/scheme';

export interface CodePlan {
  /** Paths as the recipe states them, relative to it. */
  readonly model: string;
  readonly output: string;
  /** File name of the recipe; missing when the code stands in a script of its own. */
  readonly recipe?: string;
  readonly inputs: readonly CodeInput[];
  /** Estimator of activation ranges, with its parameter. */
  readonly estimator: string;
  readonly data?: RecipeData;
  /** Methods that the recipe runs before it quantizes. */
  readonly methods: readonly string[];
  readonly layers: readonly CodeLayer[];
  /** Nodes that multiply two activations: operators of layers, but no layers, so no recipe decides about them. */
  readonly others: readonly string[];
  /** Operators of the model, sorted. */
  readonly operators: readonly string[];
  /** Some nodes have no name; their label here is `OpType_index`. */
  readonly unnamed: boolean;
}

export interface CodeInput {
  readonly name: string;
  /** null where the model leaves a dimension open. */
  readonly shape: readonly (number | null)[];
}

/** One layer and what becomes of it. */
export interface CodeLayer {
  /** As in reports and recipes. */
  readonly name: string;
  /** Node name, or `OpType_index`. */
  readonly node: string;
  readonly op: string;
  /** Tensor that holds the weight. */
  readonly weight: string;
  /** Path of the module in PyTorch, as far as names of the model tell. */
  readonly module: string;
  /** Position of the weight among the node's inputs, and the tensor at the activation's. */
  readonly weightInput: number;
  readonly activation: string;
  /** Axis of the output channels of the weight as the operator reads it. */
  readonly axis: number;
  readonly matrix: boolean;
  /** Axes of the weight. */
  readonly rank: number;
  readonly lookup: boolean;
  /** Gemm that says the same as MatMul and Add. */
  readonly plainGemm: boolean;
  /** Inputs per output channel: a group that is longer holds the channel. */
  readonly perChannel: number;
  readonly weights: QuantScheme | undefined;
  readonly activations: QuantScheme | undefined;
}

/** Something the recipe says that the other tool cannot do, or does in its own way. */
export interface CodeNote {
  /** What the recipe says. */
  readonly what: string;
  /** What the code does instead. */
  readonly instead: string;
  /** Layers concerned; empty = the recipe as a whole. */
  readonly layers: readonly string[];
  /** True where a decision about a layer is not carried out. */
  readonly lost: boolean;
}

export interface Code {
  readonly text: string;
  readonly notes: readonly CodeNote[];
}

/** `int8, one scale per channel`, for comments. */
export function describe({ bits, signed, symmetric, granularity }: QuantScheme): string {
  const scope =
    granularity === 'tensor'
      ? 'one scale'
      : granularity === 'channel'
        ? 'a scale per channel'
        : `a scale per ${granularity.group} inputs`;
  const symmetry = symmetric === signed ? '' : symmetric ? ', symmetric' : ', asymmetric';
  return `${signed ? '' : 'u'}int${bits} with ${scope}${symmetry}`;
}

/** Layers by the key of what becomes of them, in their order. */
export function grouped<T extends CodeLayer>(
  layers: readonly T[],
  key: (layer: T) => string,
): readonly (readonly [T, ...T[]])[] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const layer of layers) {
    const group = groups.get(key(layer));
    if (group) group.push(layer);
    else groups.set(key(layer), [layer]);
  }
  return [...groups.values()];
}

/** The value that most layers have; the first of several. */
export function commonest<T>(values: readonly T[], key: (value: T) => string): T | undefined {
  const counts = new Map<string, { value: T; count: number }>();
  for (const value of values) {
    const held = counts.get(key(value));
    if (held) held.count++;
    else counts.set(key(value), { value, count: 1 });
  }
  return [...counts.values()].reduce<{ value: T; count: number } | undefined>(
    (best, one) => (best && best.count >= one.count ? best : one),
    undefined,
  )?.value;
}

/** Notes of one kind about several layers are one note. */
export class Notes {
  private readonly held = new Map<
    string,
    { what: string; instead: string; lost: boolean; layers: string[] }
  >();

  add(what: string, instead: string, lost: boolean, ...layers: readonly string[]): void {
    const key = `${what}\n${instead}`;
    const known = this.held.get(key);
    if (known) known.layers.push(...layers);
    else this.held.set(key, { what, instead, lost, layers: [...layers] });
  }

  get list(): readonly CodeNote[] {
    return [...this.held.values()];
  }
}
