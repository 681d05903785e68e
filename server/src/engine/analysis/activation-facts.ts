/** What calibration learned of the activation that each layer reads. */
import type { ActivationFacts } from '../../protocol/reports';
import type { Model } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { activationTensors } from './activation-taps';

/**
 * @param model as it was calibrated, BatchNormalization folded.
 * @param stats of a ranges file, by the name of the tensor that was observed.
 * @returns facts by layer name; none for layers whose activation was not observed (a bound known without data).
 */
export function activationFacts(
  model: Model,
  stats: Readonly<Record<string, ActivationFacts>> = {},
): ReadonlyMap<string, ActivationFacts> {
  const sources = new Map(activationTensors(model).map(({ name, source }) => [name, source]));
  const facts = new Map<string, ActivationFacts>();
  for (const { name, node, activationInput } of listLayers(model)) {
    const read = node.input(activationInput)?.name ?? '';
    const known = stats[sources.get(read) ?? read];
    if (known) facts.set(name, known);
  }
  return facts;
}
