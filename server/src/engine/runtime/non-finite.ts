/** What data may not hold: one NaN or infinity in an input makes every figure behind it undefined. */
import type { RuntimeTensor } from './runtime-tensor';

/**
 * What a tensor fed to the input `name` holds that no figure survives; `undefined` = nothing. Negative infinity is
 * left to additive attention masks: inputs that are called so, or that hold nothing else but zeros.
 */
export function nonFinite(name: string, tensor: RuntimeTensor): 'NaN' | 'infinity' | undefined {
  const read = reader(tensor);
  if (!read) return undefined;
  const { length } = tensor.data;
  let [down, zeros] = [0, 0];
  for (let index = 0; index < length; index++) {
    const value = read(index);
    if (value === 0) zeros++;
    // Only NaN and infinities differ from themselves.
    else if (value - value !== 0) {
      if (Number.isNaN(value)) return 'NaN';
      if (value > 0) return 'infinity';
      down++;
    }
  }
  const masks = /mask/i.test(name) || (zeros > 0 && zeros + down === length);
  return down === 0 || masks ? undefined : 'infinity';
}

function reader({ type, data }: RuntimeTensor): ((index: number) => number) | undefined {
  if (data instanceof Float32Array || data instanceof Float64Array) return (index) => data[index] ?? 0;
  return type === 'float16' && data instanceof Uint16Array
    ? (index) => halfKind(data[index] ?? 0)
    : undefined;
}

/** A float16 code as zero, one, infinity or NaN, which is all that is asked of it. */
function halfKind(code: number): number {
  const magnitude = code & 0x7fff;
  if (magnitude > 0x7c00) return Number.NaN;
  const kind = magnitude === 0x7c00 ? Number.POSITIVE_INFINITY : Math.min(1, magnitude);
  return code === magnitude ? kind : -kind;
}
