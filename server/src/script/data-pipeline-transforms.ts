/**
 * Transforms of torchvision (both versions), albumentations, timm and Transformers, applied to a picture in the terms
 * of this project. Their semantics: torchvision/transforms/transforms.py and v2, albumentations' Normalize
 * ((x − mean·max) / (std·max)), timm/data/transforms_factory.py (resize = floor(size / crop_pct)).
 */
import {
  imagenetMean,
  imagenetStd,
  kerasPreset,
  type Preset,
  torchvisionPreset,
} from './data-pipeline-presets';
import {
  given,
  isFalse,
  isFloatType,
  isOpen,
  isTrue,
  lastName,
  numbersIn,
  otherInterpolation,
  type Studio,
  sizeIn,
} from './data-pipeline-values';
import { type Arguments, iterate, numberIn, type ObjectValue, type PythonValue } from './interpret-values';
import {
  cropped,
  divided,
  multiplied,
  normalized,
  type Picture,
  resizedShorter,
  squashed,
  withDoubt,
  withRandom,
  withValues,
} from './picture';
import type { Span } from './syntax';

const torchvisionPath =
  /^(torchvision\.transforms|torchvision\.transforms\.v2|torchvision\.prototype\.transforms)\.(\w+\.)*([A-Z]\w*)$/;
const albumentationsPath = /^albumentations(\.\w+)*\.([A-Z]\w*)$/;

export type Library = 'torchvision' | 'albumentations' | 'timm' | 'transformers';

/** Library of a transform's class or factory; undefined for what is none. */
export function transformLibrary(path: string): Library | undefined {
  if (torchvisionPath.test(path) || weightsOf(path)) return 'torchvision';
  if (albumentationsPath.test(path)) return 'albumentations';
  if (/^timm\.data(\.\w+)*\.create_transform$/.test(path)) return 'timm';
  return /^transformers(\.\w+)*\.\w+(ImageProcessor(Fast)?|FeatureExtractor)(\.from_pretrained)?$/.test(path)
    ? 'transformers'
    : undefined;
}

/** True for a transform that is a pipeline of its own, not a step of one. */
export function isWholeTransform(value: PythonValue | undefined): value is ObjectValue {
  if (value?.kind !== 'object' || value.class) return false;
  const library = transformLibrary(value.type);
  if (!library)
    return (
      isSequential(value) && stepsOf(value).some((one) => one.kind === 'object' && transformLibrary(one.type))
    );
  return (
    library === 'timm' ||
    library === 'transformers' ||
    isCompose(value.type) ||
    weightsOf(value.type) !== undefined
  );
}

/** True for anything that a data set may take as its transform. */
export function isTransform(value: PythonValue | undefined): boolean {
  return value?.kind === 'object' && (transformLibrary(value.type) !== undefined || isWholeTransform(value));
}

function isCompose(path: string): boolean {
  return lastName(path) === 'Compose';
}

function isSequential({ type }: ObjectValue): boolean {
  return type === 'torch.nn.Sequential' || /\.Sequential$/.test(type);
}

function stepsOf({ args, attributes, type }: ObjectValue): readonly PythonValue[] {
  if (type === 'torch.nn.Sequential') return [...attributes.values()];
  const list = given(args, 'transforms', 0);
  return (list && iterate(list)) ?? (list ? [list] : []);
}

/** A picture behind a transform; unknown steps leave doubts. */
export function transformed(studio: Studio, transform: PythonValue, picture: Picture, span: Span): Picture {
  if (transform.kind === 'object' && !transform.class) {
    if (isSequential(transform) || isCompose(transform.type))
      return stepsOf(transform).reduce(
        (state, step) => transformed(studio, step, state, transform.origin.span),
        picture,
      );
    const library = transformLibrary(transform.type);
    const { args, origin } = transform;
    switch (library) {
      case 'torchvision': {
        const weights = weightsOf(transform.type);
        if (weights) return preset(picture, weights, transform);
        return torchvisionStep(studio, lastName(transform.type), args, picture, origin.span);
      }
      case 'albumentations':
        return albumentationsStep(lastName(transform.type), args, picture, origin.span);
      case 'timm':
        return timmTransform(args, picture, origin.span);
      case 'transformers':
        return processor(transform, picture);
      default:
        return withDoubt(picture, 'unknown-step', lastName(transform.type), origin.span);
    }
  }
  return (
    called(studio, transform, picture, span) ?? withDoubt(picture, 'unknown-step', nameOf(transform), span)
  );
}

/** A function of the program, or an object of one of its classes, as a step. */
function called(studio: Studio, target: PythonValue, picture: Picture, span: Span): Picture | undefined {
  const origin = { file: target.kind === 'function' ? target.file : '', span };
  const input = studio.develop(picture, origin);
  const result = studio.run(target, { positional: [input], keywords: new Map() }, origin);
  studio.consume(result);
  return studio.pictureOf(result);
}

function nameOf(value: PythonValue): string {
  if (value.kind === 'object') return lastName(value.type);
  if (value.kind === 'path') return lastName(value.path);
  if (value.kind === 'function') return 'name' in value.statement ? value.statement.name : 'lambda';
  return value.kind === 'class' ? value.statement.name : '…';
}

/** Steps of torchvision that leave a picture's values where they are. */
const harmless: ReadonlySet<string> = new Set([
  'ToPILImage',
  'ToPureTensor',
  'SanitizeBoundingBoxes',
  'ClampBoundingBoxes',
  'Identity',
]);

/** Random ones whose name does not begin with Random. */
const randomSteps =
  /^(Random\w*|ColorJitter|AutoAugment|RandAugment|TrivialAugmentWide|AugMix|ElasticTransform|GaussianBlur|GaussianNoise|ScaleJitter|MixUp|CutMix|JPEG|FiveCrop|TenCrop)$/;

function torchvisionStep(
  studio: Studio,
  name: string,
  args: Arguments,
  picture: Picture,
  span: Span,
): Picture {
  const first = (key: string) => given(args, key, 0);
  switch (name) {
    case 'Resize':
    case 'Scale': {
      const size = sizeIn(first('size'));
      if (!size) return withDoubt(picture, 'unknown-value', `${name}(size)`, span);
      const resized = resize(picture, size, span);
      return interpolated(resized, given(args, 'interpolation', 1), span);
    }
    case 'CenterCrop':
      return crop(picture, name, sizeIn(first('size')), span);
    case 'RandomResizedCrop':
    case 'RandomSizedCrop': {
      const size = sizeIn(first('size'));
      const random = withRandom(picture, name, span);
      if (!size) return withDoubt(random, 'unknown-value', `${name}(size)`, span);
      const [height = 0, width = height] = size;
      return cropped(height === width ? resizedShorter(random, height, span) : random, height, width, span);
    }
    case 'RandomCrop':
      return crop(withRandom(picture, name, span), name, sizeIn(first('size')), span);
    case 'ToTensor':
      return withValues(divided(picture, [255], span), { layout: 'nchw' }, span);
    case 'PILToTensor':
    case 'ToImage':
    case 'ToImageTensor':
      return withValues(picture, { layout: 'nchw' }, span);
    case 'ConvertImageDtype':
    case 'ConvertDtype':
      return isFloatType(first('dtype') ?? { kind: 'path', path: 'torch.float32' })
        ? unit(picture, span)
        : picture;
    case 'ToDtype': {
      if (!isTrue(given(args, 'scale', 1))) return picture;
      return isFloatType(first('dtype')) ? unit(picture, span) : picture;
    }
    case 'Normalize': {
      const mean = numbersIn(first('mean'));
      const std = numbersIn(given(args, 'std', 1));
      return doubtful(normalized(picture, mean, std, span), { mean, std }, name, span);
    }
    case 'Grayscale': {
      const channels = numberIn(first('num_output_channels')) ?? 1;
      return channels === 1 ? withValues(picture, {}, span) : withDoubt(picture, 'grey', name, span);
    }
    case 'Lambda': {
      const target = first('lambd');
      return (
        (target && called(studio, target, picture, span)) ?? withDoubt(picture, 'unknown-step', name, span)
      );
    }
    default:
      if (harmless.has(name)) return picture;
      return randomSteps.test(name)
        ? withRandom(picture, name, span)
        : withDoubt(picture, 'unknown-step', name, span);
  }
}

/** Whole numbers to 0…1, unless that was done. */
function unit(picture: Picture, span: Span): Picture {
  return picture.preprocessing.scale === undefined ? divided(picture, [255], span) : picture;
}

export function resize(picture: Picture, size: readonly number[], span: Span): Picture {
  const [height = 0, width] = size;
  return width === undefined ? resizedShorter(picture, height, span) : squashed(picture, height, width, span);
}

function crop(picture: Picture, name: string, size: readonly number[] | undefined, span: Span): Picture {
  if (!size) return withDoubt(picture, 'unknown-value', `${name}(size)`, span);
  const [height = 0, width = height] = size;
  return cropped(picture, height, width, span);
}

export function interpolated(picture: Picture, value: PythonValue | undefined, span: Span): Picture {
  const other = otherInterpolation(value);
  return other === undefined ? picture : withDoubt(picture, 'interpolation', other, span);
}

/** Says which of the values a step should have are not known. */
function doubtful(
  picture: Picture,
  values: Readonly<Record<string, unknown>>,
  name: string,
  span: Span,
): Picture {
  return Object.entries(values).reduce(
    (state, [key, value]) =>
      value === undefined ? withDoubt(state, 'unknown-value', `${name}(${key})`, span) : state,
    picture,
  );
}

function weightsOf(path: string): { readonly model: string; readonly weights: string } | undefined {
  const found = /^torchvision\.models\.(?:\w+\.)*(\w+)_Weights\.(\w+)\.transforms$/.exec(path);
  const [, model, weights] = found ?? [];
  return model !== undefined && weights !== undefined ? { model, weights } : undefined;
}

/** `ResNet50_Weights.DEFAULT.transforms()`, its arguments in place of the preset's. */
function preset(
  picture: Picture,
  { model, weights }: { readonly model: string; readonly weights: string },
  { args, origin: { span } }: ObjectValue,
): Picture {
  const known: Preset | undefined = torchvisionPreset(model, weights);
  if (!known) return withDoubt(picture, 'from-checkpoint', `${model}_Weights.${weights}`, span);
  const size = (name: string, fallback: number) => numberIn(given(args, name)) ?? fallback;
  const values = {
    scale: 1 / 255,
    mean: known.mean,
    std: known.std,
    resize: size('resize_size', known.resize),
    crop: size('crop_size', known.crop),
    layout: 'nchw',
  } as const;
  const done = withValues(picture, values, span);
  return known.bicubic ? withDoubt(done, 'interpolation', 'bicubic', span) : done;
}

function albumentationsStep(name: string, args: Arguments, picture: Picture, span: Span): Picture {
  const [height, width] = ['height', 'width'].map((key, at) => numberIn(given(args, key, at)));
  const size = sizeIn(given(args, 'size')) ?? (height !== undefined ? [height, width ?? height] : undefined);
  const [tall = 0, wide = tall] = size ?? [];
  switch (name) {
    case 'Resize':
      if (!size) return withDoubt(picture, 'unknown-value', 'Resize(height, width)', span);
      return interpolated(squashed(picture, tall, wide, span), given(args, 'interpolation', 2), span);
    case 'SmallestMaxSize': {
      const side = numberIn(given(args, 'max_size', 0));
      return side === undefined
        ? withDoubt(picture, 'unknown-value', 'SmallestMaxSize(max_size)', span)
        : resizedShorter(picture, side, span);
    }
    case 'CenterCrop':
      return crop(picture, name, size, span);
    case 'RandomCrop':
      return crop(withRandom(picture, name, span), name, size, span);
    case 'RandomResizedCrop': {
      const random = withRandom(picture, name, span);
      const square = sizeIn(given(args, 'size', 0)) ?? size;
      const [side = 0, other = side] = square ?? [];
      if (!square) return withDoubt(random, 'unknown-value', `${name}(size)`, span);
      return cropped(side === other ? resizedShorter(random, side, span) : random, side, other, span);
    }
    case 'Normalize': {
      const constant = (key: string, at: number, fallback: readonly number[]) =>
        given(args, key, at) ? numbersIn(given(args, key, at)) : isOpen(args) ? undefined : fallback;
      const mean = constant('mean', 0, imagenetMean);
      const std = constant('std', 1, imagenetStd);
      const maximum = constant('max_pixel_value', 2, [255]);
      const kind = given(args, 'normalization');
      if (kind && !(kind.kind === 'constant' && kind.value === 'standard'))
        return withDoubt(picture, 'unknown-value', 'Normalize(normalization)', span);
      const scaled = maximum ? divided(picture, maximum, span) : picture;
      const values = { mean, std, max_pixel_value: maximum };
      return doubtful(normalized(scaled, mean, std, span), values, name, span);
    }
    case 'ToFloat': {
      const maximum = numberIn(given(args, 'max_value', 0)) ?? 255;
      return divided(picture, [maximum], span);
    }
    case 'ToTensorV2':
    case 'ToTensor':
      return withValues(picture, { layout: 'nchw' }, span);
    case 'OneOf':
    case 'SomeOf':
    case 'OneOrOther':
      return withRandom(picture, name, span);
    case 'LongestMaxSize':
    case 'PadIfNeeded':
    case 'Lambda':
    case 'ToGray':
    case 'Crop':
    case 'Pad':
      return withDoubt(picture, 'unknown-step', name, span);
    default:
      return withRandom(picture, name, span);
  }
}

/** `create_transform(input_size, is_training=False, mean, std, crop_pct, interpolation)`. */
function timmTransform(args: Arguments, picture: Picture, span: Span): Picture {
  if (isOpen(args) && !args.keywords.has('mean'))
    return withDoubt(
      withValues(picture, { layout: 'nchw' }, span),
      'from-checkpoint',
      'create_transform',
      span,
    );
  const size = numbersIn(given(args, 'input_size', 0));
  const side = size?.at(-1);
  const portion = numberIn(given(args, 'crop_pct')) ?? 0.875;
  const training = isTrue(given(args, 'is_training', 1));
  const constant = (key: string, fallback: readonly number[]) =>
    given(args, key) ? numbersIn(given(args, key)) : isOpen(args) ? undefined : fallback;
  const mean = constant('mean', imagenetMean);
  const std = constant('std', imagenetStd);
  const square = size === undefined || size.length === 1 || size.at(-2) === side;
  const sizes = side !== undefined && square ? { resize: Math.floor(side / portion), crop: side } : {};
  const start = training ? withRandom(picture, 'create_transform(is_training=True)', span) : picture;
  const scaled = withValues(divided(start, [255], span), { layout: 'nchw', ...sizes }, span);
  const done = interpolated(normalized(scaled, mean, std, span), given(args, 'interpolation'), span);
  return doubtful(done, { mean, std, input_size: side }, 'create_transform', span);
}

/** Image processors of Transformers: what is not written in the script is in the checkpoint. */
function processor({ type, args, origin: { span } }: ObjectValue, picture: Picture): Picture {
  const pretrained = type.endsWith('.from_pretrained');
  const name = lastName(pretrained ? type.slice(0, -'.from_pretrained'.length) : type);
  const mean = numbersIn(given(args, 'image_mean'));
  const std = numbersIn(given(args, 'image_std'));
  const factor = numberIn(given(args, 'rescale_factor')) ?? 1 / 255;
  const size = given(args, 'size');
  const side = (key: string) => (size?.kind === 'dict' ? numberIn(size.entries.get(key)) : undefined);
  const cropping = given(args, 'crop_size');
  const cropSide = cropping?.kind === 'dict' ? numberIn(cropping.entries.get('height')) : numberIn(cropping);
  const [height, width, shorter] = [side('height'), side('width'), side('shortest_edge') ?? numberIn(size)];
  let done = withValues(picture, { layout: 'nchw' }, span);
  if (height !== undefined && width !== undefined) done = squashed(done, height, width, span);
  else if (shorter !== undefined) done = resizedShorter(done, shorter, span);
  if (cropSide !== undefined) done = cropped(done, cropSide, cropSide, span);
  if (mean && std && !isFalse(given(args, 'do_rescale'))) done = multiplied(done, [factor], span);
  done = mean || std ? normalized(done, mean, std, span) : done;
  return mean && std && size ? done : withDoubt(done, 'from-checkpoint', name, span);
}

/** `preprocess_input` of a family of `keras.applications`; undefined for other paths. */
export function kerasPreprocessed(path: string, picture: Picture, span: Span): Picture | undefined {
  const known = kerasPreset(path);
  if (!known) return undefined;
  const { scale = 1, mean, std, ...rest } = known;
  return normalized(withValues(multiplied(picture, [scale], span), rest, span), mean, std, span);
}
