/** How much the activation that a layer reads differs from sample to sample, by its standard deviation. */
import { fail, type Outcome, ok } from '../base/outcome';
import type { Model } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { type RunTapsInput, runTaps } from './run-taps';

/**
 * Largest standard deviation over one sample divided by the smallest, per layer. Layers in subgraphs and those whose
 * input is constant on some sample are left out.
 */
export async function sampleSpread(
  model: Model,
  input: Omit<RunTapsInput, 'networks'>,
): Promise<Outcome<Readonly<Record<string, number>>>> {
  const read = listLayers(model).flatMap(({ name, node, activationInput }) => {
    const value = node.input(activationInput);
    return value && model.graph.values.get(value.name) === value ? [{ name, value: value.name }] : [];
  });
  const values = [...new Set(read.map(({ value }) => value))];
  const extremes = new Map(
    values.map((value) => [value, { smallest: Number.POSITIVE_INFINITY, largest: 0 }]),
  );
  const ran = await runTaps({ ...input, networks: [{ model, values }] }, ([tensors = []]) => {
    values.forEach((value, index) => {
      const data = tensors[index]?.data;
      const extreme = extremes.get(value);
      if (!(data instanceof Float32Array) || !extreme) return;
      const deviation = standardDeviation(data);
      extreme.smallest = Math.min(extreme.smallest, deviation);
      extreme.largest = Math.max(extreme.largest, deviation);
    });
  });
  if (!ran.value) return fail(...ran.issues);
  return ok(
    Object.fromEntries(
      read.flatMap(({ name, value }) => {
        const { smallest, largest } = extremes.get(value) ?? { smallest: 0, largest: 0 };
        const ratio = largest / smallest;
        return Number.isFinite(ratio) ? [[name, ratio] as const] : [];
      }),
    ),
  );
}

/** Of the whole population, two passes. */
function standardDeviation(data: Float32Array): number {
  let sum = 0;
  for (const value of data) sum += value;
  const mean = sum / data.length;
  let squares = 0;
  for (const value of data) squares += (value - mean) ** 2;
  return Math.sqrt(squares / data.length);
}
