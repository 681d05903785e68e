/** Keras and tf.data: preprocessing layers, folders of pictures as data sets, and what is mapped over them. */
import { given, libraryObject, numbersIn, type Studio, sizeIn } from './data-pipeline-values';
import {
  type Arguments,
  iterate,
  numberIn,
  type ObjectValue,
  type Place,
  type PythonValue,
  unknownValue,
} from './interpret-values';
import {
  cropped,
  divided,
  freshPicture,
  multiplied,
  type Picture,
  resizedShorter,
  squashed,
  subtracted,
  withDoubt,
  withRandom,
} from './picture';

const kerasLayer = /^(tensorflow\.)?keras\.layers\.(experimental\.preprocessing\.|preprocessing\.)?(\w+)$/;

/** A preprocessing layer of Keras, or several in a Sequential; undefined for other layers. */
export function kerasLayers(value: PythonValue, picture: Picture): Picture | undefined {
  if (value.kind !== 'object') return undefined;
  const { type, args, origin } = value;
  const { span } = origin;
  if (/^(tensorflow\.)?keras\.(models\.)?Sequential$/.test(type)) {
    const layers = given(args, 'layers', 0);
    return (layers && iterate(layers))?.reduce<Picture | undefined>(
      (state, layer) => state && kerasLayers(layer, state),
      picture,
    );
  }
  const name = kerasLayer.exec(type)?.[3];
  const first = (key: string, at = 0) => given(args, key, at);
  switch (name) {
    case 'Rescaling': {
      const scale = numbersIn(first('scale'));
      const offset = numbersIn(first('offset', 1)) ?? [0];
      if (!scale) return withDoubt(picture, 'unknown-value', 'Rescaling(scale)', span);
      const scaled = multiplied(picture, scale, span);
      return offset.every((one) => one === 0)
        ? scaled
        : subtracted(
            scaled,
            offset.map((one) => -one),
            span,
          );
    }
    case 'Resizing': {
      const [height, width] = [numberIn(first('height')), numberIn(first('width', 1))];
      if (height === undefined || width === undefined)
        return withDoubt(picture, 'unknown-value', 'Resizing(height, width)', span);
      const keeps = given(args, 'crop_to_aspect_ratio');
      return keeps?.kind === 'constant' && keeps.value === true
        ? cropped(height === width ? resizedShorter(picture, height, span) : picture, height, width, span)
        : squashed(picture, height, width, span);
    }
    case 'Normalization': {
      const mean = numbersIn(first('mean', 1));
      const variance = numbersIn(first('variance', 2));
      if (!mean || !variance) return withDoubt(picture, 'unknown-value', 'Normalization', span);
      return divided(subtracted(picture, mean, span), variance.map(Math.sqrt), span);
    }
    case 'CenterCrop':
      return cropped(picture, numberIn(first('height')) ?? 0, numberIn(first('width', 1)) ?? 0, span);
    default:
      return name?.startsWith('Random') ? withRandom(picture, name, span) : undefined;
  }
}

/** A data set of tf.data or an iterator of ImageDataGenerator; `item` is what it yields. */
export const tensorflowData = '#tf-data';

const fromDirectory = /^(tensorflow\.)?keras\.(utils|preprocessing(\.image)?)\.image_dataset_from_directory$/;
export const generatorType = /^(tensorflow\.)?keras\.preprocessing\.image\.ImageDataGenerator$/;

/** `image_dataset_from_directory(directory, image_size=(256, 256), batch_size=32)`: pixels from 0 to 255, squashed. */
export function directoryData(
  studio: Studio,
  path: string,
  args: Arguments,
  origin: Place,
): PythonValue | undefined {
  if (!fromDirectory.test(path)) return undefined;
  const data = pictures(
    studio,
    args,
    origin,
    'image_size',
    freshPicture({ scale: 1, color: 'rgb', layout: 'nhwc' }, origin.span),
  );
  const subset = given(args, 'subset');
  const isBoth = subset?.kind === 'constant' && subset.value === 'both';
  return isBoth ? { kind: 'list', items: [data, { ...data }] } : data;
}

/** `ImageDataGenerator(rescale=1/255, preprocessing_function=f).flow_from_directory(directory, target_size)`. */
export function generatorFlow(
  studio: Studio,
  generator: ObjectValue,
  args: Arguments,
  origin: Place,
): ObjectValue {
  const { args: settings, origin: made } = generator;
  let picture: Picture = freshPicture({ scale: 1, color: 'rgb', layout: 'nhwc' }, made.span);
  const augmentation = [...settings.keywords.keys()].find((key) => augmentations.test(key));
  if (augmentation !== undefined) picture = withRandom(picture, augmentation, made.span);
  const standard = [...settings.keywords.keys()].find((key) => /^(feature|sample)wise|^zca/.test(key));
  if (standard !== undefined) picture = withDoubt(picture, 'unknown-step', standard, made.span);
  const prepare = given(settings, 'preprocessing_function');
  if (prepare) {
    const result = studio.run(
      prepare,
      { positional: [studio.develop(picture, made)], keywords: new Map() },
      made,
    );
    studio.consume(result);
    picture =
      studio.pictureOf(result) ?? withDoubt(picture, 'unknown-step', 'preprocessing_function', made.span);
  }
  const rescale = given(settings, 'rescale');
  const factor = numbersIn(rescale);
  if (factor) picture = multiplied(picture, factor, made.span);
  else if (rescale && rescale.kind !== 'constant')
    picture = withDoubt(picture, 'unknown-value', 'ImageDataGenerator(rescale)', made.span);
  return pictures(studio, args, origin, 'target_size', picture);
}

const augmentations =
  /^(rotation_range|width_shift_range|height_shift_range|brightness_range|shear_range|zoom_range|channel_shift_range|horizontal_flip|vertical_flip)$/;

function pictures(
  studio: Studio,
  args: Arguments,
  origin: Place,
  sizeName: string,
  picture: Picture,
): ObjectValue {
  const value = given(args, sizeName);
  const [height, width] = value ? (sizeIn(value) ?? []) : [256, 256];
  const resized =
    height === undefined || width === undefined
      ? withDoubt(picture, 'unknown-value', sizeName, origin.span)
      : given(args, 'crop_to_aspect_ratio')
        ? cropped(resizedShorter(picture, height, origin.span), height, width, origin.span)
        : squashed(picture, height, width, origin.span);
  const item = studio.develop(resized, origin);
  return libraryObject(tensorflowData, origin, args, new Map([['item', item]]));
}

const sameData: ReadonlySet<string> = new Set(
  'batch unbatch prefetch cache shuffle repeat take skip filter with_options apply ignore_errors'.split(' '),
);

/** A method of a tf.data data set: what is mapped changes what it yields. */
export function dataMethod(
  studio: Studio,
  data: ObjectValue,
  name: string,
  args: Arguments,
  origin: Place,
): PythonValue | undefined {
  if (sameData.has(name)) return data;
  if (name !== 'map') return undefined;
  const [target] = args.positional;
  const item = data.attributes.get('item') ?? unknownValue;
  if (!target) return data;
  const result = studio.run(target, { positional: [item, unknownValue], keywords: new Map() }, origin);
  const found = [result, ...(iterate(result) ?? [])].find((one) => studio.pictureOf(one));
  const before = studio.pictureOf(item);
  const mapped =
    found ??
    (before && studio.develop(withDoubt(before, 'unknown-step', 'map', origin.span), origin, [item])) ??
    item;
  data.attributes.set('item', mapped);
  return data;
}
