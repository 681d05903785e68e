/**
 * How torchao carries out what a recipe decides about a layer: the PT2E flow with X86InductorQuantizer for integer
 * activations and for weights of convolutions, `quantize_` for weights of Linear and Embedding. Checked with 0.18.
 */
import type { QuantScheme } from '../engine/numerics/scheme';
import { type CodeLayer, describe, type Notes } from './code-plan';

/** A module in the PT2E flow. */
export interface ExportedSetting {
  readonly bits: number;
  readonly perChannel: boolean;
  /** undefined = weights alone. */
  readonly activations:
    | { readonly bits: number; readonly signed: boolean; readonly symmetric: boolean }
    | undefined;
}

/** A configuration class of `quantize_`, as it is written, with the names it needs. */
export interface TensorSetting {
  readonly text: string;
  readonly names: readonly string[];
}

export type TorchRole =
  | { readonly kind: 'float'; readonly layer: CodeLayer }
  | { readonly kind: 'exported'; readonly layer: CodeLayer; readonly setting: ExportedSetting }
  | { readonly kind: 'tensor'; readonly layer: CodeLayer; readonly setting: TensorSetting };

export type ExportedRole = Extract<TorchRole, { kind: 'exported' }>;
export type TensorRole = Extract<TorchRole, { kind: 'tensor' }>;

/** What `get_default_x86_inductor_quantization_config` does. */
export const defaultSetting: ExportedSetting = {
  bits: 8,
  perChannel: true,
  activations: { bits: 8, signed: false, symmetric: false },
};

export function torchRole(layer: CodeLayer, notes: Notes): TorchRole {
  const { weights, activations } = layer;
  const lost = (what: string): TorchRole => {
    notes.add(`${what} does not exist there`, 'the layer stays float', true, layer.name);
    return { kind: 'float', layer };
  };
  if (weights === undefined) return { kind: 'float', layer };
  if (!isKnown(layer) && !layer.lookup) return lost(`${operator(layer)} with integer weights`);
  if (weights.bits > 8) return lost(describe(weights));
  if (activations !== undefined && activations.bits > 8) return lost(describe(activations));
  if (activations === undefined && layer.op !== 'Conv') {
    const setting = tensorSetting(layer, weights);
    if (setting) return { kind: 'tensor', layer, setting };
    if (layer.lookup) return lost(`a table in ${describe(weights)}`);
  }
  return exported(layer, weights, activations, notes) ?? lost(`${operator(layer)} in ${describe(weights)}`);
}

/** Conv2d and Linear are what X86InductorQuantizer quantizes. */
export function isKnown({ op, rank }: CodeLayer): boolean {
  return op === 'Conv' ? rank === 4 : rank === 2 && (op === 'Gemm' || op === 'MatMul');
}

function operator({ op, rank }: CodeLayer): string {
  return op === 'Conv' ? `Conv${rank - 2}d` : op;
}

function exported(
  layer: CodeLayer,
  weights: QuantScheme,
  activations: QuantScheme | undefined,
  notes: Notes,
): TorchRole | undefined {
  const { granularity, bits, signed, symmetric } = weights;
  const grouped = typeof granularity !== 'string' && granularity.group < layer.perChannel;
  if (grouped && activations === undefined) return undefined;
  if (grouped)
    notes.add(`${describe(weights)} beside integer activations`, 'a scale per channel', true, layer.name);
  if (!signed || !symmetric) notes.add(describe(weights), 'symmetric signed weights', true, layer.name);
  return {
    kind: 'exported',
    layer,
    setting: {
      bits,
      perChannel: granularity !== 'tensor',
      activations: activations && {
        bits: activations.bits,
        signed: activations.signed,
        symmetric: activations.symmetric,
      },
    },
  };
}

/** Weights of a Linear or Embedding; undefined where no configuration says the same. */
function tensorSetting(layer: CodeLayer, weights: QuantScheme): TensorSetting | undefined {
  const { bits, signed, symmetric, granularity } = weights;
  const group = typeof granularity === 'string' ? undefined : granularity.group;
  const whole = group === undefined ? granularity !== 'tensor' : group >= layer.perChannel;
  if (granularity === 'tensor') {
    if (layer.lookup || bits !== 8 || !symmetric || !signed) return undefined;
    return {
      text: 'Int8WeightOnlyConfig(granularity=PerTensor())',
      names: ['Int8WeightOnlyConfig', 'PerTensor'],
    };
  }
  if (whole && bits === 8 && symmetric && signed && !layer.lookup)
    return { text: 'Int8WeightOnlyConfig()', names: ['Int8WeightOnlyConfig'] };
  // A last group that is shorter is refused.
  if (!whole && (group === undefined || layer.perChannel % group !== 0)) return undefined;
  const scope = whole ? 'PerAxis(0)' : `PerGroup(${group})`;
  const mapping = symmetric ? '' : ', mapping_type=MappingType.ASYMMETRIC';
  return {
    text: `IntxWeightOnlyConfig(weight_dtype=torch.int${bits}, granularity=${scope}${mapping})`,
    names: ['IntxWeightOnlyConfig', whole ? 'PerAxis' : 'PerGroup', ...(symmetric ? [] : ['MappingType'])],
  };
}
