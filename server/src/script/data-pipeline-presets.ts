/**
 * Preprocessing that libraries ship with their models: torchvision's `Weights.transforms()` (torchvision 0.28,
 * `torchvision/models/*.py`), the families of `keras.applications` (`imagenet_utils.py`), constants that scripts import
 * by name. Tables, no logic.
 */
import type { PreprocessingSpec } from '../protocol/reports';

export const imagenetMean: readonly number[] = [0.485, 0.456, 0.406];
export const imagenetStd: readonly number[] = [0.229, 0.224, 0.225];
const half: readonly number[] = [0.5, 0.5, 0.5];

export interface Preset {
  readonly resize: number;
  readonly crop: number;
  readonly bicubic: boolean;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Only `IMAGENET1K_V1`: resize 256, crop 224. */
const plain: ReadonlySet<string> = new Set(
  (
    'AlexNet DenseNet121 DenseNet161 DenseNet169 DenseNet201 GoogLeNet MNASNet0_5 MNASNet1_0 ' +
    'MobileNet_V3_Small ResNet18 ResNet34 ShuffleNet_V2_X0_5 ShuffleNet_V2_X1_0 SqueezeNet1_0 ' +
    'SqueezeNet1_1 VGG11 VGG11_BN VGG13 VGG13_BN VGG16_BN VGG19 VGG19_BN ViT_B_32 ViT_L_32'
  ).split(' '),
);

/** `IMAGENET1K_V1` as above and, by default, `IMAGENET1K_V2` with resize 232. */
const improved: ReadonlySet<string> = new Set(
  (
    'MobileNet_V2 MobileNet_V3_Large RegNet_Y_400MF RegNet_Y_800MF RegNet_Y_1_6GF RegNet_Y_3_2GF ' +
    'RegNet_Y_8GF RegNet_X_400MF RegNet_X_800MF RegNet_X_1_6GF RegNet_X_3_2GF RegNet_X_8GF ' +
    'RegNet_X_16GF RegNet_X_32GF ResNet50 ResNet101 ResNet152 ResNeXt50_32X4D ResNeXt101_32X8D ' +
    'Wide_ResNet50_2 Wide_ResNet101_2'
  ).split(' '),
);

type Row = readonly [resize: number, crop: number, bicubic?: true];

/** All others, and which of their weights is the default. */
const others: Readonly<
  Record<string, { readonly default: string } & Readonly<Record<string, Row | string>>>
> = {
  ConvNeXt_Tiny: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [236, 224] },
  ConvNeXt_Small: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [230, 224] },
  ConvNeXt_Base: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224] },
  ConvNeXt_Large: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224] },
  EfficientNet_B0: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [256, 224, true] },
  EfficientNet_B1: { default: 'IMAGENET1K_V2', IMAGENET1K_V1: [256, 240, true], IMAGENET1K_V2: [255, 240] },
  EfficientNet_B2: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [288, 288, true] },
  EfficientNet_B3: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [320, 300, true] },
  EfficientNet_B4: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [384, 380, true] },
  EfficientNet_B5: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [456, 456, true] },
  EfficientNet_B6: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [528, 528, true] },
  EfficientNet_B7: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [600, 600, true] },
  EfficientNet_V2_S: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [384, 384] },
  EfficientNet_V2_M: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [480, 480] },
  EfficientNet_V2_L: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [480, 480, true] },
  Inception_V3: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [342, 299] },
  MaxVit_T: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [224, 224, true] },
  MNASNet0_75: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224] },
  MNASNet1_3: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224] },
  RegNet_Y_16GF: {
    default: 'IMAGENET1K_V2',
    IMAGENET1K_V1: [256, 224],
    IMAGENET1K_V2: [232, 224],
    IMAGENET1K_SWAG_E2E_V1: [384, 384, true],
    IMAGENET1K_SWAG_LINEAR_V1: [224, 224, true],
  },
  RegNet_Y_32GF: {
    default: 'IMAGENET1K_V2',
    IMAGENET1K_V1: [256, 224],
    IMAGENET1K_V2: [232, 224],
    IMAGENET1K_SWAG_E2E_V1: [384, 384, true],
    IMAGENET1K_SWAG_LINEAR_V1: [224, 224, true],
  },
  RegNet_Y_128GF: {
    default: 'IMAGENET1K_SWAG_E2E_V1',
    IMAGENET1K_SWAG_E2E_V1: [384, 384, true],
    IMAGENET1K_SWAG_LINEAR_V1: [224, 224, true],
  },
  ResNeXt101_64X4D: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224] },
  ShuffleNet_V2_X1_5: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224] },
  ShuffleNet_V2_X2_0: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224] },
  Swin_T: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [232, 224, true] },
  Swin_S: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [246, 224, true] },
  Swin_B: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [238, 224, true] },
  Swin_V2_T: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [260, 256, true] },
  Swin_V2_S: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [260, 256, true] },
  Swin_V2_B: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [272, 256, true] },
  VGG16: { default: 'IMAGENET1K_V1', IMAGENET1K_V1: [256, 224] },
  ViT_B_16: {
    default: 'IMAGENET1K_V1',
    IMAGENET1K_V1: [256, 224],
    IMAGENET1K_SWAG_E2E_V1: [384, 384, true],
    IMAGENET1K_SWAG_LINEAR_V1: [224, 224, true],
  },
  ViT_L_16: {
    default: 'IMAGENET1K_V1',
    IMAGENET1K_V1: [242, 224],
    IMAGENET1K_SWAG_E2E_V1: [512, 512, true],
    IMAGENET1K_SWAG_LINEAR_V1: [224, 224, true],
  },
  ViT_H_14: {
    default: 'IMAGENET1K_SWAG_E2E_V1',
    IMAGENET1K_SWAG_E2E_V1: [518, 518, true],
    IMAGENET1K_SWAG_LINEAR_V1: [224, 224, true],
  },
};

/** Weights for features: mean alone is taken off. */
const featureWeights: Preset = {
  resize: 256,
  crop: 224,
  bicubic: false,
  mean: [0.48235, 0.45882, 0.40784],
  std: [1 / 255, 1 / 255, 1 / 255],
};

/** What `ResNet50_Weights.DEFAULT.transforms()` does; undefined for weights that are not for classification. */
export function torchvisionPreset(model: string, weights: string): Preset | undefined {
  if (weights === 'IMAGENET1K_FEATURES') return model === 'VGG16' ? featureWeights : undefined;
  const row = rowOf(model, weights);
  if (!row) return undefined;
  const [resize, crop, bicubic = false] = row;
  const centred = model === 'EfficientNet_V2_L';
  const [mean, std] = centred ? [half, half] : [imagenetMean, imagenetStd];
  return { resize, crop, bicubic, mean, std };
}

function rowOf(model: string, weights: string): Row | undefined {
  const known = others[model];
  if (known) {
    const row = known[weights === 'DEFAULT' ? known.default : weights];
    return typeof row === 'string' ? undefined : row;
  }
  if (improved.has(model) && (weights === 'IMAGENET1K_V2' || weights === 'DEFAULT')) return [232, 224];
  const first = weights === 'IMAGENET1K_V1' || (weights === 'DEFAULT' && plain.has(model));
  return first && (plain.has(model) || improved.has(model)) ? [256, 224] : undefined;
}

/** What `preprocess_input` of a family does to a picture in RGB, 0 to 255 (`imagenet_utils.preprocess_input`). */
const kerasModes: Readonly<Record<'tf' | 'torch' | 'caffe' | 'none', PreprocessingSpec>> = {
  tf: { scale: 1 / 127.5, mean: [1] },
  torch: { scale: 1 / 255, mean: imagenetMean, std: imagenetStd },
  caffe: { scale: 1, mean: [103.939, 116.779, 123.68], color: 'bgr' },
  none: { scale: 1 },
};

const kerasFamilies: Readonly<Record<string, keyof typeof kerasModes>> = {
  vgg16: 'caffe',
  vgg19: 'caffe',
  resnet: 'caffe',
  resnet50: 'caffe',
  imagenet_utils: 'caffe',
  resnet_v2: 'tf',
  mobilenet: 'tf',
  mobilenet_v2: 'tf',
  inception_v3: 'tf',
  inception_resnet_v2: 'tf',
  xception: 'tf',
  nasnet: 'tf',
  densenet: 'torch',
  mobilenet_v3: 'none',
  efficientnet: 'none',
  efficientnet_v2: 'none',
  convnext: 'none',
  regnet: 'none',
};

/** `tensorflow.keras.applications.resnet50.preprocess_input` and its relatives; undefined for other paths. */
export function kerasPreset(path: string): PreprocessingSpec | undefined {
  const family = /(?:^|\.)applications\.(\w+)\.preprocess_input$/.exec(path)?.[1];
  const mode = family === undefined ? undefined : kerasFamilies[family];
  return mode && kerasModes[mode];
}

/** Constants that scripts import. */
export const namedConstants: Readonly<Record<string, readonly number[]>> = {
  'timm.data.IMAGENET_DEFAULT_MEAN': imagenetMean,
  'timm.data.IMAGENET_DEFAULT_STD': imagenetStd,
  'timm.data.constants.IMAGENET_DEFAULT_MEAN': imagenetMean,
  'timm.data.constants.IMAGENET_DEFAULT_STD': imagenetStd,
  'timm.data.IMAGENET_INCEPTION_MEAN': half,
  'timm.data.IMAGENET_INCEPTION_STD': half,
  'timm.data.constants.IMAGENET_INCEPTION_MEAN': half,
  'timm.data.constants.IMAGENET_INCEPTION_STD': half,
  'timm.data.OPENAI_CLIP_MEAN': [0.48145466, 0.4578275, 0.40821073],
  'timm.data.OPENAI_CLIP_STD': [0.26862954, 0.26130258, 0.27577711],
  'transformers.image_utils.IMAGENET_DEFAULT_MEAN': imagenetMean,
  'transformers.image_utils.IMAGENET_DEFAULT_STD': imagenetStd,
  'transformers.image_utils.IMAGENET_STANDARD_MEAN': half,
  'transformers.image_utils.IMAGENET_STANDARD_STD': half,
};
