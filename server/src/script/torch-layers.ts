/** Layers of libraries that carry weights: how the shape of the weight follows from the constructor's arguments. */

type Reader = (name: string, position: number) => number | null | undefined;

export interface LayerType {
  /** Shape of `weight`; null where the script does not say. Missing for layers with several weights. */
  readonly shape?: (argument: Reader) => readonly (number | null)[];
  /** Parameter names below the module; `weight` alone when missing. */
  readonly weights?: readonly string[];
  /** Several weights that a model file has as layers of their own. */
  readonly parts?: (argument: Reader) => readonly LayerPart[];
}

export interface LayerPart {
  /** Below the module's own path. */
  readonly path: string;
  readonly weight: string;
  readonly shape: readonly (number | null)[];
}

function known(value: number | null | undefined): number | null {
  return value ?? null;
}

/** (out, in/groups, k, …) */
function convolution(dimensions: number): LayerType {
  return {
    shape: (argument) => {
      const groups = argument('groups', 6) ?? (argument('groups', 6) === null ? null : 1);
      const input = known(argument('in_channels', 0));
      const kernel = known(argument('kernel_size', 2) ?? (argument('kernel_size', 2) === null ? null : 3));
      return [
        known(argument('out_channels', 1)),
        input !== null && groups !== null ? input / groups : null,
        ...Array.from({ length: dimensions }, () => kernel),
      ];
    },
  };
}

/** (in, out/groups, k, …) */
function transposed(dimensions: number): LayerType {
  return {
    shape: (argument) => {
      const groups = argument('groups', 6) ?? 1;
      const output = known(argument('out_channels', 1));
      return [
        known(argument('in_channels', 0)),
        output === null ? null : output / groups,
        ...Array.from({ length: dimensions }, () => known(argument('kernel_size', 2))),
      ];
    },
  };
}

const linear: LayerType = {
  shape: (argument) => [known(argument('out_features', 1)), known(argument('in_features', 0))],
};
const embedding: LayerType = {
  shape: (argument) => [known(argument('num_embeddings', 0)), known(argument('embedding_dim', 1))],
};
const conv1D: LayerType = { shape: (argument) => [known(argument('nx', 1)), known(argument('nf', 0))] };
const recurrent: LayerType = { weights: ['weight_ih_l0', 'weight_hh_l0'] };

export const layerTypes: Readonly<Record<string, LayerType>> = {
  'torch.nn.Conv1d': convolution(1),
  'torch.nn.Conv2d': convolution(2),
  'torch.nn.Conv3d': convolution(3),
  'torch.nn.ConvTranspose1d': transposed(1),
  'torch.nn.ConvTranspose2d': transposed(2),
  'torch.nn.ConvTranspose3d': transposed(3),
  'torch.nn.Linear': linear,
  'torch.nn.LazyLinear': { shape: (argument) => [known(argument('out_features', 0)), null] },
  'torch.nn.Bilinear': {},
  'torch.nn.Embedding': embedding,
  'torch.nn.EmbeddingBag': embedding,
  // (in, out): the transpose of a Linear's.
  'transformers.pytorch_utils.Conv1D': conv1D,
  'transformers.modeling_utils.Conv1D': conv1D,
  'torch.nn.LSTM': recurrent,
  'torch.nn.GRU': recurrent,
  'torch.nn.RNN': recurrent,
  'torch.nn.LSTMCell': { weights: ['weight_ih', 'weight_hh'] },
  'torch.nn.GRUCell': { weights: ['weight_ih', 'weight_hh'] },
  'torch.nn.MultiheadAttention': {
    parts: (argument) => {
      const width = known(argument('embed_dim', 0));
      return [
        { path: '', weight: 'in_proj_weight', shape: [width === null ? null : 3 * width, width] },
        { path: 'out_proj', weight: 'weight', shape: [width, width] },
      ];
    },
  },
};
