/**
 * Integer codes, scales and zero points of a weight in any layout, as export writes them and as `weight-error.ts`
 * judges them: the same min-max quantizer over the same scopes.
 */
import {
  type Codes,
  codeArray,
  dequantizeValue,
  type QuantParameters,
  quantizeValue,
  ROUNDING_MAGIC,
} from './affine';
import { channelView, forEachScope, scopeCount } from './layout';
import type { QuantScheme } from './scheme';
import {
  quantizerFor,
  readerOf,
  type ScopeParameters,
  scopeParameters,
  selectScope,
} from './weight-error-reference';

export type { ScopeParameters } from './weight-error-reference';

export interface QuantizedWeight extends ScopeParameters {
  readonly scheme: QuantScheme;
  /** Codes in the order of the weight's elements, one array element each. */
  readonly codes: Codes;
  /** One per scope: [1], [channels], or [channels × groups] with the groups of a channel together. */
  readonly scales: Float32Array;
  /** As `scales`; all zero for a signed symmetric scheme. */
  readonly zeroPoints: Int32Array;
  /** Scopes of one channel: 1, or ⌈inputs / group⌉. */
  readonly groups: number;
}

/** Min-max quantizers of every scope of a weight: tensor, channels, or the groups of each channel in turn. */
export function weightParameters(
  data: Float32Array,
  shape: readonly number[],
  channelAxis: number | null,
  scheme: QuantScheme,
): ScopeParameters {
  return scopeParameters(readerOf(data), channelView(shape, channelAxis), scheme);
}

/**
 * Quantizes a weight. Values must be finite.
 * @param parameters quantizers per scope where a method chose its own; min-max otherwise.
 */
export function quantizeWeight(
  data: Float32Array,
  shape: readonly number[],
  channelAxis: number | null,
  scheme: QuantScheme,
  parameters = weightParameters(data, shape, channelAxis, scheme),
): QuantizedWeight {
  const view = channelView(shape, channelAxis);
  const codes = codeArray(scheme, data.length);
  const quantizer = quantizerFor(scheme);
  forEachScope(view, scheme.granularity, 0, data.length, (scope, _channel, from, to) => {
    selectScope(quantizer, parameters, scope);
    quantizeRun(data, codes, from, to, quantizer);
  });
  const scopes = scopeCount(view, scheme.granularity);
  return {
    scheme,
    codes,
    scales: parameters.scales,
    zeroPoints: parameters.zeroPoints,
    groups: scheme.granularity === 'tensor' ? 1 : scopes / Math.max(view.channels, 1),
  };
}

/** The float32 values that the codes stand for. */
export function dequantizeWeight(
  weight: QuantizedWeight,
  shape: readonly number[],
  channelAxis: number | null,
): Float32Array {
  const { codes, scheme } = weight;
  const values = new Float32Array(codes.length);
  const quantizer = quantizerFor(scheme);
  forEachScope(
    channelView(shape, channelAxis),
    scheme.granularity,
    0,
    codes.length,
    (scope, _channel, from, to) => {
      selectScope(quantizer, weight, scope);
      for (let i = from; i < to; i++) values[i] = dequantizeValue(codes[i] ?? 0, quantizer);
    },
  );
  return values;
}

/** `quantizeValue` over a run, with its rounding spelled out because the call costs more than the work. */
function quantizeRun(
  data: Float32Array,
  codes: Codes,
  from: number,
  to: number,
  quantizer: QuantParameters,
): void {
  const { scale, zeroPoint, codeMin, codeMax } = quantizer;
  for (let i = from; i < to; i++) {
    const quotient = Math.fround((data[i] ?? 0) / scale);
    // Quotients beyond the magic number's reach saturate anyway.
    codes[i] =
      Math.abs(quotient) < 2 ** 51
        ? Math.min(Math.max(quotient + ROUNDING_MAGIC - ROUNDING_MAGIC + zeroPoint, codeMin), codeMax)
        : quantizeValue(data[i] ?? 0, quantizer);
  }
}
