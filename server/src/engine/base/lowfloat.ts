/**
 * Codes of the narrow float types of ONNX as numbers, and back: float16, bfloat16, the four float8 types, MX
 * float8e8m0, float6 and float4. Sources: IEEE 754, OCP 8-bit FP and OCP MX 1.0, and the tables of
 * onnx/docs (float8, float4, Cast).
 */

interface LowFloat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /**
   * How codes beyond the largest finite number are used: `ieee` = top exponent is infinity and NaN, `all-ones` =
   * only the all-ones code is NaN, `negative-zero` = only the code of −0 is NaN, `none` = every code is finite.
   */
  readonly special: 'ieee' | 'all-ones' | 'negative-zero' | 'none';
  /** Values beyond the largest finite number become it, instead of infinity (Cast with saturate = 1). */
  readonly saturates: boolean;
}

const FORMATS = {
  float16: { exponentBits: 5, mantissaBits: 10, bias: 15, special: 'ieee', saturates: false },
  bfloat16: { exponentBits: 8, mantissaBits: 7, bias: 127, special: 'ieee', saturates: false },
  float8e4m3fn: { exponentBits: 4, mantissaBits: 3, bias: 7, special: 'all-ones', saturates: true },
  float8e4m3fnuz: { exponentBits: 4, mantissaBits: 3, bias: 8, special: 'negative-zero', saturates: true },
  float8e5m2: { exponentBits: 5, mantissaBits: 2, bias: 15, special: 'ieee', saturates: true },
  float8e5m2fnuz: { exponentBits: 5, mantissaBits: 2, bias: 16, special: 'negative-zero', saturates: true },
  float6e2m3: { exponentBits: 2, mantissaBits: 3, bias: 1, special: 'none', saturates: true },
  float6e3m2: { exponentBits: 3, mantissaBits: 2, bias: 3, special: 'none', saturates: true },
  float4e2m1: { exponentBits: 2, mantissaBits: 1, bias: 1, special: 'none', saturates: true },
} as const satisfies Record<string, LowFloat>;

export type LowFloatName = keyof typeof FORMATS | 'float8e8m0';

export function isLowFloatName(name: string): name is LowFloatName {
  return Object.hasOwn(FORMATS, name) || name === 'float8e8m0';
}

const tables = new Map<LowFloatName, Float32Array>();

/**
 * Value of every code of a narrow float type, indexed by code: 65,536 entries for 16-bit types, 256, 64 or 16
 * otherwise. Every value is exact in float32. Built on first use.
 */
export function lowFloatTable(name: LowFloatName): Float32Array {
  const known = tables.get(name);
  if (known !== undefined) return known;
  const bits = name === 'float8e8m0' ? 8 : 1 + FORMATS[name].exponentBits + FORMATS[name].mantissaBits;
  const table = Float32Array.from({ length: 2 ** bits }, (_, code) => lowFloatToNumber(name, code));
  tables.set(name, table);
  return table;
}

/** Value of one code; the definition that {@link lowFloatTable} tabulates. */
export function lowFloatToNumber(name: LowFloatName, code: number): number {
  if (name === 'float8e8m0') return code === 0xff ? Number.NaN : 2 ** (code - 127);
  const { exponentBits, mantissaBits, bias, special } = FORMATS[name];
  const magnitudeBits = exponentBits + mantissaBits;
  const magnitude = code & (2 ** magnitudeBits - 1);
  const negative = code >> magnitudeBits !== 0;
  if (special === 'negative-zero' && negative && magnitude === 0) return Number.NaN;
  if (special === 'all-ones' && magnitude === 2 ** magnitudeBits - 1) return Number.NaN;
  const exponent = magnitude >> mantissaBits;
  const mantissa = magnitude & (2 ** mantissaBits - 1);
  const sign = negative ? -1 : 1;
  if (special === 'ieee' && exponent === 2 ** exponentBits - 1) {
    return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  }
  if (exponent === 0) return sign * mantissa * 2 ** (1 - bias - mantissaBits);
  return sign * (2 ** mantissaBits + mantissa) * 2 ** (exponent - bias - mantissaBits);
}

/**
 * Code of `value`, rounded to nearest, ties to even; float8e8m0 rounds up to a power of two (ONNX Cast,
 * `round_mode` "up"). Overflow saturates except in float16 and bfloat16, where it gives infinity. NaN in a type
 * without NaN gives its largest number.
 */
export function floatToLowFloat(name: LowFloatName, value: number): number {
  if (name === 'float8e8m0') {
    if (Number.isNaN(value)) return 0xff;
    return Math.min(
      0xfe,
      Math.max(0, 127 + exponentOf(value) + (Math.abs(value) > 2 ** exponentOf(value) ? 1 : 0)),
    );
  }
  const { exponentBits, mantissaBits, bias, special, saturates } = FORMATS[name];
  const magnitudeBits = exponentBits + mantissaBits;
  const signBit = 2 ** magnitudeBits;
  const largest = largestMagnitude(FORMATS[name]);
  if (Number.isNaN(value)) {
    if (special === 'negative-zero') return signBit;
    if (special === 'none') return largest;
    return special === 'all-ones' ? signBit - 1 : signBit - 2 ** (mantissaBits - 1);
  }
  const negative = value < 0 || Object.is(value, -0);
  const exponent = Math.max(exponentOf(value), 1 - bias);
  const rounded = roundHalfEven(Math.abs(value) / 2 ** (exponent - mantissaBits));
  // A mantissa that rounds up to the next power of two carries into the exponent by this very sum.
  let magnitude = (exponent + bias) * 2 ** mantissaBits + rounded - 2 ** mantissaBits;
  if (magnitude > largest) magnitude = saturates ? largest : largest + 1;
  if (magnitude === 0 && special === 'negative-zero') return 0;
  return negative ? signBit + magnitude : magnitude;
}

function largestMagnitude({ exponentBits, mantissaBits, special }: LowFloat): number {
  const count = 2 ** (exponentBits + mantissaBits);
  if (special === 'ieee') return count - 2 ** mantissaBits - 1;
  return special === 'all-ones' ? count - 2 : count - 1;
}

const scratch = new DataView(new ArrayBuffer(8));

/** floor(log2|value|), exact; −1023 for zero and double subnormals, 1024 for infinity. */
function exponentOf(value: number): number {
  scratch.setFloat64(0, value);
  return ((scratch.getUint16(0) >> 4) & 0x7ff) - 1023;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
