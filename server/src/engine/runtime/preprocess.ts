/**
 * From pixels to a model input: value = (pixel · scale − mean) / std, channels and layout as the model has them
 * (design contract: preprocessing). Mean and std count channels in the order of the model input.
 */
import type { PreprocessingSpec } from '../../protocol/reports';
import { defined } from '../base/invariant';
import { type Issue, issue } from '../base/issue';
import { floatToLowFloat } from '../base/lowfloat';
import { fail, type Outcome, ok } from '../base/outcome';
import { type ModelInput, mismatch } from './model-inputs';
import { arrayFor, type RuntimeTensor, runtimeTensor } from './runtime-tensor';

/** 8-bit pixels in rows, channels interleaved. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** A spec with all defaults filled in. */
export interface Preprocessing {
  readonly scale: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly resize: number | undefined;
  readonly crop: number | undefined;
  readonly layout: 'nchw' | 'nhwc';
  readonly color: 'rgb' | 'bgr';
}

/** Defaults for images and uint8 arrays. */
export function imagePreprocessing(spec: PreprocessingSpec): Outcome<Preprocessing> {
  const mean = spec.mean ?? [0];
  const std = spec.std ?? [1];
  const issues: Issue[] = [];
  if (std.some((one) => !(one !== 0 && Number.isFinite(one)))) {
    issues.push(
      issue('recipe-value', {
        key: 'std',
        reason: `std is ${std.join(', ')}`,
        expected: 'numbers other than 0',
      }),
    );
  }
  if (issues.length > 0) return fail(...issues);
  return ok({
    scale: spec.scale ?? 1 / 255,
    mean,
    std,
    resize: spec.resize,
    crop: spec.crop,
    layout: spec.layout ?? 'nchw',
    color: spec.color ?? 'rgb',
  });
}

/**
 * One row of an image input.
 * @param what names the picture in a mismatch.
 */
export function imageRow(
  pixels: Pixels,
  input: ModelInput,
  options: Preprocessing,
  what: string,
): Outcome<RuntimeTensor> {
  const nchw = options.layout === 'nchw';
  const wanted = input.dims?.[nchw ? 1 : 3];
  const channels = typeof wanted === 'number' ? wanted : pixels.channels;
  const adapted = withChannels(pixels, channels, options.color);
  const { width, height } = pixels;
  const shape = nchw ? [channels, height, width] : [height, width, channels];
  const expected = input.dims?.slice(1);
  const fitting = expected?.every(
    (dimension, axis) => typeof dimension !== 'number' || dimension === shape[axis],
  );
  if (adapted === undefined || fitting === false || (expected && expected.length !== 3)) {
    return fail(
      mismatch(input, `${what}: ${pixels.channels} × ${height} × ${width} (channels × height × width)`),
    );
  }
  const wrong = channelIssue(options, channels);
  if (wrong) return fail(wrong);
  const table = valueTables(input, options, channels);
  const data = arrayFor(input.type, adapted.length);
  const plane = width * height;
  for (let at = 0; at < adapted.length; at++) {
    const channel = at % channels;
    const target = nchw ? channel * plane + (at - channel) / channels : at;
    data[target] = defined(table[channel * 256 + (adapted[at] ?? 0)], 'value of a pixel');
  }
  return ok(runtimeTensor(input.type, shape, data));
}

/**
 * Bytes without image axes: the same arithmetic, the last axis is the channel when mean or std have several numbers.
 */
export function byteRow(
  bytes: Uint8Array,
  shape: readonly number[],
  input: ModelInput,
  options: Preprocessing,
): Outcome<RuntimeTensor> {
  const channels = options.mean.length > 1 || options.std.length > 1 ? (shape.at(-1) ?? 1) : 1;
  const wrong = channelIssue(options, channels);
  if (wrong) return fail(wrong);
  const table = valueTables(input, options, channels);
  const data = arrayFor(input.type, bytes.length);
  for (let at = 0; at < bytes.length; at++) {
    data[at] = defined(table[(at % channels) * 256 + (bytes[at] ?? 0)], 'value of a byte');
  }
  return ok(runtimeTensor(input.type, shape, data));
}

function channelIssue(options: Preprocessing, channels: number): Issue | undefined {
  for (const key of ['mean', 'std'] as const) {
    const count = options[key].length;
    if (count === 1 || count === channels) continue;
    const expected = channels === 1 ? 'one number' : `one number or ${channels}, one per channel`;
    return issue('recipe-value', { key, reason: `${key} has ${count} numbers`, expected });
  }
  return undefined;
}

/** The value of every pixel per channel. Models that take integers get the pixels themselves. */
function valueTables(input: ModelInput, options: Preprocessing, channels: number) {
  const table = arrayFor(input.type, channels * 256);
  const float = input.type.startsWith('float');
  for (let channel = 0; channel < channels; channel++) {
    const mean = options.mean[options.mean.length === 1 ? 0 : channel] ?? 0;
    const std = options.std[options.std.length === 1 ? 0 : channel] ?? 1;
    for (let pixel = 0; pixel < 256; pixel++) {
      const value = float ? (pixel * options.scale - mean) / std : pixel;
      const at = channel * 256 + pixel;
      if (table instanceof BigInt64Array || table instanceof BigUint64Array) table[at] = BigInt(value);
      else table[at] = input.type === 'float16' ? floatToLowFloat('float16', value) : value;
    }
  }
  return table;
}

/** Interleaved pixels with the wanted number of channels and colour order; `undefined` when there is no such rule. */
function withChannels(pixels: Pixels, channels: number, color: 'rgb' | 'bgr'): Uint8Array | undefined {
  const { data } = pixels;
  if (pixels.channels === 3 && channels === 1) return luma(data);
  if (pixels.channels === 1 && channels === 3)
    return Uint8Array.from({ length: data.length * 3 }, (_, at) => data[Math.floor(at / 3)] ?? 0);
  if (pixels.channels !== channels) return undefined;
  if (channels !== 3 || color === 'rgb') return data;
  return Uint8Array.from(data, (_, at) => data[at - (at % 3) + 2 - (at % 3)] ?? 0);
}

/** ITU-R 601 luma in 16-bit fixed point, as image libraries compute it. */
function luma(data: Uint8Array): Uint8Array {
  const grey = new Uint8Array(data.length / 3);
  for (let at = 0; at < grey.length; at++) {
    const [red = 0, green = 0, blue = 0] = [data[3 * at], data[3 * at + 1], data[3 * at + 2]];
    grey[at] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  }
  return grey;
}
