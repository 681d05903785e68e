/**
 * Weight sums by the SIMD kernels: same codes and scales as `weight-error-reference.ts`, sums within
 * `KERNEL_DECIBEL`. Two passes over blocks, extremes then errors; one pass where no scale spans several blocks.
 */
import { parametersFor, type Range } from '../affine';
import type { ChannelView } from '../layout';
import type { QuantScheme } from '../scheme';
import {
  emptyWeightSums,
  powerOfTwoUnit,
  type WeightReader,
  type WeightSums,
} from '../weight-error-reference';
import { type Block, isTransposed, loadBlock, loadRaw, planBlocks, stripsOf } from './blocks';
import { columnWeightSums } from './column-sums';
import { type Kernels, loadKernels, reserve } from './module';
import { SMALLEST, setSmallRowsAside } from './small-rows';
import { LARGEST, symmetricCodes } from './symmetric';

/** Addresses in the kernels' memory. */
interface Regions {
  readonly raw: number;
  readonly block: number;
  /** max|x| of the tensor, then of the block's channels. */
  readonly absMax: number;
  readonly groups: number;
  /** Least and largest value of every scope of an asymmetric scheme. */
  readonly ranges: number;
  /** Scale, lowest and highest level of every scope of an asymmetric scheme, and one unused value. */
  readonly quantizers: number;
  /** Σx² per channel of the block, then the noise per scheme and channel; float64. */
  readonly sums: number;
  readonly powers: number;
  readonly extremes: number;
  readonly end: number;
}

/**
 * The sums of a weight, or `undefined` when they are for the reference: no SIMD, values that are not finite or too
 * large, or a layout that memory would not hold.
 */
export function fastWeightSums(
  reader: WeightReader,
  view: ChannelView,
  schemes: readonly QuantScheme[],
): WeightSums | undefined {
  const kernels = loadKernels();
  if (kernels === undefined || view.count === 0) return undefined;
  return columnWeightSums(kernels, reader, view, schemes) ?? blockWeightSums(kernels, reader, view, schemes);
}

/** The sums by kernels that want channels in rows. */
function blockWeightSums(
  kernels: Kernels,
  reader: WeightReader,
  view: ChannelView,
  schemes: readonly QuantScheme[],
): WeightSums | undefined {
  const sizes = schemes.flatMap(({ granularity }) =>
    typeof granularity === 'string' ? [] : [granularity.group],
  );
  const blocks = planBlocks(view, Math.max(1, ...sizes));
  if (blocks.length === 0) return undefined;
  const signed = schemes.some(({ symmetric }) => !symmetric);
  const regions = layOut(view, blocks, schemes.length, Math.min(...sizes), signed);
  reserve(kernels, regions.end);
  const pass: Pass = {
    kernels,
    reader,
    view,
    schemes,
    regions,
    sums: emptyWeightSums(view, schemes),
    ranges: signed ? new Float32Array(2 * view.channels) : undefined,
  };
  // A scale of the tensor, or of a channel cut into several blocks, is known only after a first pass.
  const whole = blocks.every(({ len }) => len === view.perChannel);
  const once = whole && !isTransposed(view) && !schemes.some(({ granularity }) => granularity === 'tensor');
  if (!once) {
    for (const block of blocks) {
      load(pass, block);
      if (!addAbsMax(pass, block)) return undefined;
      if (!signed) continue;
      for (const strip of stripsOf(view, block)) {
        bringOver(pass, block, strip);
        addRanges(pass, strip);
      }
    }
  }
  const tensor = once ? { min: 0, max: 0 } : tensorRange(pass);
  for (const block of blocks) {
    load(pass, block);
    if (once) {
      if (!addAbsMax(pass, block)) return undefined;
      addRanges(pass, block);
    }
    for (const strip of stripsOf(view, block)) {
      bringOver(pass, block, strip);
      addErrors(pass, strip, tensor);
    }
  }
  const { min, max } = pass.sums;
  return Math.max(-min, max) < SMALLEST && min !== max ? undefined : pass.sums;
}

interface Pass {
  readonly kernels: Kernels;
  readonly reader: WeightReader;
  readonly view: ChannelView;
  readonly schemes: readonly QuantScheme[];
  readonly regions: Regions;
  readonly sums: WeightSums;
  /** Least and largest value per channel, with 0 among them; only where a scheme is asymmetric. */
  readonly ranges: Float32Array | undefined;
}

/** Room beyond a region, because vectors read and write past the last element. */
const SLACK = 64;

function layOut(
  view: ChannelView,
  blocks: readonly Block[],
  schemes: number,
  smallestGroup: number,
  signed: boolean,
): Regions {
  const loaded = largest(blocks);
  const elements = largest(blocks.flatMap((block) => stripsOf(view, block)));
  const rows = blocks.reduce((most, block) => Math.max(most, block.rows), 0);
  const scopes = elements / smallestGroup + rows;
  let next = 0;
  const region = (bytes: number) => {
    const start = next;
    next += Math.ceil((bytes + SLACK) / 16) * 16;
    return start;
  };
  return {
    raw: region(isTransposed(view) ? loaded * 4 : 0),
    block: region(elements * 4),
    absMax: region((1 + rows) * 4),
    groups: region(scopes * 4),
    ranges: region(signed ? scopes * 8 : 0),
    quantizers: region(signed ? scopes * 16 : 0),
    sums: region((1 + schemes) * rows * 8),
    powers: region(4 * 8),
    extremes: region(2 * 4),
    end: next,
  };
}

/** Elements of the largest block. */
function largest(blocks: readonly Block[]): number {
  return blocks.reduce((most, { rows, len }) => Math.max(most, rows * len), 0);
}

/** Brings a block into memory: channel-major, or as the weight holds it where it has to be transposed. */
function load({ kernels, reader, view, regions }: Pass, block: Block): void {
  if (isTransposed(view)) loadRaw(kernels, reader, view, block, regions.raw);
  else loadBlock(kernels, reader, view, block, regions.block);
}

/** Transposes a strip of a loaded block where the layout asks for it. */
function bringOver({ kernels, view, regions }: Pass, block: Block, strip: Block): void {
  if (!isTransposed(view)) return;
  const from = regions.raw + 4 * (strip.channel - block.channel);
  kernels.transpose(from, 4 * block.rows, block.len, strip.rows, regions.block);
}

/** Adds a block to the channels' max|x|; false when the weight is for the reference. */
function addAbsMax({ kernels, view, regions, sums }: Pass, { channel, rows, len }: Block): boolean {
  const found = new Float32Array(kernels.memory.buffer, regions.absMax + 4, rows);
  found.set(sums.channelAbsMax.subarray(channel, channel + rows));
  if (isTransposed(view)) kernels.absMaxColumns(regions.raw, len, rows, regions.absMax + 4);
  else kernels.absMax(regions.block, len, rows, len, regions.absMax + 4);
  sums.channelAbsMax.set(found, channel);
  // A NaN is not ≤ anything.
  return found.every((absMax) => absMax <= LARGEST);
}

/** Adds a channel-major block to the channels' ranges, where they are wanted. */
function addRanges({ kernels, regions, ranges }: Pass, { channel, rows, len }: Block): void {
  if (ranges === undefined) return;
  const found = new Float32Array(kernels.memory.buffer, regions.ranges, 2 * rows);
  found.set(ranges.subarray(2 * channel, 2 * (channel + rows)));
  kernels.extremes(regions.block, len, rows, len, regions.ranges);
  ranges.set(found, 2 * channel);
}

/** The range of the whole weight; its magnitude on both sides where nobody asks for signs. */
function tensorRange({ sums, ranges }: Pass): Range {
  if (ranges === undefined) {
    const absMax = sums.channelAbsMax.reduce((most, one) => Math.max(most, one), 0);
    return { min: -absMax, max: absMax };
  }
  return {
    min: ranges.reduce((least, one) => Math.min(least, one), 0),
    max: ranges.reduce((most, one) => Math.max(most, one), 0),
  };
}

/** Adds the signal and the noise of every scheme of one channel-major block. */
function addErrors(pass: Pass, block: Block, tensor: Range): void {
  const { kernels, regions, schemes, sums } = pass;
  const { channel, rows, len } = block;
  const { buffer } = kernels.memory;
  const totals = new Float64Array(buffer, regions.sums, (1 + schemes.length) * rows).fill(0);
  const absMax = new Float32Array(buffer, regions.absMax, 1 + rows);
  absMax.set(sums.channelAbsMax.subarray(channel, channel + rows), 1);
  absMax[0] = Math.max(-tensor.min, tensor.max);
  const ranges = pass.ranges?.slice(2 * channel, 2 * (channel + rows));
  addMoments(pass, block);
  const elements = new Float32Array(buffer, regions.block, rows * len);
  const small = setSmallRowsAside({ elements, len, absMax, ranges, tensor }, schemes);
  let measured = 0;
  schemes.forEach((scheme, index) => {
    const { bits, granularity, symmetric } = scheme;
    if (!symmetric && ranges !== undefined) {
      addAsymmetric(pass, block, scheme, index, tensor, ranges);
      return;
    }
    const { qmax, margin } = symmetricCodes(bits);
    const noise = regions.sums + (1 + index) * rows * 8;
    if (granularity === 'tensor' || granularity === 'channel') {
      const channels = granularity === 'channel' ? 1 : 0;
      const scales = regions.absMax + 4 * channels;
      kernels.errors(regions.block, len, rows, len, scales, 0, 4 * channels, qmax, margin, noise);
      return;
    }
    const { group } = granularity;
    if (group !== measured) {
      new Uint32Array(buffer, regions.groups, rows * Math.ceil(len / group)).fill(0);
      kernels.absMax(regions.block, len, rows, group, regions.groups);
      measured = group;
    }
    kernels.errors(regions.block, len, rows, group, regions.groups, 4, 0, qmax, margin, noise);
  });
  for (const { row, signal, noise } of small) {
    totals[row] = signal;
    schemes.forEach((_, index) => {
      const at = (1 + index) * rows + row;
      totals[at] = noise(index, totals[at] ?? 0);
    });
  }
  [sums.signal, ...sums.noise].forEach((into, index) => {
    for (let row = 0; row < rows; row++) {
      into[channel + row] = (into[channel + row] ?? 0) + (totals[index * rows + row] ?? 0);
    }
  });
  sums.fastElements += rows * len;
}

/** Noise of one asymmetric scheme. The scales are the reference's own; only the rounding of elements is the kernels'. */
function addAsymmetric(
  { kernels, regions }: Pass,
  { rows, len }: Block,
  scheme: QuantScheme,
  index: number,
  tensor: Range,
  channelRanges: Float32Array,
): void {
  const { granularity } = scheme;
  const grouped = typeof granularity !== 'string';
  const group = grouped ? granularity.group : len;
  const scopes = granularity === 'tensor' ? 1 : rows * Math.ceil(len / group);
  const ranges = new Float32Array(kernels.memory.buffer, regions.ranges, 2 * scopes).fill(0);
  if (grouped) kernels.extremes(regions.block, len, rows, group, regions.ranges);
  else ranges.set(granularity === 'tensor' ? [tensor.min, tensor.max] : channelRanges);
  const quantizers = new Float32Array(kernels.memory.buffer, regions.quantizers, 4 * scopes);
  for (let scope = 0; scope < scopes; scope++) {
    const range = { min: ranges[2 * scope] ?? 0, max: ranges[2 * scope + 1] ?? 0 };
    const { scale, zeroPoint, codeMin, codeMax } = parametersFor(range, scheme);
    quantizers[4 * scope] = scale;
    quantizers[4 * scope + 1] = codeMin - zeroPoint;
    quantizers[4 * scope + 2] = codeMax - zeroPoint;
  }
  const noise = regions.sums + (1 + index) * rows * 8;
  const perRow = granularity === 'channel' ? 16 : 0;
  kernels.affineErrors(regions.block, len, rows, group, regions.quantizers, grouped ? 16 : 0, perRow, noise);
}

/** Σx² per channel goes to the block's sums, powers and extremes to the weight's. */
function addMoments({ kernels, regions, sums }: Pass, { rows, len }: Block): void {
  const { buffer } = kernels.memory;
  const absMax = new Float32Array(buffer, regions.absMax + 4, rows);
  const largest = absMax.reduce((most, one) => Math.max(most, one), 0);
  // The reciprocal of a unit below 2^-100 comes too close to what float32 holds.
  const unit = powerOfTwoUnit(Math.max(largest, 2 ** -100));
  const powers = new Float64Array(buffer, regions.powers, 4).fill(0);
  const extremes = new Float32Array(buffer, regions.extremes, 2);
  extremes.set([sums.min, sums.max]);
  kernels.moments(regions.block, len, rows, 1 / unit, regions.sums, regions.powers, regions.extremes);
  [sums.min, sums.max] = [extremes[0] ?? 0, extremes[1] ?? 0];
  powers.forEach((sum, index) => {
    sums.powers[index] = (sums.powers[index] ?? 0) + sum * unit ** (index + 1);
  });
  const signal = new Float64Array(buffer, regions.sums, rows);
  for (let row = 0; row < rows; row++) signal[row] = (signal[row] ?? 0) * unit * unit;
}
