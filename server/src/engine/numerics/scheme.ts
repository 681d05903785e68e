/**
 * What the names of weight and activation formats mean: `int4.group32`, `int8.channel`, `uint8.tensor`, `w8a8`.
 * Source: the contract's "Formats by name"; the grammar is `base/format-names.ts`, legal combinations are a table.
 */
import {
  analysisFormatNames,
  floatFormatNames,
  floatName,
  integerBits,
  nearestName,
  parseIntegerFormat,
  schemePattern,
} from '../base/format-names';
import { issue } from '../base/issue';
import { andThen, fail, type Outcome, ok } from '../base/outcome';

/** What shares one scale: the tensor, one output channel, or `group` consecutive inputs of one output channel. */
export type Granularity = 'tensor' | 'channel' | { readonly group: number };

/** An integer quantizer. Symmetric signed codes are ±(2^(bits−1) − 1); unsigned symmetric are those + 2^(bits−1). */
export interface QuantScheme {
  readonly bits: number;
  readonly signed: boolean;
  readonly symmetric: boolean;
  readonly granularity: Granularity;
}

/**
 * A weight format. A bare name leaves the granularity to the operator: `int4` is `int4.group32` on MatMul and
 * `int4.channel` elsewhere, other widths are per channel on both. A complete name means the same on both.
 */
export interface WeightFormat {
  readonly name: string;
  readonly matmul: QuantScheme;
  readonly other: QuantScheme;
}

/** What one layer's weights and input activations become. */
export interface Scheme {
  readonly name: string;
  readonly weights: WeightFormat;
  readonly activations: QuantScheme | 'float';
}

type Role = 'weights' | 'activations';

/** Legal combinations per role; activations have one scale per tensor, which is all that integer kernels take. */
const LEGAL = {
  weights: { bits: integerBits, granularities: ['tensor', 'channel', 'group'], instead: 'int8.channel' },
  activations: { bits: integerBits, granularities: ['tensor'], instead: 'uint8.tensor' },
} as const satisfies Record<
  Role,
  { bits: readonly number[]; granularities: readonly string[]; instead: string }
>;

/**
 * Names of the contract that are measured (`level-formats.ts`) but cannot be planned and exported, with the nearest
 * format that can.
 */
const NOT_EXPORTED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    fp8e4m3: 'int8.channel',
    fp8e5m2: 'int8.channel',
    mxfp4: 'int4.group32',
    mxfp6e2m3: 'int6.group32',
    mxfp6e3m2: 'int6.group32',
    mxfp8e4m3: 'int8.group32',
    nvfp4: 'int4.group16',
    nf4: 'int4.group32',
    kmeans4: 'int4.group32',
    'pow2.int8': 'int8.channel',
    log4: 'int4.channel',
    'logsqrt2.4': 'int4.channel',
    binary: 'int2.channel',
    lq2: 'int2.channel',
  } satisfies Record<(typeof floatFormatNames | typeof analysisFormatNames)[number], string>),
);

const SMALLEST_GROUP = 16;
const LARGEST_GROUP = 65_536;

/** Group size of a bare 4-bit format on MatMul. */
const DEFAULT_GROUP = 32;

const EXPECTED = {
  weights: 'int2 … int8, int16 (or uint…), alone or with .tensor, .channel or .group32 (a power of two ≥ 16)',
  complete: 'int2 … int8, int16 (or uint…) with .tensor, .channel or .group32 (a power of two ≥ 16)',
  activations: 'uint2 … uint8, uint16 (or int…), alone or with .tensor; float',
  scheme: 'w8a8, w4a8, w8a16 …, or a weight format such as int8, int4, int8.channel, int4.group32',
} as const;

/**
 * Reads a scheme: `wXaY` (weights `intX.channel`, activations `uintY.tensor`) or a weight format (weight-only).
 * Issues: `scheme-unknown`, `not-implemented`.
 */
export function parseScheme(text: string): Outcome<Scheme> {
  const match = schemePattern.exec(text);
  if (match === null) {
    const weights = parseWeights(text, EXPECTED.scheme);
    return andThen(weights, (value) => ok<Scheme>({ name: text, weights: value, activations: 'float' }));
  }
  const weights: QuantScheme = {
    bits: Number(match[1]),
    signed: true,
    symmetric: true,
    granularity: 'channel',
  };
  const activations: QuantScheme = {
    bits: Number(match[2]),
    signed: false,
    symmetric: false,
    granularity: 'tensor',
  };
  return ok({ name: text, weights: sameEverywhere(formatName(weights), weights), activations });
}

/** Reads a weight format, bare names included. Issues: `scheme-unknown`, `not-implemented`. */
export function parseWeightFormat(text: string): Outcome<WeightFormat> {
  return parseWeights(text, EXPECTED.weights);
}

/** Reads a complete weight format name such as `int4.group32`; a name without a scope is refused. */
export function parseQuantScheme(text: string): Outcome<QuantScheme> {
  const scheme = readInteger(text, undefined);
  return scheme === undefined
    ? refused(text, 'weights', EXPECTED.complete)
    : checked(scheme, text, 'weights');
}

/** Reads an activation format (`uint8.tensor`, `uint8`) or `float`. Issues: `scheme-unknown`, `not-implemented`. */
export function parseActivationFormat(text: string): Outcome<QuantScheme | 'float'> {
  if (text === floatName) return ok('float');
  const scheme = readInteger(text, 'tensor');
  return scheme === undefined
    ? refused(text, 'activations', EXPECTED.activations)
    : checked(scheme, text, 'activations');
}

/** The scheme a weight format means for one operator; `matmul` includes a Gemm that export rewrites to MatMul. */
export function weightSchemeFor(format: WeightFormat, operator: 'matmul' | 'other'): QuantScheme {
  return operator === 'matmul' ? format.matmul : format.other;
}

/** The canonical name; `parseQuantScheme(formatName(s))` gives `s` back. */
export function formatName(scheme: QuantScheme): string {
  const { bits, signed, symmetric, granularity } = scheme;
  const scope = typeof granularity === 'string' ? granularity : `group${granularity.group}`;
  const symmetry = symmetric === signed ? '' : symmetric ? '.sym' : '.asym';
  return `${signed ? 'int' : 'uint'}${bits}.${scope}${symmetry}`;
}

/** True when the bits and granularity may be used for this role. */
export function isLegal({ bits, granularity }: QuantScheme, role: Role): boolean {
  const legal = LEGAL[role];
  if (!legal.bits.some((one) => one === bits)) return false;
  if (typeof granularity === 'string') return legal.granularities.some((one) => one === granularity);
  return legal.granularities.some((one) => one === 'group') && isGroup(granularity.group);
}

function parseWeights(text: string, expected: string): Outcome<WeightFormat> {
  const other = readInteger(text, 'channel');
  if (other === undefined) return refused(text, 'weights', expected);
  const matmul = readInteger(text, other.bits === 4 ? { group: DEFAULT_GROUP } : 'channel') ?? other;
  return andThen(checked(other, text, 'weights'), () => ok({ name: text, matmul, other }));
}

/** The scheme of an integer name; `bare` is the granularity of a name that states none. */
function readInteger(text: string, bare: Granularity | undefined): QuantScheme | undefined {
  const name = parseIntegerFormat(text);
  if (name === undefined) return undefined;
  const { bits, signed, scope, groupSize } = name;
  const stated = scope === 'group' ? { group: groupSize ?? DEFAULT_GROUP } : scope;
  const granularity = stated ?? bare;
  return granularity && { bits, signed, symmetric: name.symmetric ?? signed, granularity };
}

function checked(scheme: QuantScheme, text: string, role: Role): Outcome<QuantScheme> {
  if (isLegal(scheme, role)) return ok(scheme);
  return fail(issue('not-implemented', { what: `${role} ${text}`, next: LEGAL[role].instead }));
}

function refused<T>(text: string, role: Role, expected: string): Outcome<T> {
  const nearest = NOT_EXPORTED.get(text);
  if (nearest === undefined) {
    const meant = nearestName(text, everydayNames);
    return fail(issue('scheme-unknown', { scheme: text, expected, ...(meant && { nearest: meant }) }));
  }
  const next = role === 'weights' ? nearest : LEGAL.activations.instead;
  return fail(issue('not-implemented', { what: `${role} ${text}`, next }));
}

/** What people ask for, to be near to. */
const everydayNames: readonly string[] = [
  ...['w8a8', 'w4a8', 'w8a16', 'w4a16'],
  ...integerBits.flatMap((bits) =>
    ['', '.tensor', '.channel', '.group32', '.group64', '.group128'].map((scope) => `int${bits}${scope}`),
  ),
  ...floatFormatNames,
  ...analysisFormatNames,
];

function isGroup(size: number): boolean {
  return size >= SMALLEST_GROUP && size <= LARGEST_GROUP && Number.isInteger(Math.log2(size));
}

function sameEverywhere(name: string, scheme: QuantScheme): WeightFormat {
  return { name, matmul: scheme, other: scheme };
}
