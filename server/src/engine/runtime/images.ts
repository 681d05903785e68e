/**
 * A folder of JPEG and PNG files as samples. The only door to sharp, loaded in the forked process: pictures come from
 * anywhere and native decoders are where they do their harm. Decoding only; resize and crop are ours (`resize.ts`), so
 * that values do not depend on a library's version.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type sharp from 'sharp';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { filesFingerprint } from './file-fingerprint';
import type { ModelInput } from './model-inputs';
import { imageRow, type Pixels, type Preprocessing } from './preprocess';
import { centreCrop, resizeShorterSide } from './resize';
import type { Sample, SampleSource } from './sample-source';

/** Larger pictures are refused before they are decoded. */
const MAX_PIXELS = 100e6;
const MAX_FILE_BYTES = 256 << 20;

/** Pictures decoded at the same time; decoding runs on the thread pool. */
const CONCURRENCY = Math.min(4, Math.max(1, os.availableParallelism()));

const EXTENSION = /\.(jpe?g|png)$/i;

/** Names of the pictures in a folder, sorted by code units; those of its subfolders when it has none itself. */
export function imageNames(folder: string): readonly string[] {
  const own = fs.readdirSync(folder).filter(isImageName).sort();
  if (own.length > 0) return own;
  return fs
    .readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.split(path.sep).join('/'))
    .filter(isImageName)
    .sort();
}

/** Samples from the pictures of a folder for the one input of a model. */
export function imageSource(
  folder: string,
  names: readonly string[],
  input: ModelInput,
  options: Preprocessing,
): SampleSource {
  const read = async (index: number): Promise<Outcome<Sample>> => {
    const name = names[index] ?? '';
    const pixels = await readImage(path.join(folder, name));
    if (pixels.value === undefined) return fail(...pixels.issues);
    const row = pictureRow(pixels.value, input, options, name);
    return row.value === undefined
      ? fail(...row.issues)
      : ok({ [input.name]: { tensor: row.value, use: 'row' } });
  };
  return {
    description: folder,
    available: names.length,
    stackable: true,
    names,
    read: (first, count) => inOrder(first, count, read),
    fingerprint: (count, signal) =>
      filesFingerprint(
        names.slice(0, count).map((name) => ({ name, path: path.join(folder, name) })),
        signal,
      ),
    close: () => {},
  };
}

/** Resize, crop and scale one picture to a row of the input. */
export function pictureRow(pixels: Pixels, input: ModelInput, options: Preprocessing, name: string) {
  const resized = options.resize === undefined ? pixels : resizeShorterSide(pixels, options.resize);
  const cropped = options.crop === undefined ? resized : centreCrop(resized, options.crop);
  return imageRow(cropped ?? resized, input, options, name);
}

/** Decodes one JPEG or PNG file to 8-bit grey or RGB; anything else is `image-unreadable`. */
export async function readImage(file: string): Promise<Outcome<Pixels>> {
  const unreadable = (reason: string) => fail(issue('image-unreadable', { file, reason }, { path: file }));
  const bytes = readBytes(file);
  if (typeof bytes === 'string') return unreadable(bytes);
  if (!isJpeg(bytes) && !isPng(bytes)) return unreadable('neither JPEG nor PNG');
  const library = await loadSharp();
  if (library.value === undefined) return fail(...library.issues);
  try {
    const { data, info } = await library
      .value(bytes, {
        failOn: 'truncated',
        limitInputPixels: MAX_PIXELS,
        ignoreIcc: true,
        sequentialRead: true,
      })
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    return ok({
      width,
      height,
      channels,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
  } catch (error) {
    return unreadable(shortReason(error));
  }
}

let loaded: Promise<Outcome<typeof sharp>> | undefined;

function loadSharp(): Promise<Outcome<typeof sharp>> {
  loaded ??= import('sharp').then(
    ({ default: library }) => {
      // One thread per picture, several pictures at once; nothing is read twice.
      library.concurrency(1);
      library.cache(false);
      library.block({ operation: ['VipsForeignLoad'] });
      library.unblock({ operation: ['VipsForeignLoadJpegBuffer', 'VipsForeignLoadPngBuffer'] });
      return ok(library);
    },
    (error) =>
      fail(issue('inference-unavailable', { reason: `images cannot be decoded: ${shortReason(error)}` })),
  );
  return loaded;
}

/** The bytes, or why they cannot be had. */
function readBytes(file: string): Buffer | string {
  try {
    const { size } = fs.statSync(file);
    if (size > MAX_FILE_BYTES) return `${size} bytes, more than ${MAX_FILE_BYTES}`;
    return fs.readFileSync(file);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : shortReason(error);
  }
}

/** Runs `read` for consecutive indices, some at the same time; the first issue in order ends it. */
async function inOrder(
  first: number,
  count: number,
  read: (index: number) => Promise<Outcome<Sample>>,
): Promise<Outcome<readonly Sample[]>> {
  const results: Outcome<Sample>[] = [];
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < count && !failed) {
      const index = next++;
      const result = await read(first + index);
      results[index] = result;
      if (result.value === undefined) failed = true;
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, count) }, worker));
  const samples: Sample[] = [];
  const issues: Issue[] = [];
  for (const result of results) {
    if (result?.value === undefined) return fail(...(result?.issues ?? []), ...issues);
    samples.push(result.value);
  }
  return ok(samples);
}

function isImageName(name: string): boolean {
  // Files such as ._photo.jpg are other systems' notes about a picture.
  return EXTENSION.test(name) && !path.posix.basename(name).startsWith('.');
}

function isJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;
}

function isPng(bytes: Uint8Array): boolean {
  return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, at) => bytes[at] === byte);
}

/** First line of a library's message. */
function shortReason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0]?.slice(0, 200) ?? '';
}
