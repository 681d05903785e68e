/** TypeProto: one kind on the plain side, a message per kind on the wire. */
import { present } from './onnx-present';
import type { WireElementType, WireTensorType, WireType } from './onnx-schema';
import type { TypeProto } from './onnx-types';

export function typeFromWire(wire: WireType): TypeProto {
  return { ...typeKind(wire), ...present({ denotation: wire.denotation, unknown: wire.unknown }) };
}

function typeKind(wire: WireType): TypeProto {
  if (wire.tensor !== undefined) return tensorType('tensor', wire.tensor);
  if (wire.sparseTensor !== undefined) return tensorType('sparse-tensor', wire.sparseTensor);
  if (wire.sequence !== undefined) return elementType('sequence', wire.sequence);
  if (wire.optional !== undefined) return elementType('optional', wire.optional);
  if (wire.map !== undefined)
    return { kind: 'map', keyType: wire.map.keyType, ...present({ value: wire.map.value }) };
  if (wire.opaque !== undefined)
    return { kind: 'opaque', domain: wire.opaque.domain, name: wire.opaque.name };
  return { kind: 'unknown' };
}

function tensorType(kind: 'tensor' | 'sparse-tensor', { elementType, shape }: WireTensorType): TypeProto {
  if (shape === undefined) return { kind, elementType };
  const dimensions = shape.dimensions.map((dimension) => dimension.value ?? dimension.parameter);
  const denotations = shape.dimensions.map((dimension) => dimension.denotation ?? '');
  const dimensionDenotations = denotations.some((one) => one !== '') ? denotations : undefined;
  return { kind, elementType, shape: dimensions, ...present({ dimensionDenotations }) };
}

function elementType(kind: 'sequence' | 'optional', { element }: WireElementType): TypeProto {
  return { kind, ...present({ element }) };
}

export function typeToWire(type: TypeProto): WireType {
  const common = { denotation: type.denotation, unknown: type.unknown };
  switch (type.kind) {
    case 'tensor':
      return { ...common, tensor: tensorTypeToWire(type) };
    case 'sparse-tensor':
      return { ...common, sparseTensor: tensorTypeToWire(type) };
    case 'sequence':
      return { ...common, sequence: { element: type.element } };
    case 'optional':
      return { ...common, optional: { element: type.element } };
    case 'map':
      return { ...common, map: { keyType: type.keyType, value: type.value } };
    case 'opaque':
      return { ...common, opaque: { domain: type.domain, name: type.name } };
    case 'unknown':
      return common;
  }
}

function tensorTypeToWire(type: Extract<TypeProto, { elementType: number }>): WireTensorType {
  const { elementType, shape, dimensionDenotations } = type;
  if (shape === undefined) return { elementType };
  const dimensions = shape.map((dimension, axis) => ({
    value: typeof dimension === 'number' ? dimension : undefined,
    parameter: typeof dimension === 'string' ? dimension : undefined,
    denotation: dimensionDenotations?.[axis] === '' ? undefined : dimensionDenotations?.[axis],
  }));
  return { elementType, shape: { dimensions } };
}
