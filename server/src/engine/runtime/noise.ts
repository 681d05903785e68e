/**
 * Seeded noise in the shape of a model's inputs: N(0, 1) for floats; for integers that look up rows of a table,
 * uniform over its rows; 0 or 1 for the others. Sample i only depends on the seed and i.
 */
import { fingerprintOf } from '../base/fingerprint';
import { type Issue, issue } from '../base/issue';
import { floatToLowFloat } from '../base/lowfloat';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model, Value } from '../graph/ir';
import { createRandom, type Random } from '../numerics/random';
import { dimensionName, type ModelInput, type ModelInputs } from './model-inputs';
import { arrayFor, type RuntimeTensor, runtimeTensor } from './runtime-tensor';
import type { Sample, SampleSource, SampleTensor } from './sample-source';

interface NoiseInput {
  readonly input: ModelInput;
  readonly dims: readonly number[];
  /** Integers lie below this. */
  readonly bound: number;
}

/** Issues: `dimension-unbound` for a free dimension other than the batch. */
export function noiseSource(model: Model, inputs: ModelInputs, seed: number): Outcome<SampleSource> {
  const issues: Issue[] = [];
  const made: NoiseInput[] = [];
  for (const input of wholeRuns(inputs)) {
    const dims = input.dims?.slice(input.batched ? 1 : 0);
    const free = input.dims?.findIndex(
      (one, axis) => typeof one !== 'number' && !(axis === 0 && input.batched),
    );
    if (dims === undefined || free === undefined || free >= 0) {
      const dimension = String(dimensionName(input.dims?.[free ?? 0], input.name, free ?? 0));
      issues.push(issue('dimension-unbound', { dimension, input: input.name }, { tensor: input.name }));
    } else if (input.type === 'string') {
      const facts = { source: 'random', reason: `input ${input.name} takes strings` };
      issues.push(issue('data-unsupported', facts, { tensor: input.name }));
    } else {
      made.push({
        input,
        dims: dims as readonly number[],
        bound: vocabulary(model.graph.find(input.name)) ?? 2,
      });
    }
  }
  if (issues.length > 0) return fail(...issues);
  return ok({
    description: 'random',
    available: Number.POSITIVE_INFINITY,
    stackable: made.every((one) => stacking(one) !== 'whole'),
    read: async (first, count) =>
      ok(Array.from({ length: count }, (_, index) => sample(made, seed, first + index))),
    fingerprint: async (count) =>
      fingerprintOf(
        'random',
        JSON.stringify([seed, count, made.map(({ input, dims, bound }) => [input, dims, bound])]),
      ),
    close: () => {},
  });
}

/**
 * Inputs as samples fill them. Where the batch is fixed and another input has none, a sample is a whole run: rows of
 * several samples could not be put together.
 */
function wholeRuns({ list, fixedBatch }: ModelInputs): readonly ModelInput[] {
  const single = list.some((input) => !input.batched && input.dims?.length !== 0);
  if (fixedBatch === undefined || !single) return list;
  return list.map((input) =>
    input.batched && input.dims
      ? { ...input, batched: false, dims: [fixedBatch, ...input.dims.slice(1)] }
      : input,
  );
}

/** Rows of the tables that an integer input indexes; `undefined` when it indexes none. */
export function vocabulary(value: Value | undefined): number | undefined {
  let smallest: number | undefined;
  const pending = value ? [value] : [];
  const seen = new Set<Value>();
  for (let at = pending.pop(); at; at = pending.pop()) {
    if (seen.has(at)) continue;
    seen.add(at);
    for (const { node, index } of at.uses) {
      if (MOVES.has(node.op) && index === 0) pending.push(...node.outputs);
      const table = index === 1 ? tableRows(node.op, node.input(0), node.int('axis', 0)) : undefined;
      if (table !== undefined) smallest = Math.min(smallest ?? table, table);
    }
  }
  return smallest;
}

/** Operators behind which an index is still an index. */
const MOVES: ReadonlySet<string> = new Set([
  'Cast',
  'Identity',
  'Reshape',
  'Squeeze',
  'Unsqueeze',
  'Flatten',
]);

function tableRows(op: string, table: Value | undefined, axis: number): number | undefined {
  if (op !== 'Gather' && op !== 'com.microsoft.GatherBlockQuantized') return undefined;
  // A quantized table reaches the Gather through DequantizeLinear, which keeps the shape.
  const stored =
    table?.tensor ??
    (table?.producer?.opType === 'DequantizeLinear' ? table.producer.input(0)?.tensor : undefined);
  return stored && stored.shape.length > 0
    ? stored.shape[axis < 0 ? axis + stored.shape.length : axis]
    : undefined;
}

function sample(inputs: readonly NoiseInput[], seed: number, index: number): Sample {
  // Two draws apart: neighbouring seeds and neighbouring samples share nothing.
  const random = createRandom((createRandom(seed).bits() + Math.imul(index, 0x9e3779b1)) >>> 0);
  const made: Record<string, Sample[string]> = {};
  for (const one of inputs) made[one.input.name] = { tensor: noise(one, random.fork()), use: stacking(one) };
  return made;
}

function stacking({ input, dims }: NoiseInput): SampleTensor['use'] {
  if (input.batched) return 'row';
  return dims.length === 0 ? 'shared' : 'whole';
}

function noise({ input, dims, bound }: NoiseInput, random: Random): RuntimeTensor {
  const data = arrayFor(
    input.type,
    dims.reduce((product, dimension) => product * dimension, 1),
  );
  const float = input.type.startsWith('float');
  for (let at = 0; at < data.length; at++) {
    const value = float ? random.normal() : random.integer(bound);
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[at] = BigInt(value);
    else data[at] = input.type === 'float16' ? floatToLowFloat('float16', value) : value;
  }
  return runtimeTensor(input.type, dims, data);
}
