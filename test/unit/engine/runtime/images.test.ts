import * as fs from 'node:fs';
import * as path from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromOnnx } from '../../../../server/src/engine/graph/from-onnx';
import type { Model } from '../../../../server/src/engine/graph/ir';
import { openFeeds } from '../../../../server/src/engine/runtime/feeds';
import { imageNames, readImage } from '../../../../server/src/engine/runtime/images';
import type { Pixels } from '../../../../server/src/engine/runtime/preprocess';
import { centreCrop, resize, resizeShorterSide } from '../../../../server/src/engine/runtime/resize';
import type { PreprocessingSpec } from '../../../../server/src/protocol/reports';
import { model, node, valueInfo } from '../../../fixtures/build';
import { said, temporaryFolder } from './fixtures/files';

const folder = temporaryFolder();

/** Values i·step mod 256 in rows, channels interleaved. */
function ramp(width: number, height: number, channels: number, step: number): Pixels {
  const data = Uint8Array.from({ length: width * height * channels }, (_, at) => (at * step) % 256);
  return { width, height, channels, data };
}

function encoder(image: Pixels) {
  const channels = image.channels as 1 | 2 | 3 | 4;
  return sharp(image.data, { raw: { width: image.width, height: image.height, channels } });
}

async function png(name: string, image: Pixels): Promise<string> {
  return folder.write(name, await encoder(image).png().toBuffer());
}

function imageModel(
  channels: number,
  height: number | string,
  width: number | string,
  batch: number | string = 'N',
): Model {
  const inputs = [valueInfo('x', [batch, channels, height, width])];
  const proto = model({ inputs, outputs: [{ name: 'y' }], nodes: [node('Identity', ['x'], ['y'])] });
  const made = fromOnnx(proto, undefined).value;
  if (!made) throw new Error('the model is valid');
  return made;
}

async function read(source: string, to: Model, preprocessing: PreprocessingSpec = {}, samples?: number) {
  const feeds = await openFeeds({ source, seed: 0, preprocessing, dimensions: {}, samples }, to);
  if (!feeds.value) return { issues: feeds.issues, values: [] as number[], names: undefined };
  const issues = [...feeds.issues];
  const values: number[] = [];
  for await (const batch of feeds.value.batches(2)) {
    issues.push(...batch.issues);
    values.push(...[...(batch.value?.feeds.x?.data ?? [])].map(Number));
  }
  return { issues, values, names: feeds.value.names };
}

describe('resize gives what Pillow 13 gives (Image.resize, BILINEAR), to the bit', () => {
  it.each([
    [7, 5, 1, 37, 3, 2, [35, 114, 193, 41, 120, 199]],
    [
      7,
      5,
      1,
      37,
      4,
      5,
      [19, 77, 145, 203, 22, 80, 148, 206, 25, 83, 151, 209, 28, 86, 154, 212, 31, 89, 157, 215],
    ],
    [
      3,
      2,
      1,
      37,
      5,
      4,
      [0, 15, 37, 59, 74, 28, 43, 65, 87, 102, 83, 98, 120, 142, 157, 111, 126, 148, 170, 185],
    ],
    [4, 3, 3, 91, 2, 2, [38, 129, 165, 65, 156, 151, 123, 191, 90, 150, 103, 76]],
    [1, 1, 1, 37, 3, 2, [0, 0, 0, 0, 0, 0]],
    [9, 2, 1, 200, 1, 1, [124]],
  ])(
    '%i × %i × %i, values %i·i, to %i × %i',
    (width, height, channels, step, toWidth, toHeight, expected) => {
      const found = resize(ramp(width, height, channels, step), toWidth, toHeight);
      expect({ ...found, data: [...found.data] }).toEqual({
        width: toWidth,
        height: toHeight,
        channels,
        data: expected,
      });
    },
  );

  it.each([
    [400, 300, 256, 341, 256],
    [300, 400, 256, 256, 341],
    [256, 500, 256, 256, 500],
    [100, 100, 7, 7, 7],
    [3, 1000, 2, 2, 666],
  ])(
    'the shorter side of %i × %i to %i: %i × %i, the longer one rounded down',
    (width, height, size, toWidth, toHeight) => {
      const found = resizeShorterSide(ramp(width, height, 1, 1), size);
      expect([found.width, found.height]).toEqual([toWidth, toHeight]);
    },
  );

  it.each([
    // torchvision's CenterCrop: int(round((size − crop) / 2)), halves to even.
    [5, 2, 2],
    [7, 2, 2],
    [6, 2, 2],
    [9, 2, 4],
    [2, 2, 0],
  ])('the crop of width %i to %i starts at %i', (width, size, start) => {
    expect(centreCrop(ramp(width, width, 1, 1), size)?.data[0]).toBe(start * width + start);
  });

  it('there is no crop larger than the picture', () => {
    expect(centreCrop(ramp(4, 3, 1, 1), 4)).toBeUndefined();
  });
});

describe('a folder', () => {
  it('is read in the order of names by code units; notes of other systems and other files are left out', () => {
    for (const name of [
      'b.png',
      'B.JPG',
      'a10.jpeg',
      'a2.png',
      '._a2.png',
      'readme.txt',
      'x.gif',
      'sub/c.png',
    ]) {
      folder.write(`order/${name}`, '');
    }
    expect(imageNames(path.join(folder.path, 'order'))).toEqual(['B.JPG', 'a10.jpeg', 'a2.png', 'b.png']);
  });

  it('without pictures of its own is read with its subfolders', () => {
    for (const name of ['cat/1.png', 'ant/2.png', 'ant/1.png']) folder.write(`classes/${name}`, '');
    expect(imageNames(path.join(folder.path, 'classes'))).toEqual(['ant/1.png', 'ant/2.png', 'cat/1.png']);
  });
});

describe('pictures become', () => {
  const colour = ramp(4, 3, 3, 21);
  beforeAll(async () => {
    await png('colour/a.png', colour);
    await png('grey/a.png', ramp(3, 2, 1, 40));
    const alpha = { ...ramp(2, 1, 4, 0), data: Uint8Array.of(10, 20, 30, 0, 40, 50, 60, 128) };
    await png('alpha/a.png', alpha);
    folder.write(
      'palette/a.png',
      await encoder({ ...ramp(2, 1, 3, 0), data: Uint8Array.of(255, 0, 0, 0, 0, 255) })
        .png({ palette: true })
        .toBuffer(),
    );
    folder.write(
      'deep/a.png',
      await sharp(Uint16Array.of(0, 257 * 100, 65535), { raw: { width: 1, height: 1, channels: 3 } })
        .toColourspace('rgb16')
        .png()
        .toBuffer(),
    );
    folder.write(
      'jpeg/a.jpg',
      await encoder(ramp(16, 16, 1, 0))
        .jpeg()
        .toBuffer(),
    );
    folder.write(
      'cmyk/a.jpg',
      await encoder({ ...ramp(8, 8, 3, 0), data: new Uint8Array(192).fill(255) })
        .toColourspace('cmyk')
        .jpeg()
        .toBuffer(),
    );
    folder.write(
      'turned/a.jpg',
      await encoder(ramp(8, 16, 3, 5))
        .withMetadata({ orientation: 6 })
        .jpeg()
        .toBuffer(),
    );
  });
  const at = (name: string) => path.join(folder.path, name);

  it('NCHW rows with one value per pixel', async () => {
    const { values } = await read(at('colour'), imageModel(3, 3, 4), { scale: 1 });
    const expected = [0, 1, 2].flatMap((channel) =>
      Array.from({ length: 12 }, (_, pixel) => ((pixel * 3 + channel) * 21) % 256),
    );
    expect(values).toEqual(expected);
  });

  it.each([
    ['grey', 3, 2, 3, [0, 40, 80, 120, 160, 200, 0, 40, 80, 120, 160, 200, 0, 40, 80, 120, 160, 200]],
    ['grey', 1, 2, 3, [0, 40, 80, 120, 160, 200]],
    // The alpha channel is dropped, not blended.
    ['alpha', 3, 1, 2, [10, 40, 20, 50, 30, 60]],
    ['palette', 3, 1, 2, [255, 0, 0, 0, 0, 255]],
    ['deep', 3, 1, 1, [0, 100, 255]],
    ['jpeg', 3, 16, 16, new Array(768).fill(0)],
  ])('%s for %i channels', async (name, channels, height, width, expected) => {
    expect(await read(at(name), imageModel(channels, height, width), { scale: 1 })).toMatchObject({
      issues: [],
      values: expected,
    });
  });

  it('RGB from CMYK; orientation tags do not count, as in the tools networks are trained with', async () => {
    const cmyk = await readImage(at('cmyk/a.jpg'));
    expect(cmyk.value && [cmyk.value.channels, Math.min(...cmyk.value.data) > 240]).toEqual([3, true]);
    const turned = await readImage(at('turned/a.jpg'));
    expect(turned.value && [turned.value.width, turned.value.height]).toEqual([8, 16]);
  });

  it('the size that resize and crop make of them', async () => {
    const { values } = await read(at('colour'), imageModel(3, 2, 2), { scale: 1, resize: 2, crop: 2 });
    expect(values).toHaveLength(12);
    const { issues } = await read(at('colour'), imageModel(3, 2, 2), { scale: 1 });
    expect(said({ issues })).toEqual([
      [
        'data-mismatch',
        { input: 'x', expected: 'float [N, 3, 2, 2]', found: 'a.png: 3 × 3 × 4 (channels × height × width)' },
      ],
    ]);
  });

  it('batches only when they have one size', async () => {
    await png('sizes/a.png', ramp(4, 3, 3, 1));
    await png('sizes/b.png', ramp(3, 4, 3, 1));
    const { issues } = await read(at('sizes'), imageModel(3, 'H', 'W'));
    expect(issues.map((one) => one.facts)).toEqual([
      {
        input: 'x',
        expected: 'float [N, 3, H, W]',
        found: 'samples of different shapes: float [3, 3, 4] and float [3, 4, 3]',
      },
    ]);
    expect((await read(at('sizes'), imageModel(3, 'H', 'W', 1))).issues).toEqual([]);
  });
});

describe('hostile pictures', () => {
  const good = Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==',
    'base64',
  );
  /** A PNG header that claims the size and has no pixels. */
  const claiming = (width: number, height: number) => {
    const bytes = Buffer.from(good);
    bytes.writeUInt32BE(width, 16);
    bytes.writeUInt32BE(height, 20);
    return bytes;
  };
  it.each([
    ['empty', Buffer.alloc(0), /neither JPEG nor PNG/],
    ['text', Buffer.from('not a picture'), /neither JPEG nor PNG/],
    [
      'svg',
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      /neither JPEG nor PNG/,
    ],
    ['gif', Buffer.from('GIF89a\x01\x00\x01\x00'), /neither JPEG nor PNG/],
    ['cut-png', good.subarray(0, 40), /./],
    ['jpeg-start', Buffer.from([0xff, 0xd8, 0xff, 0xe0, 0, 16]), /./],
    ['bomb', claiming(50_000, 50_000), /./],
    ['huge', claiming(0x7fffffff, 1), /./],
    ['nothing', claiming(0, 0), /./],
  ])('%s', async (name, bytes, reason) => {
    const file = folder.write(`hostile/${name}.png`, bytes);
    const outcome = await readImage(file);
    expect(outcome.value).toBeUndefined();
    expect(outcome.issues).toMatchObject([
      { code: 'image-unreadable', facts: { file, reason: expect.stringMatching(reason) } },
    ]);
  });

  it('cut in the middle', async () => {
    const whole = await encoder(ramp(64, 64, 3, 7))
      .jpeg()
      .toBuffer();
    const file = folder.write('half.jpg', whole.subarray(0, whole.length >> 1));
    expect((await readImage(file)).issues.map((one) => one.code)).toEqual(['image-unreadable']);
  });

  it('that are no files', async () => {
    const target = path.join(folder.path, 'folder.png');
    fs.mkdirSync(target);
    expect((await readImage(target)).issues).toMatchObject([
      { code: 'image-unreadable', facts: { reason: 'EISDIR' } },
    ]);
  });

  it('end the stream with the first one by name, the ones before it arrive', async () => {
    await png('mixed/a.png', ramp(1, 1, 3, 1));
    await png('mixed/b.png', ramp(1, 1, 3, 1));
    folder.write('mixed/c.png', 'broken');
    folder.write('mixed/d.png', 'broken too');
    const { values, issues } = await read(path.join(folder.path, 'mixed'), imageModel(3, 1, 1));
    expect(values).toHaveLength(6);
    expect(issues.map((one) => one.anchor.path)).toEqual([path.join(folder.path, 'mixed/c.png')]);
    expect((await read(path.join(folder.path, 'mixed'), imageModel(3, 1, 1), {}, 2)).issues).toEqual([]);
  });
});

describe('fingerprint', () => {
  it('covers names and content of the samples used', async () => {
    const of = async (name: string, samples?: number) => {
      const spec = {
        source: path.join(folder.path, name),
        seed: 0,
        preprocessing: {},
        dimensions: {},
        samples,
      };
      return (await openFeeds(spec, imageModel(3, 1, 1))).value?.fingerprint();
    };
    await png('one/a.png', ramp(1, 1, 3, 1));
    await png('two/a.png', ramp(1, 1, 3, 1));
    expect(await of('one')).toBe(await of('two'));
    await png('two/b.png', ramp(1, 1, 3, 2));
    expect(await of('one')).not.toBe(await of('two'));
    expect(await of('one')).toBe(await of('two', 1));
  });
});
