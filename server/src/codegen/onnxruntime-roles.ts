/**
 * How onnxruntime's Python tools carry out what a recipe decides about a layer: `quantize_static` for integer weights
 * and activations, MatMulNBits for blocks, DequantizeLinear in front of the operator for weights alone.
 */
import type { QuantScheme } from '../engine/numerics/scheme';
import { type CodeLayer, commonest, describe, type Notes } from './code-plan';

/** Types that `QuantType` has; codes of other widths stand in the next wider one. */
export type OrtType = 'QInt4' | 'QUInt4' | 'QInt8' | 'QUInt8' | 'QInt16' | 'QUInt16';

export interface WeightSetting {
  readonly type: OrtType;
  readonly perChannel: boolean;
  readonly symmetric: boolean;
  /** 7 bits in 8. */
  readonly reduced: boolean;
}

export interface ActivationSetting {
  readonly type: OrtType;
  readonly symmetric: boolean;
}

/** What becomes of one layer. */
export type OrtRole =
  | { readonly kind: 'float'; readonly layer: CodeLayer }
  | {
      readonly kind: 'static';
      readonly layer: CodeLayer;
      readonly weights: WeightSetting;
      readonly activations: ActivationSetting;
    }
  | { readonly kind: 'stored'; readonly layer: CodeLayer; readonly weights: QuantScheme }
  | {
      readonly kind: 'blocks';
      readonly layer: CodeLayer;
      readonly bits: number;
      readonly block: number;
      readonly symmetric: boolean;
    };

export type StaticRole = Extract<OrtRole, { kind: 'static' }>;

/** Layers that `quantize_static` knows. */
const staticOperators: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

const blockBits: readonly number[] = [4, 8];
const smallestBlock = 16;
const largestBlock = 256;

export function ortRole(layer: CodeLayer, notes: Notes): OrtRole {
  const { weights, activations } = layer;
  const lost = (what: string): OrtRole => {
    notes.add(`${what} does not exist in its quantizers`, 'the layer stays float', true, layer.name);
    return { kind: 'float', layer };
  };
  if (weights === undefined) return { kind: 'float', layer };
  if (layer.lookup) return blocksOf(layer, weights) ?? lost(`a table in ${describe(weights)}`);
  if (activations !== undefined) {
    if (!staticOperators.has(layer.op)) return lost(`${layer.op} with integer activations`);
    if (layer.weightInput !== 1) return lost(`${layer.op} with its weight as first input`);
    return staticOf(layer, weights, activations, notes);
  }
  const blocks = blocksOf(layer, weights);
  if (blocks) return blocks;
  const whole = wholeChannel(layer, weights);
  if (typeof whole.granularity !== 'string') return lost(`${layer.op} in ${describe(weights)}`);
  return { kind: 'stored', layer, weights: whole };
}

/** A group that holds a whole channel is the channel. */
function wholeChannel(layer: CodeLayer, weights: QuantScheme): QuantScheme {
  const { granularity } = weights;
  const whole = typeof granularity !== 'string' && granularity.group >= layer.perChannel;
  return whole ? { ...weights, granularity: 'channel' } : weights;
}

function blocksOf(layer: CodeLayer, weights: QuantScheme): OrtRole | undefined {
  const { bits, granularity, signed, symmetric } = weights;
  if (typeof granularity === 'string' || !layer.matrix) return undefined;
  const { group: block } = granularity;
  const fits = blockBits.includes(bits) && block >= smallestBlock && block <= largestBlock;
  const known = layer.lookup ? layer.op === 'Gather' : layer.op === 'MatMul' || layer.plainGemm;
  if (!fits || !known || (!layer.lookup && layer.weightInput !== 1)) return undefined;
  return { kind: 'blocks', layer, bits, block, symmetric: signed && symmetric };
}

function staticOf(layer: CodeLayer, asked: QuantScheme, activations: QuantScheme, notes: Notes): OrtRole {
  const weights = wholeChannel(layer, asked);
  const reduced = weights.bits === 7;
  const stored = typeOf(weights);
  if (typeof weights.granularity !== 'string') {
    const what = `${describe(weights)} beside integer activations`;
    notes.add(what, 'a scale per channel', true, layer.name);
  }
  if (![4, 7, 8, 16].includes(weights.bits))
    notes.add(`weights of ${weights.bits} bits`, `all codes of ${stored}`, true, layer.name);
  if (activations.bits !== 8 && activations.bits !== 16)
    notes.add(
      `activations of ${activations.bits} bits`,
      `all codes of ${typeOf(activations)}`,
      true,
      layer.name,
    );
  const perChannel = weights.granularity !== 'tensor';
  return {
    kind: 'static',
    layer,
    weights: { type: stored, perChannel, symmetric: weights.symmetric, reduced },
    activations: {
      // There is no quantizer of 4-bit activations.
      type: typeOf({ ...activations, bits: Math.max(activations.bits, 8) }),
      symmetric: activations.symmetric,
    },
  };
}

function typeOf({ bits, signed }: QuantScheme): OrtType {
  return `${signed ? 'QInt' : 'QUInt'}${bits <= 4 ? 4 : bits <= 8 ? 8 : 16}`;
}

/** What `quantize_static` is told for all layers: what most of them have. */
export function commonSettings(roles: readonly StaticRole[]): {
  readonly weights: WeightSetting;
  readonly activations: ActivationSetting;
} {
  return {
    weights: commonest(
      roles.map(({ weights }) => weights),
      (one) => JSON.stringify(one),
    ) ?? { type: 'QInt8', perChannel: true, symmetric: true, reduced: false },
    activations: commonest(
      roles.map(({ activations }) => activations),
      (one) => JSON.stringify(one),
    ) ?? { type: 'QUInt8', symmetric: false },
  };
}

export function sameSetting(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
