/**
 * Weight sums by the kernels of columns.wat: weights whose channels are columns, as MatMul has them, measured as they lie.
 * A first pass finds the channels' max|x|, a second one goes back over them: what was read last is still in cache.
 */
import type { ChannelView } from '../layout';
import type { QuantScheme } from '../scheme';
import {
  emptyWeightSums,
  powerOfTwoUnit,
  type WeightReader,
  type WeightSums,
} from '../weight-error-reference';
import { type Block, loadRaw } from './blocks';
import { type ColumnKernels, type Kernels, loadColumnKernels, reserve } from './module';
import { SMALLEST } from './small-rows';
import { LARGEST, symmetricCodes } from './symmetric';

/** Columns that are worth it, columns of a chunk, and of a tile: what is known of a tile stays in the nearest cache. */
const FEWEST = 64;
const CHUNK = 8192;
const TILE = 512;

/** Elements of a block where groups do not ask for more: half a megabyte. */
const BLOCK = 1 << 17;

/** Vectors hold four columns and are read from four rows at a time. */
const LANES = 4;

/** Bytes of the quantizers of one column. */
const QUANTIZER = 16;

/**
 * The sums, or `undefined` where they are for the kernels that transpose: asymmetric schemes, sizes that are no multiple
 * of four, channels that are very small or not finite.
 */
export function columnWeightSums(
  kernels: Kernels,
  reader: WeightReader,
  view: ChannelView,
  schemes: readonly QuantScheme[],
): WeightSums | undefined {
  const { channels, perChannel, inner } = view;
  const columns = loadColumnKernels();
  if (columns === undefined || inner !== 1 || channels < FEWEST) return undefined;
  if (channels % LANES !== 0 || perChannel % LANES !== 0) return undefined;
  if (schemes.some(({ symmetric }) => !symmetric)) return undefined;
  const groups = groupSizes(schemes);
  if (groups.some((group) => group % LANES !== 0 || group * CHUNK > LARGEST_BLOCK)) return undefined;
  const chunks = planChunks(view, Math.max(LANES, ...groups));
  const regions = layOut(chunks, schemes.length);
  reserve(kernels, regions.end);
  const sums = emptyWeightSums(view, schemes);
  const pass: Pass = { kernels, columns, reader, view, schemes, groups, regions, sums };
  for (const chunk of chunks) findAbsMax(pass, chunk);
  const largest = sums.channelAbsMax.reduce((most, one) => Math.max(most, one), 0);
  if (!sums.channelAbsMax.every(isOrdinary)) return undefined;
  for (const chunk of chunks.toReversed()) measure(pass, chunk, largest);
  sums.powers[1] = sums.signal.reduce((sum, one) => sum + one, 0);
  sums.fastElements = view.count;
  return sums;
}

/** Elements that a block with the largest groups may have: 16 MB. */
const LARGEST_BLOCK = 1 << 22;

/** Columns that one set of quantizers serves, and the blocks of rows that hold them, in order of memory. */
type Chunk = readonly Block[];

interface Pass {
  readonly kernels: Kernels;
  readonly columns: ColumnKernels;
  readonly reader: WeightReader;
  readonly view: ChannelView;
  readonly schemes: readonly QuantScheme[];
  /** Sizes of groups, each once. */
  readonly groups: readonly number[];
  readonly regions: Regions;
  readonly sums: WeightSums;
}

/** Addresses in the kernels' memory. */
interface Regions {
  readonly raw: number;
  /** max|x| of the chunk's columns, then of one group of a tile. */
  readonly absMax: number;
  readonly group: number;
  /** Of every scheme and column of the chunk. */
  readonly quantizers: number;
  readonly groupQuantizers: number;
  /** float32 sums of a tile. */
  readonly tile: number;
  /** Σx² per column of the chunk, then the noise per scheme and column; float64. */
  readonly sums: number;
  readonly powers: number;
  readonly extremes: number;
  readonly end: number;
}

function groupSizes(schemes: readonly QuantScheme[]): readonly number[] {
  const sizes = schemes.flatMap(({ granularity }) =>
    typeof granularity === 'string' ? [] : [granularity.group],
  );
  return [...new Set(sizes)];
}

/** A NaN is not ≤ anything. */
function isOrdinary(absMax: number): boolean {
  return absMax === 0 || (absMax >= SMALLEST && absMax <= LARGEST);
}

/** Blocks begin where groups of every size begin. */
function planChunks({ channels, perChannel }: ChannelView, unit: number): readonly Chunk[] {
  const chunks: Chunk[] = [];
  for (let channel = 0; channel < channels; channel += CHUNK) {
    const rows = Math.min(CHUNK, channels - channel);
    const most = unit * Math.max(1, Math.floor(BLOCK / (rows * unit)));
    const blocks: Block[] = [];
    for (let k = 0; k < perChannel; k += most)
      blocks.push({ channel, rows, k, len: Math.min(most, perChannel - k) });
    chunks.push(blocks);
  }
  return chunks;
}

function layOut(chunks: readonly Chunk[], schemes: number): Regions {
  const blocks = chunks.flat();
  const elements = blocks.reduce((most, { rows, len }) => Math.max(most, rows * len), 0);
  const width = blocks.reduce((most, { rows }) => Math.max(most, rows), 0);
  let next = 0;
  const region = (bytes: number) => {
    const start = next;
    next += Math.ceil(bytes / 64) * 64;
    return start;
  };
  return {
    raw: region(elements * 4),
    absMax: region(width * 4),
    group: region(TILE * 4),
    quantizers: region(schemes * width * QUANTIZER),
    groupQuantizers: region(TILE * QUANTIZER),
    tile: region(TILE * 4),
    sums: region((1 + schemes) * width * 8),
    powers: region(4 * 8),
    extremes: region(2 * 4),
    end: next,
  };
}

function findAbsMax({ kernels, columns, reader, view, regions, sums }: Pass, chunk: Chunk): void {
  const [{ channel, rows } = { channel: 0, rows: 0 }] = chunk;
  const found = new Float32Array(kernels.memory.buffer, regions.absMax, rows).fill(0);
  for (const block of chunk) {
    loadRaw(kernels, reader, view, block, regions.raw);
    columns.columnAbsMax(regions.raw, 4 * rows, block.len, rows, regions.absMax);
  }
  sums.channelAbsMax.set(found, channel);
}

function measure(pass: Pass, chunk: Chunk, largest: number): void {
  const { kernels, reader, view, schemes, regions, sums } = pass;
  const { buffer } = kernels.memory;
  const [{ channel, rows } = { channel: 0, rows: 0 }] = chunk;
  prepare(pass, channel, rows, largest);
  const totals = new Float64Array(buffer, regions.sums, (1 + schemes.length) * rows).fill(0);
  const powers = new Float64Array(buffer, regions.powers, 4).fill(0);
  const extremes = new Float32Array(buffer, regions.extremes, 2);
  extremes.set([sums.min, sums.max]);
  new Float32Array(buffer, regions.tile, TILE).fill(0);
  const unit = powerOfTwoUnit(Math.max(largest, SMALLEST));
  for (const block of chunk.toReversed()) {
    loadRaw(kernels, reader, view, block, regions.raw);
    for (let from = 0; from < rows; from += TILE) measureTile(pass, block, from, 1 / unit);
  }
  [sums.min, sums.max] = [extremes[0] ?? 0, extremes[1] ?? 0];
  powers.forEach((sum, index) => {
    sums.powers[index] = (sums.powers[index] ?? 0) + sum * unit ** (index + 1);
  });
  [sums.signal, ...sums.noise].forEach((into, index) => {
    into.set(totals.subarray(index * rows, (index + 1) * rows), channel);
  });
}

/** Quantizers of the chunk's columns for every scheme whose scales span all rows. */
function prepare(
  { kernels, columns, schemes, regions, sums }: Pass,
  channel: number,
  rows: number,
  largest: number,
) {
  const absMax = new Float32Array(kernels.memory.buffer, regions.absMax, rows);
  schemes.forEach(({ bits, granularity }, index) => {
    if (typeof granularity !== 'string') return;
    if (granularity === 'tensor') absMax.fill(largest);
    else absMax.set(sums.channelAbsMax.subarray(channel, channel + rows));
    const { qmax, margin } = symmetricCodes(bits);
    const to = regions.quantizers + index * rows * QUANTIZER;
    columns.columnQuantizers(regions.absMax, rows, qmax, margin, to);
  });
}

/** Up to {@link TILE} columns of a loaded block. */
function measureTile(pass: Pass, { rows, len }: Block, from: number, factor: number): void {
  const { columns, schemes, groups, regions } = pass;
  const width = Math.min(TILE, rows - from);
  const stride = 4 * rows;
  const p = regions.raw + 4 * from;
  const { tile, powers, extremes } = regions;
  columns.columnMoments(p, stride, len, width, factor, tile, regions.sums + 8 * from, powers, extremes);
  schemes.forEach(({ granularity }, index) => {
    if (typeof granularity !== 'string') return;
    const quantizers = regions.quantizers + (index * rows + from) * QUANTIZER;
    columns.columnErrors(p, stride, len, width, quantizers, noiseAt(pass, rows, index, from));
  });
  for (const group of groups) {
    for (let row = 0; row < len; row += group)
      measureGroups(pass, { rows, from, width, row, len: Math.min(group, len - row) }, group);
  }
}

/** One row of groups of a tile, for all schemes with groups of this size. */
function measureGroups(
  pass: Pass,
  at: {
    readonly rows: number;
    readonly from: number;
    readonly width: number;
    readonly row: number;
    readonly len: number;
  },
  group: number,
): void {
  const { kernels, columns, schemes, regions } = pass;
  const { rows, from, width, row, len } = at;
  const p = regions.raw + 4 * (row * rows + from);
  new Uint32Array(kernels.memory.buffer, regions.group, width).fill(0);
  columns.columnAbsMax(p, 4 * rows, len, width, regions.group);
  schemes.forEach(({ bits, granularity }, index) => {
    if (typeof granularity === 'string' || granularity.group !== group) return;
    const { qmax, margin } = symmetricCodes(bits);
    columns.columnQuantizers(regions.group, width, qmax, margin, regions.groupQuantizers);
    columns.columnErrors(p, 4 * rows, len, width, regions.groupQuantizers, noiseAt(pass, rows, index, from));
  });
}

function noiseAt({ regions }: Pass, rows: number, scheme: number, from: number): number {
  return regions.sums + 8 * ((1 + scheme) * rows + from);
}
