/** TensorProto: one payload on the plain side, eight fields on the wire. */
import { present } from './onnx-present';
import type { NumberData, WireTensor } from './onnx-schema';
import type { Payload, StringEntry, TensorProto } from './onnx-types';
import { packNumbers, unpackNumbers } from './packed-numbers';
import { isSlice } from './protobuf-write';

/** `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1;

/** `undefined` when the numbers of a typed field end inside a number. */
export function tensorFromWire(wire: WireTensor): TensorProto | undefined {
  const payload = payloadFromWire(wire);
  if (payload === undefined) return undefined;
  const { name, dims, dataType, docString, metadataProps, unknown } = wire;
  return { name, dims, dataType, payload, ...present({ docString, metadataProps, unknown }) };
}

function payloadFromWire(wire: WireTensor): Payload | undefined {
  if (wire.dataLocation === EXTERNAL) return externalFromEntries(wire.externalData ?? []);
  const { rawData, floatData, doubleData } = wire;
  if (rawData !== undefined) {
    return isSlice(rawData) ? { kind: 'slice', slice: rawData } : { kind: 'bytes', bytes: rawData };
  }
  if (wire.stringData !== undefined) return { kind: 'strings', values: wire.stringData };
  if (floatData !== undefined) return floatsFromWire('float_data', floatData);
  if (doubleData !== undefined) return floatsFromWire('double_data', doubleData);
  if (wire.int32Data !== undefined) return integersFromWire('int32_data', wire.int32Data);
  if (wire.int64Data !== undefined) return integersFromWire('int64_data', wire.int64Data);
  if (wire.uint64Data !== undefined) return integersFromWire('uint64_data', wire.uint64Data);
  return { kind: 'none' };
}

function floatsFromWire(field: 'float_data' | 'double_data', data: NumberData): Payload | undefined {
  if (isSlice(data)) return { kind: 'slice', slice: data, field };
  const values = unpackNumbers(field, data);
  return values === undefined ? undefined : { kind: 'typed', field, values };
}

function integersFromWire(
  field: 'int32_data' | 'int64_data' | 'uint64_data',
  data: NumberData,
): Payload | undefined {
  if (isSlice(data)) return { kind: 'packed', slice: data, field };
  const values = unpackNumbers(field, data);
  return values === undefined ? undefined : { kind: 'typed', field, values };
}

export function tensorToWire(tensor: TensorProto): WireTensor {
  const { name, dims, dataType, docString, metadataProps, unknown } = tensor;
  return { dims, dataType, name, docString, metadataProps, unknown, ...payloadToWire(tensor.payload) };
}

const propertyOfField = {
  float_data: 'floatData',
  int32_data: 'int32Data',
  int64_data: 'int64Data',
  double_data: 'doubleData',
  uint64_data: 'uint64Data',
} as const;

function payloadToWire(payload: Payload): Partial<WireTensor> {
  switch (payload.kind) {
    case 'none':
      return {};
    case 'bytes':
      return { rawData: payload.bytes };
    case 'slice':
      return { [payload.field === undefined ? 'rawData' : propertyOfField[payload.field]]: payload.slice };
    case 'packed':
      return { [propertyOfField[payload.field]]: payload.slice };
    case 'typed':
      return { [propertyOfField[payload.field]]: packNumbers(payload.values) };
    case 'strings':
      return { stringData: payload.values };
    case 'external':
      return { dataLocation: EXTERNAL, externalData: externalToEntries(payload) };
  }
}

type ExternalPayload = Extract<Payload, { kind: 'external' }>;

/**
 * External payload from its key-values. A number that is not plain decimal digits becomes NaN (offset) so that
 * it is refused when the data is resolved.
 */
export function externalFromEntries(entries: readonly StringEntry[]): ExternalPayload {
  const text = (key: string) => entries.find((entry) => entry.key === key)?.value;
  const offset = text('offset');
  const length = text('length');
  return {
    kind: 'external',
    location: text('location') ?? '',
    offset: offset === undefined ? 0 : decimal(offset),
    length: length === undefined ? undefined : decimal(length),
    entries,
  };
}

function decimal(text: string): number {
  return /^-?[0-9]{1,20}$/.test(text.trim()) ? Number(text) : Number.NaN;
}

/** The entries as written when they still say the same; otherwise rewritten, with unknown keys kept. */
function externalToEntries(payload: ExternalPayload): readonly StringEntry[] {
  const written = externalFromEntries(payload.entries);
  const same =
    written.location === payload.location &&
    Object.is(written.offset, payload.offset) &&
    Object.is(written.length, payload.length);
  if (same) return payload.entries;
  const entries: StringEntry[] = [
    { key: 'location', value: payload.location },
    { key: 'offset', value: String(payload.offset) },
  ];
  if (payload.length !== undefined) entries.push({ key: 'length', value: String(payload.length) });
  const known = new Set(['location', 'offset', 'length']);
  return [...entries, ...payload.entries.filter((entry) => !known.has(entry.key))];
}
