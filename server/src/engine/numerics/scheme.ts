/**
 * Names of weight and activation formats and what they mean: `int4.group32`, `int8.channel`, `uint8.tensor`,
 * `w8a8`. Source: the contract's "Formats by name"; legal combinations are one table.
 */
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';

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
 * `int4.channel` elsewhere; all other names mean the same on both.
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

/** Legal combinations per role; a combination that is not here is an issue. */
const LEGAL = {
  weights: { bits: [2, 3, 4, 5, 6, 7, 8, 16], granularities: ['tensor', 'channel', 'group'] },
  activations: { bits: [2, 3, 4, 5, 6, 7, 8, 16], granularities: ['tensor'] },
} as const satisfies Record<Role, { bits: readonly number[]; granularities: readonly string[] }>;

const SMALLEST_GROUP = 16;

/** Names of the contract whose numerics this version lacks, with the nearest format that exists. */
const NOT_IMPLEMENTED: Readonly<Record<string, string>> = {
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
};

/** Bare names and what they mean on MatMul and elsewhere. */
const BARE: Readonly<Record<string, readonly [matmul: string, other: string]>> = {
  int4: ['int4.group32', 'int4.channel'],
  int8: ['int8.channel', 'int8.channel'],
};

const EXPECTED = {
  weights:
    'int2…int8, int16 or uint… followed by .tensor, .channel or .group32 (a power of two ≥ 16); int4; int8',
  activations: 'uint2…uint8, uint16 or int… followed by .tensor; float',
  scheme: 'w8a8, w4a8, w8a16, … or a weight format such as int8, int4, int8.channel, int4.group32',
} as const;

/**
 * Reads a scheme: `wXaY` (weights `intX.channel`, activations `uintY.tensor`) or a weight format (weight-only).
 * Issues: `scheme-unknown`, `not-implemented`.
 */
export function parseScheme(text: string): Outcome<Scheme> {
  const match = /^w(\d{1,2})a(\d{1,2})$/.exec(text);
  if (match === null) {
    const { value, issues } = parseWeightFormat(text, EXPECTED.scheme);
    return value === undefined
      ? fail(...issues)
      : ok({ name: text, weights: value, activations: 'float' }, issues);
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
  if (!isLegal(weights, 'weights') || !isLegal(activations, 'activations'))
    return unknown(text, EXPECTED.scheme);
  return ok({ name: text, weights: sameEverywhere(weights), activations });
}

/** Reads a weight format, bare names included. Issues: `scheme-unknown`, `not-implemented`. */
export function parseWeightFormat(text: string, expected: string = EXPECTED.weights): Outcome<WeightFormat> {
  const bare = Object.hasOwn(BARE, text) ? BARE[text] : undefined;
  if (bare !== undefined) {
    const [matmul, other] = bare.map(readInteger);
    if (matmul !== undefined && other !== undefined) return ok({ name: text, matmul, other });
  }
  const { value, issues } = parse(text, 'weights', expected);
  return value === undefined ? fail(...issues) : ok(sameEverywhere(value), issues);
}

/** Reads a complete weight format name such as `int4.group32`; bare names are refused. */
export function parseQuantScheme(text: string): Outcome<QuantScheme> {
  return parse(text, 'weights', EXPECTED.weights);
}

/** Reads an activation format (`uint8.tensor`) or `float`. Issues: `scheme-unknown`, `not-implemented`. */
export function parseActivationFormat(text: string): Outcome<QuantScheme | 'float'> {
  return text === 'float' ? ok('float') : parse(text, 'activations', EXPECTED.activations);
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
export function isLegal(scheme: QuantScheme, role: Role): boolean {
  const { bits, granularities } = LEGAL[role];
  if (!bits.some((one) => one === scheme.bits)) return false;
  const { granularity } = scheme;
  const kind = typeof granularity === 'string' ? granularity : 'group';
  return (
    granularities.some((one) => one === kind) &&
    (typeof granularity === 'string' || isGroup(granularity.group))
  );
}

function parse(text: string, role: Role, expected: string): Outcome<QuantScheme> {
  const scheme = readInteger(text);
  if (scheme !== undefined && isLegal(scheme, role)) return ok(scheme);
  const nearest = Object.hasOwn(NOT_IMPLEMENTED, text) ? NOT_IMPLEMENTED[text] : undefined;
  if (nearest === undefined) return unknown(text, expected);
  return fail(
    issue('not-implemented', { what: `format ${text}`, next: role === 'weights' ? nearest : 'uint8.tensor' }),
  );
}

function readInteger(text: string): QuantScheme | undefined {
  const match = /^(u?)int(\d{1,2})\.(tensor|channel|group(\d{2,9}))(?:\.(sym|asym))?$/.exec(text);
  if (match === null) return undefined;
  const signed = match[1] === '';
  const symmetric = match[5] === undefined ? signed : match[5] === 'sym';
  const scope = match[3];
  const granularity = scope === 'tensor' || scope === 'channel' ? scope : { group: Number(match[4]) };
  return { bits: Number(match[2]), signed, symmetric, granularity };
}

function isGroup(size: number): boolean {
  return size >= SMALLEST_GROUP && Number.isInteger(Math.log2(size));
}

function sameEverywhere(scheme: QuantScheme): WeightFormat {
  return { name: formatName(scheme), matmul: scheme, other: scheme };
}

function unknown<T>(scheme: string, expected: string): Outcome<T> {
  return fail(issue('scheme-unknown', { scheme, expected }));
}
