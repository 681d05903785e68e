/**
 * The network that a calibration runs: the model with what it watches as outputs. What onnxruntime computes in its
 * blocked layout stays there: a convolution's output is reduced to one maximum per channel, or thinned out, by pooling
 * before anything is reordered. Everything small leaves in one output, because each costs more than reducing a tensor.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { removeDead } from '../graph/edit';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { cloneModel } from '../graph/walk';
import { type RuntimeTensor, runtimeTensor } from '../runtime/runtime-tensor';
import { GraphBuilder } from './reductions';

export interface CalibrationTap {
  /** Name of a value of the main graph. */
  readonly value: string;
  /** The value is float32; others are cast to it in the graph. */
  readonly float: boolean;
  /** Where it is known; [] where it is not. */
  readonly shape: readonly (number | string)[];
  /** Ends that are reduced in the graph: `largest` where the smallest value is known to be 0 or more. */
  readonly ends: 'none' | 'both' | 'largest';
  /** Rows and columns, or tokens, of which one is shown: [] shows all elements, undefined none. See {@link stridesFor}. */
  readonly strides: readonly number[] | undefined;
}

/** What a run shows of one tap. */
export interface ShownTap {
  /** Places of [smallest, largest] or [largest] in the packed output. */
  readonly ends: readonly number[];
  /** An output of its own; or where its share begins of what follows the ends in the packed output. */
  readonly elements: string | number | undefined;
  readonly share?: number;
}

export interface CalibrationTaps {
  readonly model: Model;
  /** Whether there is a packed output: all ends, and behind them all elements of the taps that have ends. */
  readonly packed: boolean;
  /** Ends, and the sum of all shares: elements of a tensor as its shape says. */
  readonly ends: number;
  readonly shares: number;
  /** In the order of the taps. */
  readonly shown: readonly ShownTap[];
}

/** Name of the packed output. */
export const PACKED = 'calibration/watched';

/** Channels that a block of the blocked layout has at most; other numbers of channels stay in rows. */
const BLOCK = 16;

/** Steps of a slice are inputs since version 10. */
export const STRIDED_SLICE = 10;

export interface TapOptions {
  /** The session will use the blocked layout. */
  readonly pooled: boolean;
  /** Shapes are those of every run but for the number of samples. */
  readonly fixed: boolean;
}

/**
 * The tapped copy of a model; what computes nothing that is watched is removed. A tensor should be looked at as soon as it
 * is there, while it is in cache, and then be freed. onnxruntime walks back from the last output, nodes of a higher
 * index first: what watches the first tensors is added last, and there is one output for all.
 */
export function calibrationTaps(
  model: Model,
  taps: readonly CalibrationTap[],
  options: TapOptions,
): CalibrationTaps {
  const copy = cloneModel(model);
  const { graph } = copy;
  graph.outputs.length = 0;
  const writer = new TapWriter(new GraphBuilder(graph, defaultOpset(copy)), options);
  const shown = taps
    .map((tap) => [tap, defined(graph.values.get(tap.value), `tapped value ${tap.value} exists`)] as const)
    .reverse()
    .map(([tap, value]) => writer.add(value, tap))
    .reverse();
  const packed = writer.finish();
  removeDead(graph);
  return { model: copy, shown, ...packed };
}

/**
 * Strides with which at most about `elements` of a tensor are left, [] where it need not or cannot be thinned out. Odd: a
 * step of two would see one phase only of what upsampling makes.
 * @param all elements over all samples.
 */
export function stridesFor(
  shape: readonly (number | string)[],
  all: number,
  elements: number,
): readonly number[] {
  const axes = stridedAxes(shape.length);
  const strides = axes.map(() => 1);
  // Rows first: a third is left before a ninth is.
  const canGrow = (at: number) => {
    const size = shape[axes[at] ?? 0];
    return typeof size !== 'number' || (strides[at] ?? 1) < size;
  };
  while (all * keptShare(shape, strides) > elements) {
    const least = Math.min(...strides.filter((_, at) => canGrow(at)));
    const at = strides.findIndex((stride, index) => stride === least && canGrow(index));
    if (at < 0) break;
    strides[at] = least + 2;
  }
  return thins(strides) ? strides : [];
}

/** Share of the elements that strides leave. */
export function keptShare(
  shape: readonly (number | string)[],
  strides: readonly number[] | undefined,
): number {
  if (strides === undefined) return 0;
  return stridedAxes(shape.length).reduce((share, axis, at) => {
    const size = shape[axis];
    const stride = strides[at] ?? 1;
    return share * (typeof size === 'number' && size > 0 ? Math.ceil(size / stride) / size : 1 / stride);
  }, 1);
}

/** Whether strides leave elements out. */
export function thins(strides: readonly number[]): boolean {
  return strides.some((stride) => stride > 1);
}

/** What one run told of a tap: its ends, and its elements where they were fetched. */
export function readTap(
  { ends, shares }: CalibrationTaps,
  tap: ShownTap,
  values: Readonly<Record<string, RuntimeTensor>>,
  samples: number,
): { readonly ends: readonly number[]; readonly elements: RuntimeTensor | undefined } {
  const packed = values[PACKED]?.data;
  const found = tap.ends.map((at) => Number(packed?.[at]));
  if (typeof tap.elements === 'string') return { ends: found, elements: values[tap.elements] };
  if (tap.elements === undefined || !(packed instanceof Float32Array))
    return { ends: found, elements: undefined };
  // Samples per run, whatever the shapes counted with.
  const times = (packed.length - ends) / shares;
  const [from, to] = [ends + times * tap.elements, ends + times * (tap.elements + (tap.share ?? 0))];
  const data = packed.subarray(from, to);
  return { ends: found, elements: runtimeTensor('float32', [samples, data.length / samples], data) };
}

/** Rows and columns of images, tokens of sequences, features where there is nothing else. */
function stridedAxes(rank: number): readonly number[] {
  if (rank === 4) return [2, 3];
  if (rank === 5) return [2, 3, 4];
  return rank === 2 || rank === 3 ? [1] : [];
}

class TapWriter {
  /** All of size 1. */
  private readonly ends: Value[] = [];
  /** Each laid flat. */
  private readonly parts: Value[] = [];
  private shares = 0;

  constructor(
    private readonly builder: GraphBuilder,
    private readonly options: TapOptions,
  ) {}

  add(value: Value, { float, shape, ends, strides }: CalibrationTap): ShownTap {
    const { builder, options } = this;
    const real = float ? value : builder.float(`${value.name}/float`, value);
    const blocked = options.pooled && float && isBlocked(value, shape);
    const ops = { none: [], both: ['ReduceMin', 'ReduceMax'], largest: ['ReduceMax'] } as const;
    // A smallest value asks for the rows in order, and then they serve both.
    const pool = blocked && ends === 'largest';
    const from = pool ? builder.node('GlobalMaxPool', `${value.name}/channels`, [real]) : real;
    const reduced = ops[ends].map((op) => this.end(op, `${value.name}/${op}`, from, shape.length));
    if (strides === undefined) return { ends: reduced, elements: undefined };
    const shown = this.elements(real, value.name, shape.length, strides, blocked);
    const share = thinnedSize(shape, strides);
    if (ends === 'none' || !options.fixed || share === undefined)
      return { ends: reduced, elements: builder.output(shown) };
    this.parts.push(builder.reshape(`${value.name}/flat`, shown, [-1, 1, 1, 1]));
    this.shares += share;
    return { ends: reduced, elements: this.shares - share, share };
  }

  /** Makes the packed output. */
  finish(): Pick<CalibrationTaps, 'packed' | 'ends' | 'shares'> {
    const { builder, ends, parts, shares } = this;
    const all = [...ends, ...parts];
    if (all.length > 0) builder.output(builder.node('Concat', PACKED, all, { axis: 0 }));
    return { packed: all.length > 0, ends: ends.length, shares };
  }

  /** Of four axes, as most tensors of networks with many of them have. */
  private end(op: string, name: string, value: Value, rank: number): number {
    const { builder } = this;
    const end = builder.node(op, name, [value], { keepdims: 1 });
    return this.ends.push(rank === 4 ? end : builder.reshape(`${name}/end`, end, [1, 1, 1, 1])) - 1;
  }

  private elements(
    real: Value,
    name: string,
    rank: number,
    strides: readonly number[],
    blocked: boolean,
  ): Value {
    const { builder } = this;
    if (thins(strides) && blocked) {
      return builder.node('MaxPool', `${name}/thinned`, [real], {}, { kernel_shape: [1, 1], strides });
    }
    const axes = stridedAxes(rank);
    if (thins(strides) && builder.opset >= STRIDED_SLICE) {
      const every = (one: number) => builder.integers(axes.map(() => one));
      const bounds = [
        every(0),
        every(Number.MAX_SAFE_INTEGER),
        builder.integers(axes),
        builder.integers(strides),
      ];
      return builder.node('Slice', `${name}/thinned`, [real, ...bounds]);
    }
    // A graph input cannot be an output at the same time.
    return real.producer ? real : builder.node('Identity', `${name}/copy`, [real]);
  }
}

/** Elements that strides leave of a shape of numbers. */
function thinnedSize(shape: readonly (number | string)[], strides: readonly number[]): number | undefined {
  const axes = stridedAxes(shape.length);
  const size = shape.reduce<number>((product, one, axis) => {
    const at = axes.indexOf(axis);
    return product * Math.ceil(Number(one) / ((at < 0 ? undefined : strides[at]) ?? 1));
  }, 1);
  return shape.length > 0 && Number.isInteger(size) && size > 0 ? size : undefined;
}

/** Operators that compute in the blocked layout; the others of the second list do where their inputs are. */
const BLOCKED = ['Conv', 'MaxPool', 'AveragePool', 'GlobalAveragePool', 'GlobalMaxPool'];
const KEEPING = ['Relu', 'Clip', 'Sigmoid', 'Tanh', 'LeakyRelu', 'HardSigmoid', 'Add', 'Sum', 'Mul'];

/** How far back is looked for a convolution. */
const STEPS = 4;

/** Whether a value is likely to be computed in the blocked layout of onnxruntime's convolutions. */
function isBlocked(
  { producer, elementType }: Value,
  shape: readonly (number | string)[],
  steps = STEPS,
): boolean {
  const channels = shape[1];
  if (shape.length !== 4 || typeof channels !== 'number' || channels % BLOCK !== 0) return false;
  if (!producer || (elementType !== 0 && elementType !== DataTypeCode.float)) return false;
  if (BLOCKED.includes(producer.op)) return true;
  if (!KEEPING.includes(producer.op) || steps === 0) return false;
  const input = producer.input(0);
  return input !== undefined && isBlocked(input, shape, steps - 1);
}
