/**
 * The three ONNX messages whose plain struct differs from their fields, both ways. Everything else is carried by the
 * tables of `onnx-schema.ts` alone.
 */
import type { MessageName, WireAttribute, WireTensor, WireType } from './onnx-schema';
import type { AttributeProto, Extensible, TensorProto, TypeProto } from './onnx-types';
import { attributeFromWire, attributeToWire } from './onnx-wire-attribute';
import { tensorFromWire, tensorToWire } from './onnx-wire-tensor';
import { typeFromWire, typeToWire } from './onnx-wire-type';

/** A message as the generic decoder and encoder handle it: properties by table. */
export type Wire = Record<string, unknown> & Extensible;

/** Wire struct → plain struct, for messages that need it. `undefined` = the content is damaged. */
export const fromWire: { readonly [M in MessageName]?: (wire: Wire) => object | undefined } = {
  TensorProto: (wire) => tensorFromWire(wire as unknown as WireTensor),
  AttributeProto: (wire) => attributeFromWire(wire as unknown as WireAttribute),
  TypeProto: (wire) => typeFromWire(wire as unknown as WireType),
};

/** Plain struct → wire struct. */
export const toWire: { readonly [M in MessageName]?: (message: object) => object } = {
  TensorProto: (message) => tensorToWire(message as TensorProto),
  AttributeProto: (message) => attributeToWire(message as AttributeProto),
  TypeProto: (message) => typeToWire(message as TypeProto),
};
