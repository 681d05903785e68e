/** How a file stores the weight of a layer: as float, which can become something else, or as codes already. */
import { dataTypeByName } from '../engine/base/dtype';
import type { QuantizedLayerFacts } from '../protocol/quantized';
import type { LayerReport } from '../protocol/reports';

type Stored = Pick<LayerReport, 'dataType'> & {
  readonly quantized?: Pick<QuantizedLayerFacts, 'weightBits' | 'weightSigned'>;
};

/** Codes of few bits are packed into bytes: their own type says more than that of the bytes. */
export function storedAs({ dataType, quantized }: Stored): string {
  if (!quantized || quantized.weightBits === 8) return dataType;
  return `${quantized.weightSigned ? '' : 'u'}int${quantized.weightBits}`;
}

/** False for weights that are stored quantized: nothing is left to plan. Weight files have names of their own. */
export function isFloat({ dataType, quantized }: LayerReport): boolean {
  const type = dataTypeByName(dataType);
  // Floats of one byte that have a scale are codes.
  if (type?.kind === 'float') return type.bits > 8 || quantized?.weightFloat === undefined;
  return /^B?F(8_.*|16|32|64)$/.test(dataType);
}

/** True where every layer is stored quantized: no plan changes the file. */
export function isStoredQuantized(layers: readonly LayerReport[]): boolean {
  return layers.length > 0 && !layers.some(isFloat);
}
