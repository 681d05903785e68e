/**
 * AIMET encodings, read in all published versions and written in two. Source: AIMET documentation, Encoding Format
 * Specification.
 *
 *     0.4 … 0.6.1  {activation_encodings: {tensor: [{bitwidth, is_symmetric, min, max, offset, scale, dtype}, …]}, …}
 *     1.0.0        {activation_encodings: [{name, enc_type, dtype, bw, is_sym, scale: [], offset: [], block_size}], …}
 *     2.x          {encodings: [{name, output_dtype, y_scale, y_zero_point, axis, block_size}]}; also split as above
 *
 * Up to 1.0.0 codes are unsigned and real = (code + offset) · scale; from 2.0.0 on they are those of QuantizeLinear.
 */
import { z } from 'zod';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { type Encodings, encodingRange, type TensorEncoding } from './encodings';

/** Versions that are written. */
export const aimetVersions = ['0.6.1', '1.0.0', '2.0.0'] as const;
export type AimetVersion = (typeof aimetVersions)[number];

/** What a file held: its encodings, and the tensors whose encoding has no integer form here. */
export interface AimetFile extends Encodings {
  readonly version: string;
  /** Float encodings, LPBQ and scales that are quantized themselves. */
  readonly skipped: readonly string[];
}

const flag = z.union([z.boolean(), z.enum(['True', 'False', 'true', 'false'])]);
const number = z.number().refine(Number.isFinite);
const width = z.number().int().min(2).max(32);
const scale = number.refine((value) => value > 0);

const legacyEntry = z.object({
  dtype: z.string().optional(),
  bitwidth: width,
  is_symmetric: flag.optional(),
  offset: number.optional(),
  scale: scale.optional(),
});
const legacySide = z.record(z.string(), z.array(legacyEntry).min(1));

const listedEntry = z.object({
  name: z.string(),
  enc_type: z.enum(['PER_TENSOR', 'PER_CHANNEL', 'PER_BLOCK', 'LPBQ']),
  dtype: z.string(),
  bw: width,
  is_sym: z.boolean().optional(),
  scale: z.array(scale).optional(),
  offset: z.array(number).optional(),
  block_size: z.number().int().positive().optional(),
});
const listedSide = z.array(listedEntry);

type Nested = number | readonly Nested[];
const nested: z.ZodType<Nested> = z.lazy(() => z.union([number, z.array(nested)]));
const linearEntry = z.object({
  name: z.string(),
  output_dtype: z.string(),
  y_scale: z.union([nested, z.record(z.string(), z.unknown())]).optional(),
  y_zero_point: nested.optional(),
  axis: z.number().int().optional(),
  block_size: z.number().int().positive().optional(),
});
const linearSide = z.array(linearEntry);

type Read = TensorEncoding | { readonly skipped: string };

/** Reads the text of a file; one `format-damaged` or `unsupported-feature` and no value when it is none. */
export function readAimet(text: string, path: string): Outcome<AimetFile> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return damaged(path, 'not JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return damaged(path, 'no AIMET encodings: not an object');
  }
  const file: Readonly<Record<string, unknown>> = { ...parsed };
  const version = typeof file.version === 'string' ? file.version : '0.4.0';
  const read = readers[version.split('.')[0] ?? ''];
  if (read === undefined) {
    const facts = {
      what: `AIMET encodings version ${version}`,
      next: `version ${aimetVersions.join(' or ')}`,
    };
    return fail(issue('unsupported-feature', facts, { path }));
  }
  const found = { activations: [], parameters: [], skipped: [] } as {
    [K in 'activations' | 'parameters']: TensorEncoding[];
  } & { skipped: string[] };
  let sides = 0;
  for (const key of ['activation_encodings', 'param_encodings', 'encodings'] as const) {
    if (file[key] === undefined) continue;
    sides++;
    const side = read(file[key]);
    if (typeof side === 'string') return damaged(path, `no AIMET encodings ${version}: ${key}${side}`);
    for (const one of side) {
      if ('skipped' in one) found.skipped.push(one.skipped);
      // One list of both: only weights have several scales, and a weight with one does no harm among activations.
      else if (key === 'param_encodings' || (key === 'encodings' && one.channelAxis !== undefined)) {
        found.parameters.push(one);
      } else found.activations.push(one);
    }
  }
  if (sides === 0) {
    return damaged(path, 'no AIMET encodings: neither activation_encodings nor encodings is there');
  }
  return ok({ version, ...found });
}

/** The text of a file. Per-block encodings exist from 1.0.0 on: `leftOut` names those that 0.6.1 cannot hold. */
export function writeAimet(
  encodings: Encodings,
  version: AimetVersion,
): { readonly text: string; readonly leftOut: readonly string[] } {
  const { activations, parameters } = encodings;
  if (version === '2.0.0') {
    const text = { version, encodings: [...activations, ...parameters].map(linear) };
    return { text: `${JSON.stringify(text, null, 2)}\n`, leftOut: [] };
  }
  const head = {
    quantizer_args: {
      activation_bitwidth: largest(activations),
      dtype: 'int',
      is_symmetric: parameters.every((one) => one.symmetric),
      param_bitwidth: largest(parameters),
      per_channel_quantization: parameters.some((one) => one.channelAxis !== undefined),
      quant_scheme: 'post_training_tf',
    },
    version,
  };
  if (version === '1.0.0') {
    const text = {
      activation_encodings: activations.map(listed),
      excluded_layers: [],
      param_encodings: parameters.map(listed),
      ...head,
    };
    return { text: `${JSON.stringify(text, null, 2)}\n`, leftOut: [] };
  }
  const blocked = parameters.filter((one) => one.block !== undefined);
  const side = (list: readonly TensorEncoding[]) =>
    Object.fromEntries(list.filter((one) => one.block === undefined).map((one) => [one.name, legacy(one)]));
  const text = {
    activation_encodings: side(activations),
    param_encodings: side(parameters),
    ...head,
    quantizer_args: {
      ...head.quantizer_args,
      is_symmetric: spelled(head.quantizer_args.is_symmetric),
      per_channel_quantization: spelled(head.quantizer_args.per_channel_quantization),
    },
  };
  return { text: `${JSON.stringify(text, null, 2)}\n`, leftOut: blocked.map(({ name }) => name) };
}

/** By major version: one side of a file, or what is wrong with it and where. */
const readers: Readonly<Record<string, ((side: unknown) => readonly Read[] | string) | undefined>> = {
  0: (side) => {
    const { data, error } = legacySide.safeParse(side);
    return data ? Object.entries(data).map(([name, entries]) => fromLegacy(name, entries)) : wrong(error);
  },
  1: (side) => {
    const { data, error } = listedSide.safeParse(side);
    return data ? data.map(fromListed) : wrong(error);
  },
  2: (side) => {
    const { data, error } = linearSide.safeParse(side);
    return data ? data.map(fromLinear) : wrong(error);
  },
};

function fromLegacy(name: string, entries: readonly z.infer<typeof legacyEntry>[]): Read {
  const [first] = entries;
  const integer = entries.every(({ scale, offset }) => scale !== undefined && offset !== undefined);
  if (first === undefined || !integer || (first.dtype ?? 'int').toLowerCase() !== 'int') {
    return { skipped: name };
  }
  const scales = entries.map((one) => one.scale ?? 1);
  const offsets = entries.map((one) => one.offset ?? 0);
  const symmetric = String(first.is_symmetric).toLowerCase() === 'true';
  return fromOffsets({ name, bits: first.bitwidth, symmetric }, scales, offsets, scales.length > 1);
}

function fromListed(entry: z.infer<typeof listedEntry>): Read {
  const { name, enc_type: type, scale: scales = [], offset: offsets = [] } = entry;
  const flatScopes = type === 'PER_TENSOR' || type === 'PER_CHANNEL';
  // How many blocks a channel has is not in the file.
  if (entry.dtype.toUpperCase() !== 'INT' || !flatScopes || scales.length !== offsets.length) {
    return { skipped: name };
  }
  const head = { name, bits: entry.bw, symmetric: entry.is_sym === true };
  return fromOffsets(head, scales, offsets, type === 'PER_CHANNEL');
}

/** Codes of AIMET start at 0 and its offset is the negative zero point; symmetric ones stand for signed codes. */
function fromOffsets(
  head: Pick<TensorEncoding, 'name' | 'bits' | 'symmetric'>,
  scales: readonly number[],
  offsets: readonly number[],
  perChannel: boolean,
): Read {
  const lowest = head.symmetric ? -(2 ** (head.bits - 1)) : 0;
  // Other signs of the offset are older conventions that cannot be told apart: 0 has to be a code.
  const fits = offsets.every((one) => Number.isInteger(one) && one <= 0 && one > -(2 ** head.bits));
  if (!fits || scales.length === 0) return { skipped: head.name };
  return {
    ...head,
    signed: head.symmetric,
    scales: scales.map(Math.fround),
    zeroPoints: offsets.map((offset) => lowest - offset),
    ...(perChannel ? { channelAxis: 0 } : {}),
  };
}

function fromLinear(entry: z.infer<typeof linearEntry>): Read {
  const { name, axis, block_size: size } = entry;
  const type = /^(u?)int(2|4|8|16|32)$/.exec(entry.output_dtype);
  const rows = matrix(entry.y_scale);
  const zeroRows = entry.y_zero_point === undefined ? undefined : matrix(entry.y_zero_point);
  const blocked = axis !== undefined && size !== undefined;
  // The scales of blocks along the inputs, channels first.
  const ordered = (values: readonly (readonly number[])[]) =>
    (blocked && axis === 0 ? transposed(values) : values).flat();
  const scales = ordered(rows);
  const zeros = zeroRows === undefined ? scales.map(() => 0) : ordered(zeroRows);
  const whole = zeros.length === scales.length && zeros.every(Number.isInteger);
  if (type === null || scales.length === 0 || !scales.every((one) => one > 0) || !whole) {
    return { skipped: name };
  }
  const signed = type[1] === '';
  const count = blocked ? (axis === 0 ? rows.length : (rows[0]?.length ?? 1)) : 1;
  return {
    name,
    bits: Number(type[2]),
    signed,
    symmetric: signed && zeros.every((one) => one === 0),
    scales: scales.map(Math.fround),
    zeroPoints: zeros,
    ...(axis === undefined ? {} : { channelAxis: blocked ? (axis === 0 ? 1 : 0) : axis }),
    ...(blocked ? { block: { axis, size, count } } : {}),
  };
}

function legacy(encoding: TensorEncoding): readonly object[] {
  return encoding.scales.map((scale, index) => ({
    bitwidth: encoding.bits,
    dtype: 'int',
    is_symmetric: spelled(encoding.symmetric),
    ...encodingRange(encoding, index),
    offset: offsetOf(encoding, index),
    scale,
  }));
}

function listed(encoding: TensorEncoding): object {
  const { name, bits, symmetric, scales, block, channelAxis } = encoding;
  return {
    bw: bits,
    ...(block ? { block_size: block.size } : {}),
    dtype: 'INT',
    enc_type: block ? 'PER_BLOCK' : channelAxis === undefined ? 'PER_TENSOR' : 'PER_CHANNEL',
    is_sym: symmetric,
    name,
    offset: scales.map((_, index) => offsetOf(encoding, index)),
    scale: scales,
  };
}

/** Offset for codes that start at 0. */
function offsetOf({ bits, signed, zeroPoints }: TensorEncoding, index: number): number {
  return (signed ? -(2 ** (bits - 1)) : 0) - (zeroPoints[index] ?? 0) + 0;
}

function linear(encoding: TensorEncoding): object {
  const { name, bits, signed, scales, zeroPoints, channelAxis, block } = encoding;
  // Types exist for these widths; narrower codes stand in the next wider one.
  const stored = [2, 4, 8, 16, 32].find((one) => one >= bits) ?? 32;
  const shaped = (values: readonly number[]): Nested => {
    if (channelAxis === undefined) return values[0] ?? 0;
    if (block === undefined) return values;
    const rows = Array.from({ length: values.length / block.count }, (_, row) =>
      values.slice(row * block.count, (row + 1) * block.count),
    );
    return block.axis === 0 ? transposed(rows) : rows;
  };
  return {
    name,
    y_scale: shaped(scales),
    ...(zeroPoints.every((one) => one === 0) ? {} : { y_zero_point: shaped(zeroPoints) }),
    ...(channelAxis === undefined ? {} : { axis: block?.axis ?? channelAxis }),
    ...(block ? { block_size: block.size } : {}),
    output_dtype: `${signed ? '' : 'u'}int${stored}`,
  };
}

/** A number, a list or a list of lists as rows; empty for anything else. */
function matrix(value: unknown): readonly (readonly number[])[] {
  if (typeof value === 'number') return [[value]];
  if (!Array.isArray(value)) return [];
  const rows = value.map((row: unknown) => (Array.isArray(row) ? row : [row]));
  return rows.every((row): row is number[] => row.every((one: unknown) => typeof one === 'number'))
    ? rows
    : [];
}

function transposed(rows: readonly (readonly number[])[]): readonly (readonly number[])[] {
  return (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] ?? Number.NaN));
}

function largest(list: readonly TensorEncoding[]): number {
  return list.reduce((most, { bits }) => Math.max(most, bits), 0) || 8;
}

function spelled(value: boolean): string {
  return value ? 'True' : 'False';
}

/** The first thing that is wrong, as a path and a reason. */
function wrong(error: z.ZodError): string {
  const [first] = error.issues;
  return `${(first?.path ?? []).map((part) => `.${String(part)}`).join('')}: ${first?.message ?? 'not as specified'}`;
}

function damaged(path: string, reason: string): Outcome<AimetFile> {
  return fail(issue('format-damaged', { path, offset: 0, reason }, { path }));
}
