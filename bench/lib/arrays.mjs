// NumPy files: written from arrays or from a folder of images, and read back in batches.
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** Writes a version 1 `.npy` file. `descr` is `<f4` or `|u1`. */
export function writeNpy(file, descr, shape, bytes) {
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape.join(', ')},), }`;
  const header = Buffer.from(`${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`, 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  writeFileSync(file, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, header, bytes]));
}

/** Images as uint8 NHWC: shorter side `resize`, centre `crop`, so that both sides of a comparison see the same pixels. */
export async function imagesToNpy(folder, file, { resize, crop, count }) {
  const { default: sharp } = await import('sharp');
  const names = readdirSync(folder)
    .filter((name) => /\.(jpe?g|png)$/i.test(name))
    .sort()
    .slice(0, count);
  const parts = [];
  for (const name of names) {
    const image = sharp(path.join(folder, name)).removeAlpha().toColourspace('srgb');
    const { width, height } = await image.metadata();
    const scale = resize / Math.min(width, height);
    const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
    const left = (size.width - crop) >> 1;
    const top = (size.height - crop) >> 1;
    parts.push(
      await image
        .resize({ ...size, fit: 'fill' })
        .extract({ left, top, width: crop, height: crop })
        .raw()
        .toBuffer(),
    );
  }
  writeNpy(file, '|u1', [names.length, crop, crop, 3], Buffer.concat(parts));
}

/** Shape, type and a reader of float32 NCHW batches with value = (pixel · scale − mean) / std. */
export function openNpy(file, { scale, mean, std } = {}) {
  const head = readFileSync(file).subarray(0, 4096).toString('latin1');
  const version = head.charCodeAt(6);
  const length = version === 1 ? head.charCodeAt(8) | (head.charCodeAt(9) << 8) : 0;
  if (length === 0) throw new Error(`${file}: not a NumPy file of version 1`);
  const text = head.slice(10, 10 + length);
  const descr = /'descr': '([^']+)'/.exec(text)?.[1];
  const shape = (/'shape': \(([^)]*)\)/.exec(text)?.[1] ?? '')
    .split(',')
    .filter((one) => one.trim() !== '')
    .map(Number);
  const bytes = descr === '|u1' ? 1 : 4;
  const row = shape.slice(1).reduce((product, one) => product * one, 1);
  const handle = openSync(file, 'r');
  const batch = (first, count) => {
    const raw = Buffer.alloc(count * row * bytes);
    readSync(handle, raw, 0, raw.length, 10 + length + first * row * bytes);
    if (bytes === 4)
      return { data: new Float32Array(raw.buffer, raw.byteOffset, count * row), shape: shape.slice(1) };
    const [height, width, channels] = shape.slice(1);
    const data = new Float32Array(count * row);
    const plane = height * width;
    for (let sample = 0; sample < count; sample++) {
      for (let at = 0; at < plane; at++) {
        for (let channel = 0; channel < channels; channel++) {
          const pixel = raw[sample * row + at * channels + channel] * (scale ?? 1 / 255);
          data[sample * row + channel * plane + at] =
            (pixel - (mean?.[channel] ?? 0)) / (std?.[channel] ?? 1);
        }
      }
    }
    return { data, shape: [channels, height, width] };
  };
  return { samples: shape[0], row, batch, close: () => closeSync(handle) };
}
