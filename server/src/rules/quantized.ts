/** What rules on files that are quantized already share: their layers, and the runtime a model is meant for. */
import type { Severity } from '../protocol/issues';
import type { LayerReport, QuantizedLayerFacts, TargetName } from '../protocol/reports';
import type { ModelFacts, ModelRule } from './rule';

/** Integer kernels multiply bytes: onnxruntime dequantizes codes of any other width and computes in float. */
const KERNEL_BITS = 8;

/** Layers that are stored as integers, with their facts. */
export function* storedLayers(
  facts: ModelFacts,
): Iterable<{ readonly layer: LayerReport; readonly quantized: QuantizedLayerFacts }> {
  for (const layer of facts.report.layers) {
    const { quantized } = layer;
    if (quantized && quantized.weightFloat === undefined) yield { layer, quantized };
  }
}

/**
 * Layers whose products are computed in integers: weight and activation are codes of 8 bits. Where the optimised graph
 * is known it decides.
 */
export function* integerLayers(
  facts: ModelFacts,
): Iterable<{ readonly layer: LayerReport; readonly quantized: QuantizedLayerFacts }> {
  for (const one of storedLayers(facts)) if (isInteger(one.layer.op, one.quantized)) yield one;
}

function isInteger(op: string, { inputQuantizer, weightBits, fused }: QuantizedLayerFacts): boolean {
  // It has no integer kernel.
  if (!inputQuantizer || op === 'ConvTranspose') return false;
  return fused ?? (inputQuantizer.bits === KERNEL_BITS && weightBits === KERNEL_BITS);
}

/** The runtime the recipe names, or the one whose own operators the file uses. */
export function targetOf(facts: ModelFacts): TargetName | undefined {
  return facts.plan.target ?? facts.report.quantization?.target;
}

/** A finding that depends on a runtime is information until the runtime is known. */
export function targetSeverity(rule: ModelRule, facts: ModelFacts): Severity {
  return targetOf(facts) === undefined ? 'information' : rule.severity;
}
