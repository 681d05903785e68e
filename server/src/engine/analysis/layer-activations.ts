/** Which activation every layer reads, and what calibration learned of it. */
import type { ActivationFacts, RangesFile } from '../../protocol/reports';
import type { Model } from '../graph/ir';
import { listLayers } from '../graph/layers';
import { observedFor, sourceOf } from './activation-taps';

/**
 * Facts of the activation that each layer reads, by layer name; layers without an observed activation are absent.
 * @param model the folded model that was calibrated: names of tensors are its own.
 */
export function layerActivations(
  model: Model,
  { stats = {} }: Pick<RangesFile, 'stats'>,
): ReadonlyMap<string, ActivationFacts> {
  const found = new Map<string, ActivationFacts>();
  for (const { name, node, activationInput } of listLayers(model)) {
    const value = node.input(activationInput);
    if (!value) continue;
    const facts = [value, sourceOf(value), observedFor(value)]
      .map((one) => (Object.hasOwn(stats, one.name) ? stats[one.name] : undefined))
      .find((one) => one !== undefined);
    if (facts) found.set(name, facts);
  }
  return found;
}
