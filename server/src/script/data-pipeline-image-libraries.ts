/**
 * Functions that libraries have for pictures alone: OpenCV (imgproc, dnn) and `tf.image`. Names and defaults as in their
 * documentation; a function that changes values in a way that cannot be said leaves a doubt.
 */
import { interpolated } from './data-pipeline-transforms';
import { given, isFloatType, lastName, numbersIn, sizeIn } from './data-pipeline-values';
import type { Arguments } from './interpret-values';
import {
  divided,
  multiplied,
  type Picture,
  recoloured,
  squashed,
  subtracted,
  withDoubt,
  withRandom,
  withValues,
} from './picture';
import type { Span } from './syntax';

/** A function of `cv2` on a picture; undefined for one that is not known. */
export function openCv(name: string, args: Arguments, picture: Picture, span: Span): Picture | undefined {
  switch (name) {
    case 'resize': {
      const size = sizeIn(given(args, 'dsize', 1));
      if (size?.length !== 2) return withDoubt(picture, 'unknown-value', 'cv2.resize(dsize)', span);
      const [width = 0, height = 0] = size;
      return interpolated(squashed(picture, height, width, span), given(args, 'interpolation', 5), span);
    }
    case 'cvtColor': {
      const code = given(args, 'code', 1);
      const change = code?.kind === 'path' ? lastName(code.path) : '';
      if (/^COLOR_(BGRA?2RGB|RGBA2RGB)$/.test(change)) return recoloured(picture, 'rgb', span);
      if (/^COLOR_RGBA?2BGR$/.test(change)) return recoloured(picture, 'bgr', span);
      if (/2GRAY$/.test(change)) return withValues(picture, {}, span);
      return withDoubt(picture, 'unknown-step', change === '' ? 'cv2.cvtColor' : change, span);
    }
    case 'dnn.blobFromImage':
    case 'dnn.blobFromImages':
      return blob(args, picture, span);
    case 'normalize':
    case 'copyMakeBorder':
    case 'warpAffine':
    case 'GaussianBlur':
      return withDoubt(picture, 'unknown-step', `cv2.${name}`, span);
    default:
      return undefined;
  }
}

/** `blobFromImage(image, scalefactor, size, mean, swapRB)`: (x − mean) · scalefactor. */
function blob(args: Arguments, picture: Picture, span: Span): Picture {
  const size = sizeIn(given(args, 'size', 2));
  const swap = given(args, 'swapRB', 4);
  const mean = numbersIn(given(args, 'mean', 3));
  const factor = numbersIn(given(args, 'scalefactor', 1)) ?? [1];
  let state: Picture = withValues(picture, { layout: 'nchw' }, span);
  if (size?.length === 2) state = squashed(state, size[1] ?? 0, size[0] ?? 0, span);
  if (swap?.kind === 'constant' && swap.value === true)
    state = withValues(state, { color: state.preprocessing.color === 'rgb' ? 'bgr' : 'rgb' }, span);
  const shift = mean && mean.length > 1 ? mean.slice(0, 3) : mean;
  if (shift?.some((one) => one !== 0)) state = subtracted(state, shift, span);
  return multiplied(state, factor, span);
}

/** A function of `tf.image` on a picture. */
export function tensorflowImage(
  name: string,
  args: Arguments,
  picture: Picture,
  span: Span,
): Picture | undefined {
  switch (name) {
    case 'resize': {
      const size = sizeIn(given(args, 'size', 1));
      return size?.length === 2
        ? interpolated(squashed(picture, size[0] ?? 0, size[1] ?? 0, span), given(args, 'method', 2), span)
        : withDoubt(picture, 'unknown-value', 'tf.image.resize(size)', span);
    }
    case 'convert_image_dtype':
      return isFloatType(given(args, 'dtype', 1)) ? divided(picture, [255], span) : picture;
    case 'rgb_to_grayscale':
    case 'grayscale_to_rgb':
      return withValues(picture, {}, span);
    default:
      return name.startsWith('random_') || name.startsWith('stateless_random')
        ? withRandom(picture, `tf.image.${name}`, span)
        : withDoubt(picture, 'unknown-step', `tf.image.${name}`, span);
  }
}
