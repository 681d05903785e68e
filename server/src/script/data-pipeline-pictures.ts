/**
 * Pictures prepared by hand: decoders, functions and methods of OpenCV, Pillow, NumPy, PyTorch, TensorFlow and Keras.
 * Each gives the picture in its next state; what is not known leaves a doubt.
 */
import type { PreprocessingSpec } from '../protocol/reports';
import { pictureOperation } from './data-pipeline-arithmetic';
import { openCv, tensorflowImage } from './data-pipeline-image-libraries';
import { interpolated, kerasPreprocessed, transformed } from './data-pipeline-transforms';
import {
  arrayType,
  given,
  lastName,
  libraryObject,
  numbersIn,
  pathTextIn,
  type Studio,
  sizeIn,
} from './data-pipeline-values';
import {
  type Arguments,
  constantValue,
  iterate,
  numberIn,
  type Place,
  type PythonValue,
} from './interpret-values';
import { freshPicture, type Picture, squashed, withDoubt, withValues } from './picture';
import type { Span } from './syntax';

/** What decoders give. */
const decoders: readonly (readonly [path: RegExp, start: PreprocessingSpec])[] = [
  [/^cv2\.(imread|imdecode)$/, { color: 'bgr', layout: 'nhwc' }],
  [/^PIL\.Image\.open$/, { color: 'rgb' }],
  [
    /^torchvision\.io\.(\w+\.)?(read_image|decode_image|decode_jpeg|decode_png)$/,
    { color: 'rgb', layout: 'nchw' },
  ],
  [
    /^(skimage\.io|imageio(\.v\d)?|plt|matplotlib\.(pyplot|image))\.imread$/,
    { color: 'rgb', layout: 'nhwc' },
  ],
  [/^tensorflow\.(io|image)\.decode_(jpeg|png|image|bmp)$/, { color: 'rgb', layout: 'nhwc' }],
];

const loadImage = /^(tensorflow\.)?keras\.(utils|preprocessing\.image)\.load_img$/;

/** Functions that hand their first argument through. */
const passing =
  /^(numpy\.(array|asarray|ascontiguousarray|float32|float64|expand_dims|squeeze|clip|copy|stack|vstack|concatenate|reshape)|torch\.(from_numpy|tensor|as_tensor|unsqueeze|squeeze|stack|cat|Tensor|FloatTensor|clamp)|tensorflow\.(expand_dims|cast|convert_to_tensor|constant|identity|stack|squeeze|reshape|clip_by_value)|(tensorflow\.)?keras\.(utils|preprocessing\.image)\.img_to_array|PIL\.Image\.fromarray|PIL\.ImageOps\.exif_transpose)$/;

/** Those of them that leave rows, columns, channels in this order. */
const toRows = /^numpy\.(array|asarray|ascontiguousarray|float32)$|img_to_array$/;

/** Methods that hand the picture through. */
const passingMethods: ReadonlySet<string> = new Set(
  'astype float half double to cpu cuda numpy contiguous copy clone unsqueeze unsqueeze_ squeeze squeeze_ detach reshape view type clamp clamp_ clip expand requires_grad_ load'.split(
    ' ',
  ),
);

const arithmeticMethods: Readonly<Record<string, string>> = {
  div: '/',
  div_: '/',
  divide: '/',
  true_divide: '/',
  mul: '*',
  mul_: '*',
  multiply: '*',
  sub: '-',
  sub_: '-',
  subtract: '-',
  add: '+',
  add_: '+',
};

/** Functional transforms of torchvision and the classes that do the same. */
const functional: Readonly<Record<string, string>> = {
  to_tensor: 'ToTensor',
  pil_to_tensor: 'PILToTensor',
  to_image: 'ToImage',
  resize: 'Resize',
  center_crop: 'CenterCrop',
  normalize: 'Normalize',
  convert_image_dtype: 'ConvertImageDtype',
  to_dtype: 'ToDtype',
  rgb_to_grayscale: 'Grayscale',
  to_grayscale: 'Grayscale',
};

/** Result of a library's function where it makes or changes a picture. */
export function pictureCall(
  studio: Studio,
  path: string,
  args: Arguments,
  origin: Place,
): PythonValue | undefined {
  const { span } = origin;
  const decoder = decoders.find(([pattern]) => pattern.test(path));
  if (decoder) return studio.develop(decoded(path, args, decoder[1], span), origin);
  if (loadImage.test(path)) {
    const size = sizeIn(given(args, 'target_size'));
    const fresh = freshPicture({ color: 'rgb' }, span);
    return studio.develop(size ? squashed(fresh, size[0] ?? 0, size[1] ?? 0, span) : fresh, origin);
  }
  const first =
    args.positional[0] ?? args.keywords.get('img') ?? args.keywords.get('image') ?? args.keywords.get('src');
  const picture = studio.pictureOf(first) ?? studio.pictureOf((first && iterate(first))?.[0]);
  const next = (state: Picture) =>
    studio.develop(state, origin, [first, ...((first && iterate(first)) ?? [])]);
  if (passing.test(path)) {
    if (!picture)
      return /^(numpy|torch)\.(array|asarray|float32|tensor|as_tensor|Tensor)$/.test(path)
        ? constants(first, args, origin)
        : undefined;
    const isRows = toRows.test(path) && picture.preprocessing.layout === undefined;
    return next(isRows ? withValues(picture, { layout: 'nhwc' }, span) : picture);
  }
  // Functions that take nothing but pictures.
  const subject = picture ?? freshPicture();
  if (path.startsWith('cv2.')) {
    const state = openCv(path.slice('cv2.'.length), args, subject, span);
    return state && next(state);
  }
  if (/^torchvision\.transforms\.(v2\.)?functional\./.test(path)) {
    const type = functional[lastName(path)];
    const rest = { positional: args.positional.slice(1), keywords: args.keywords };
    if (type === undefined) return picture && next(withDoubt(picture, 'unknown-step', lastName(path), span));
    const step = libraryObject(`torchvision.transforms.${type}`, origin, rest);
    return next(transformed(studio, step, subject, span));
  }
  const keras = kerasPreprocessed(path, subject, span);
  if (keras) return next(keras);
  if (path.startsWith('tensorflow.image.')) {
    const state = tensorflowImage(lastName(path), args, subject, span);
    return state && next(state);
  }
  if (!picture) return undefined;
  const changed = rearranged(path, args, picture, span);
  if (changed) return next(changed);
  const operator = /^(numpy|torch|tensorflow|tensorflow\.math)\./.test(path)
    ? arithmeticMethods[lastName(path)]
    : undefined;
  const [, second] = args.positional;
  return operator !== undefined && first && second
    ? pictureOperation(studio, operator, first, second, origin)
    : undefined;
}

/** What functions on arrays make of a picture's axes and size; undefined for other functions. */
function rearranged(path: string, args: Arguments, picture: Picture, span: Span): Picture | undefined {
  switch (path) {
    case 'numpy.transpose':
    case 'torch.permute':
    case 'tensorflow.transpose':
      return permuted(
        picture,
        numbersIn(args.positional[1] ?? args.keywords.get('axes') ?? args.keywords.get('perm')),
        span,
      );
    case 'numpy.moveaxis':
      return moved(picture, numbersIn(args.positional[1]), numbersIn(args.positional[2]), span);
    case 'torch.nn.functional.interpolate': {
      const size = sizeIn(given(args, 'size', 1));
      return size
        ? squashed(picture, size[0] ?? 0, size[1] ?? size[0] ?? 0, span)
        : withDoubt(picture, 'unknown-value', 'interpolate(size)', span);
    }
    case 'PIL.ImageOps.fit':
    case 'PIL.ImageOps.pad':
      return withDoubt(picture, 'unknown-step', lastName(path), span);
    default:
      return undefined;
  }
}

function decoded(path: string, args: Arguments, start: PreprocessingSpec, span: Span): Picture {
  const flag = path === 'cv2.imread' ? given(args, 'flags', 1) : undefined;
  const grey = flag && (numberIn(flag) === 0 || (flag.kind === 'path' && /GRAYSCALE$/.test(flag.path)));
  return freshPicture(grey ? { layout: 'nhwc' } : start, span);
}

/** Arrays of constants keep their numbers. */
function constants(value: PythonValue | undefined, args: Arguments, origin: Place): PythonValue | undefined {
  if (!value || value.kind === 'object') return value;
  return numbersIn(value) ? libraryObject(arrayType, origin, { ...args, positional: [value] }) : undefined;
}

/** A method of a picture. */
export function pictureMethod(
  studio: Studio,
  value: PythonValue,
  name: string,
  args: Arguments,
  origin: Place,
): PythonValue | undefined {
  const picture = studio.pictureOf(value) ?? turned(value, name, args);
  if (!picture) return undefined;
  const { span } = origin;
  const next = (state: Picture) => studio.develop(state, origin, [value]);
  const operator = arithmeticMethods[name];
  const [first] = args.positional;
  if (operator !== undefined && first) return pictureOperation(studio, operator, value, first, origin);
  if (passingMethods.has(name)) return next(picture);
  switch (name) {
    case 'convert': {
      const mode = pathTextIn(first ?? args.keywords.get('mode'));
      return next(mode === 'RGB' ? withValues(picture, { color: 'rgb' }, span) : picture);
    }
    case 'permute':
    case 'transpose': {
      const axes =
        args.positional.length === 1
          ? numbersIn(first)
          : numbersIn({ kind: 'list', items: [...args.positional] });
      return next(permuted(picture, axes, span));
    }
    case 'resize': {
      const size = sizeIn(first ?? args.keywords.get('size'));
      if (size?.length !== 2) return next(withDoubt(picture, 'unknown-value', 'resize(size)', span));
      const [width = 0, height = 0] = size;
      // Pillow's default.
      const method = given(args, 'resample', 1) ?? constantValue(3);
      return next(interpolated(squashed(picture, height, width, span), method, span));
    }
    case 'shape':
    case 'size':
    case 'tolist':
    case 'item':
    case 'max':
    case 'min':
    case 'mean':
    case 'std':
    case 'sum':
    case 'save':
    case 'show':
      return undefined;
    default:
      return next(withDoubt(picture, 'unknown-step', name, span));
  }
}

/** Channels that go from last to first are those of pictures, whatever the value is. */
function turned(value: PythonValue, name: string, args: Arguments): Picture | undefined {
  if (value.kind !== 'unknown' || (name !== 'permute' && name !== 'transpose')) return undefined;
  const axes = numbersIn({ kind: 'list', items: [...args.positional] });
  return axes?.join() === '0,3,1,2' || axes?.join() === '2,0,1' ? freshPicture() : undefined;
}

function permuted(picture: Picture, axes: readonly number[] | undefined, span: Span): Picture {
  const order = axes?.length === 4 ? axes.slice(1).map((axis) => axis - 1) : axes;
  if (order?.join() === '2,0,1') return withValues(picture, { layout: 'nchw' }, span);
  return order?.join() === '1,2,0' ? withValues(picture, { layout: 'nhwc' }, span) : picture;
}

function moved(
  picture: Picture,
  from: readonly number[] | undefined,
  to: readonly number[] | undefined,
  span: Span,
): Picture {
  const [source] = from ?? [];
  const [target] = to ?? [];
  if (source === -1 || source === 2 || source === 3) return withValues(picture, { layout: 'nchw' }, span);
  return target === -1 ? withValues(picture, { layout: 'nhwc' }, span) : picture;
}
