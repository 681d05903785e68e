/**
 * Cuts a weight into channel-major blocks that fit into the kernels' memory, for any channel axis, and brings them
 * there. Blocks end where groups end, so that a block is complete in itself.
 */
import type { ChannelView } from '../layout';
import type { WeightReader } from '../weight-error-reference';
import type { Kernels } from './module';

/** `rows` channels from `channel` on, of each the `len` elements from `k` on. */
export interface Block {
  readonly channel: number;
  readonly rows: number;
  readonly k: number;
  readonly len: number;
}

/** Elements of a usual block, 2 MB, so that a block stays in the processor's cache. Holds any legal group. */
const USUAL = 1 << 19;

/** The same where blocks are transposed: longer rows of channels are worth more than the cache. */
const USUAL_TRANSPOSED = 1 << 20;

/** Elements of a strip of a transposed block, 256 KB; at least the columns of one cache line. */
const STRIP = 1 << 16;
const LINE = 16;

/** Elements a block may have where groups force it to be larger: 16 MB. */
const LARGEST = 1 << 22;

/**
 * Blocks of a weight in order of memory. Empty when the layout does not fit into bounded memory.
 * @param group the largest group size in use, a power of two; 1 without groups.
 */
export function planBlocks(view: ChannelView, group: number): readonly Block[] {
  const { outer, inner, channels, perChannel } = view;
  const blocks: Block[] = [];
  if (inner === 1 && outer > 1) {
    const width = Math.min(channels, Math.max(Math.floor(LARGEST / group), 1));
    const len = group * Math.max(Math.floor(USUAL_TRANSPOSED / (width * group)), 1);
    for (let channel = 0; channel < channels; channel += width) {
      const rows = Math.min(width, channels - channel);
      for (let k = 0; k < perChannel; k += len)
        blocks.push({ channel, rows, k, len: Math.min(len, perChannel - k) });
    }
    return blocks;
  }
  if (outer > 1 && perChannel > LARGEST) return [];
  if (outer === 1 && perChannel > USUAL) {
    for (let channel = 0; channel < channels; channel++) {
      for (let k = 0; k < perChannel; k += USUAL) {
        blocks.push({ channel, rows: 1, k, len: Math.min(USUAL, perChannel - k) });
      }
    }
    return blocks;
  }
  const height = Math.max(Math.floor(USUAL / perChannel), 1);
  for (let channel = 0; channel < channels; channel += height) {
    blocks.push({ channel, rows: Math.min(height, channels - channel), k: 0, len: perChannel });
  }
  return blocks;
}

/**
 * Cuts a block that has to be transposed into strips of channels that stay in the cache through all formats; the block
 * itself when it need not be.
 */
export function stripsOf(view: ChannelView, block: Block): readonly Block[] {
  if (!isTransposed(view)) return [block];
  const width = Math.min(block.rows, Math.max(Math.floor(STRIP / block.len), LINE));
  return Array.from({ length: Math.ceil(block.rows / width) }, (_, index) => {
    const first = index * width;
    return { ...block, channel: block.channel + first, rows: Math.min(width, block.rows - first) };
  });
}

/** True when blocks arrive row by row of the weight and have to be transposed. */
export function isTransposed(view: ChannelView): boolean {
  return view.inner === 1 && view.outer > 1;
}

/** Copies a block as the weight holds it, [len][rows], to address `to`. Only for transposed layouts. */
export function loadRaw(
  kernels: Kernels,
  reader: WeightReader,
  view: ChannelView,
  block: Block,
  to: number,
): void {
  const { channel, rows, k, len } = block;
  const target = new Float32Array(kernels.memory.buffer, to, rows * len);
  if (rows === view.channels) {
    target.set(reader(k * rows, rows * len));
    return;
  }
  for (let row = 0; row < len; row++)
    target.set(reader((k + row) * view.channels + channel, rows), row * rows);
}

/** Copies a block, channel-major, to address `to`. Only for layouts that are not transposed. */
export function loadBlock(
  kernels: Kernels,
  reader: WeightReader,
  view: ChannelView,
  block: Block,
  to: number,
): void {
  const { channel, rows, k, len } = block;
  const { outer, inner, channels, perChannel } = view;
  const target = new Float32Array(kernels.memory.buffer, to, rows * len);
  if (outer === 1) {
    target.set(reader(channel * perChannel + k, rows * len));
    return;
  }
  for (let o = 0; o < outer; o++) {
    const source = reader((o * channels + channel) * inner, rows * inner);
    for (let row = 0; row < rows; row++)
      target.set(source.subarray(row * inner, (row + 1) * inner), row * len + o * inner);
  }
}
