/** Python that reads the calibration data of a recipe and prepares it as the recipe says. */
import type { RecipeData } from '../engine/format/recipe';
import type { CodePlan, Notes } from './code-plan';
import { number, quote } from './python';

export interface SampleCode {
  readonly imports: readonly string[];
  /** Top-level blocks; they define `samples()`, which yields dictionaries from input name to array. */
  readonly blocks: readonly string[];
}

/** Sources of the recipe that only Quantlens makes. */
const made = /^(none|random|synthetic(:.*)?)$/;

const standIn = 'calibration.npz';

export function sampleCode({ data, inputs }: CodePlan, notes: Notes): SampleCode {
  const source = data?.source ?? 'none';
  if (/\.npz$/i.test(source)) return arrays(quote(source), true, data, inputs[0]?.name);
  if (/\.npy$/i.test(source)) return arrays(quote(source), false, data, inputs[0]?.name);
  if (!made.test(source)) return images(source, data ?? { source }, inputs[0]?.name);
  notes.add(
    data === undefined ? 'the recipe names no calibration data' : `calibration data '${source}'`,
    `samples() reads real inputs from ${standIn}, an array per input of the model`,
    false,
  );
  return arrays(quote(standIn), true, data, inputs[0]?.name);
}

function arrays(
  file: string,
  several: boolean,
  data: RecipeData | undefined,
  input: string | undefined,
): SampleCode {
  const limit = data?.samples;
  const count = 'min(len(array) for array in arrays.values())';
  const loaded = several
    ? [`    with np.load(${file}) as file:`, '        arrays = {name: file[name] for name in file.files}']
    : [`    arrays = {${quote(input ?? 'input')}: np.load(${file})}`];
  return {
    imports: ['import numpy as np'],
    blocks: [
      preparation(data, true),
      [
        'def samples():',
        '    """Calibration inputs, one at a time, as the network takes them."""',
        ...loaded,
        `    count = ${count}`,
        `    for index in range(${limit === undefined ? 'count' : `min(count, ${limit})`}):`,
        '        sample = {name: array[index] for name, array in arrays.items()}',
        '        yield {name: prepared(array)[np.newaxis] for name, array in sample.items()}',
      ].join('\n'),
    ],
  };
}

function images(folder: string, data: RecipeData, input: string | undefined): SampleCode {
  const { samples, resize, crop } = data;
  const grey = listOf(data.mean)?.length === 1 || listOf(data.std)?.length === 1;
  const resized = [
    `            ratio = ${resize} / min(image.size)`,
    '            size = [max(1, round(side * ratio)) for side in image.size]',
    '            image = image.resize(size, Image.Resampling.BILINEAR)',
  ];
  const cropped = [
    `            left, top = (image.width - ${crop}) // 2, (image.height - ${crop}) // 2`,
    `            image = image.crop((left, top, left + ${crop}, top + ${crop}))`,
  ];
  return {
    imports: ['from pathlib import Path', 'import numpy as np', 'from PIL import Image'],
    blocks: [
      preparation(data, false),
      pictureList,
      [
        'def samples():',
        '    """Calibration images, one at a time, as the network takes them."""',
        `    for file in pictures(Path(${quote(folder)}))${samples === undefined ? '' : `[:${samples}]`}:`,
        '        with Image.open(file) as image:',
        `            image = image.convert(${grey ? '"L"' : '"RGB"'})`,
        ...(resize === undefined ? [] : resized),
        ...(crop === undefined ? [] : cropped),
        `            pixels = np.asarray(image)${grey ? '[:, :, np.newaxis]' : ''}`,
        `        yield {${quote(input ?? 'input')}: prepared(pixels)[np.newaxis]}`,
      ].join('\n'),
    ],
  };
}

/** `pictures(folder)`: the files that `imageNames` of runtime/images.ts finds, in its order. */
const pictureList = [
  'def pictures(folder):',
  '    """Pictures of a folder, sorted by name; those of its subfolders when it has none itself."""',
  '    suffixes = {".jpg", ".jpeg", ".png"}',
  '    for files in (folder.iterdir(), folder.rglob("*")):',
  '        found = [file for file in files if file.suffix.lower() in suffixes and file.name[0] != "."]',
  '        if found:',
  '            return sorted(found, key=lambda file: file.relative_to(folder).as_posix())',
  '    raise FileNotFoundError(f"no JPEG or PNG pictures in {folder.resolve()}")',
].join('\n');

/** `prepared(pixels)`: uint8 (height, width, channels) → the network's input. */
function preparation(data: RecipeData | undefined, passesFloat: boolean): string {
  const scale = data?.scale ?? 1 / 255;
  const mean = listOf(data?.mean);
  const std = listOf(data?.std);
  return [
    'def prepared(pixels):',
    '    """Pixels (height, width, channels) as the network takes them."""',
    ...(passesFloat ? ['    if pixels.dtype != np.uint8:', '        return pixels'] : []),
    ...(data?.color === 'bgr' ? ['    pixels = pixels[:, :, ::-1]'] : []),
    `    pixels = pixels.astype(np.float32) * np.float32(${ratio(scale)})`,
    ...(mean === undefined ? [] : [`    pixels = pixels - ${array(mean)}`]),
    ...(std === undefined ? [] : [`    pixels = pixels / ${array(std)}`]),
    `    return ${data?.layout === 'nhwc' ? 'pixels' : 'pixels.transpose(2, 0, 1)'}`,
  ].join('\n');
}

function array(values: readonly number[]): string {
  return `np.array([${values.map(number).join(', ')}], np.float32)`;
}

/** `1 / 255` where that is what the number is. */
function ratio(value: number): string {
  const inverse = Math.round(1 / value);
  return inverse > 1 && 1 / inverse === value ? `1 / ${inverse}` : number(value);
}

function listOf(value: number | readonly number[] | undefined): readonly number[] | undefined {
  return typeof value === 'number' ? [value] : value;
}
