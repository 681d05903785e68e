/** What a model wants to be fed: inputs with bound dimensions, and which axis counts samples. */
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Dimension } from '../format/onnx-types';
import type { Model, Value } from '../graph/ir';
import { unsupportedBorder } from './ort';
import { describeTensor, type RuntimeType, runtimeTypeOf } from './runtime-tensor';

export interface ModelInput {
  readonly name: string;
  readonly type: RuntimeType;
  /** Bound dimensions as numbers; free ones by name or `undefined`. Unknown rank: `undefined`. */
  readonly dims: readonly Dimension[] | undefined;
  /** Axis 0 counts samples. */
  readonly batched: boolean;
}

export interface ModelInputs {
  readonly list: readonly ModelInput[];
  /** Batch size the model, or else the caller, insists on; `undefined` = any. */
  readonly fixedBatch: number | undefined;
}

/** Names under which exporters write a free batch axis. */
const BATCH_NAME = /^(n|b|bs|none|batch.*|.*batch.*|unk__.*|\?)$/i;

/**
 * Inputs of a model that have to be fed. `dimensions` binds symbolic ones. Axis 0 of the first input counts samples;
 * of another input it does when it has the same name or size, or a name that says so. `asked` is the batch of a model
 * that leaves it open.
 */
export function modelInputs(
  model: Model,
  dimensions: Readonly<Record<string, number>>,
  asked?: number,
): Outcome<ModelInputs> {
  const issues: Issue[] = [];
  const list: ModelInput[] = [];
  const values = model.graph.dataInputs;
  const batch = values.find((value) => (value.shape?.length ?? 0) > 0)?.shape?.[0];
  for (const value of values) {
    const type = value.otherType ? undefined : runtimeTypeOf(value.elementType);
    if (type === undefined) {
      issues.push(unsupportedBorder('input', value.name, `type ${value.typeName}`));
      continue;
    }
    const dims = value.shape?.map((dimension, axis) => {
      const name = dimensionName(dimension, value.name, axis);
      if (typeof name === 'number') return name;
      return Object.hasOwn(dimensions, name) ? dimensions[name] : dimension || undefined;
    });
    list.push({ name: value.name, type, dims, batched: isBatched(value, batch) });
  }
  if (issues.length > 0) return fail(...issues);
  const first = list.find((input) => input.batched)?.dims?.[0];
  return ok({ list, fixedBatch: typeof first === 'number' && first > 0 ? first : asked });
}

/** Size given to a free dimension when the tool itself makes the data and the user bound none. */
const ASSUMED_SIZE = 16;

/**
 * Inputs whose free dimensions other than the batch have a size: for data that stands in for missing data. Each
 * dimension assumed is a `dimension-assumed` note. What is named like the batch elsewhere has one row per sample.
 */
export function withAssumedDimensions(inputs: ModelInputs): {
  inputs: ModelInputs;
  issues: readonly Issue[];
} {
  const assumed = new Map<string, number>();
  const batch = batchNames(inputs);
  const list = inputs.list.map((input) => {
    const dims = input.dims?.map((dimension, axis) => {
      if (typeof dimension === 'number' || (axis === 0 && input.batched)) return dimension;
      const name = String(dimensionName(dimension, input.name, axis));
      const size = batch.has(name) ? 1 : ASSUMED_SIZE;
      assumed.set(name, size);
      return size;
    });
    return { ...input, dims };
  });
  const issues = [...assumed].map(([dimension, size]) =>
    issue('dimension-assumed', { dimension, size }, {}, 'information'),
  );
  return { inputs: { ...inputs, list }, issues };
}

function batchNames({ list }: ModelInputs): ReadonlySet<string> {
  return new Set(
    list.flatMap(({ batched, dims }) => {
      const first = batched ? dims?.[0] : undefined;
      return typeof first === 'string' && first !== '' ? [first] : [];
    }),
  );
}

/** Names of the dimensions that a user may bind. */
export interface FreeDimensions {
  /** Those that count samples and stand elsewhere too. */
  readonly batch: readonly string[];
  /** Of the first input that has any. */
  readonly first: readonly string[];
  readonly others: readonly string[];
}

/** `undefined` for a model that cannot be fed. */
export function freeDimensions(model: Model): FreeDimensions | undefined {
  const inputs = modelInputs(model, {}).value;
  if (!inputs) return undefined;
  const batch = batchNames(inputs);
  const free = inputs.list.map((input) =>
    (input.dims ?? []).flatMap((dimension, axis) => {
      if (typeof dimension === 'number' || (axis === 0 && input.batched)) return [];
      return [String(dimensionName(dimension, input.name, axis))];
    }),
  );
  const first = new Set(free.find((names) => names.some((name) => !batch.has(name))));
  const all = new Set(free.flat());
  return {
    batch: [...all].filter((name) => batch.has(name)),
    first: [...first].filter((name) => !batch.has(name)),
    others: [...all].filter((name) => !batch.has(name) && !first.has(name)),
  };
}

/** The input as messages name it: `float [batch, 3, 224, 224]`. */
export function describeInput(input: ModelInput): string {
  return describeTensor(input.type, input.dims ?? ['…']);
}

/** The issue for data that does not fit an input. */
export function mismatch(input: ModelInput, found: string): Issue {
  return issue(
    'data-mismatch',
    { input: input.name, expected: describeInput(input), found },
    { tensor: input.name },
  );
}

/** True when a concrete shape fits the dimensions from axis `from` on. */
export function fits(input: ModelInput, shape: readonly number[], from = 0): boolean {
  const dims = input.dims?.slice(from);
  if (dims === undefined) return true;
  return (
    dims.length === shape.length &&
    dims.every((dimension, axis) => typeof dimension !== 'number' || dimension === shape[axis])
  );
}

/** A free dimension's name as it is bound; one without a name is called by input and axis: `state.1`. */
export function dimensionName(dimension: Dimension, input: string, axis: number): string | number {
  return dimension === undefined || dimension === '' ? `${input}.${axis}` : dimension;
}

function isBatched(value: Value, batch: Dimension): boolean {
  const { shape } = value;
  if (shape === undefined || shape.length === 0) return false;
  const own = shape[0];
  return (
    own === undefined || own === '' || own === batch || (typeof own === 'string' && BATCH_NAME.test(own))
  );
}
