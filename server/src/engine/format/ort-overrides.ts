/**
 * `TensorQuantOverrides` of onnxruntime's Python quantizer, as JSON: per tensor a list of {scale, zero_point}, for a
 * weight one per channel with its axis. `quant_type` stands there only where it differs from uint8 activations and int8
 * weights, so that `static_quantize_runner.py --tensor_quant_overrides` takes the file as it is; elsewhere it is the name
 * that `QuantType.from_string` reads. Source: onnxruntime/python/tools/quantization/tensor_quant_overrides.py.
 */
import type { Encodings, TensorEncoding } from './encodings';

/** The text of a file. Blocks do not exist there: `leftOut` names the weights that have them. */
export function writeOrtOverrides({ activations, parameters }: Encodings): {
  readonly text: string;
  readonly leftOut: readonly string[];
} {
  const overrides = Object.fromEntries([
    ...activations.map((one) => [one.name, entries(one, 'QUInt8')] as const),
    ...parameters
      .filter((one) => one.block === undefined)
      .map((one) => [one.name, entries(one, 'QInt8')] as const),
  ]);
  const leftOut = parameters.filter((one) => one.block !== undefined).map(({ name }) => name);
  return { text: `${JSON.stringify(overrides, null, 2)}\n`, leftOut };
}

function entries(encoding: TensorEncoding, usual: string): readonly object[] {
  const { scales, zeroPoints, channelAxis } = encoding;
  const type = quantType(encoding);
  return scales.map((scale, index) => ({
    ...(type === usual ? {} : { quant_type: type }),
    ...(channelAxis === undefined ? {} : { axis: channelAxis }),
    scale,
    zero_point: zeroPoints[index] ?? 0,
  }));
}

/** Types exist for 4, 8 and 16 bits; narrower codes stand in the next wider one. */
function quantType({ bits, signed }: TensorEncoding): string {
  return `${signed ? 'QInt' : 'QUInt'}${bits <= 4 ? 4 : bits <= 8 ? 8 : 16}`;
}
