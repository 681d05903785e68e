/**
 * The network that a calibration runs: the model with what it watches as outputs. What onnxruntime computes in its
 * blocked layout stays there: a convolution's output is reduced to one maximum per channel, or thinned out, by pooling
 * before anything is reordered. All extremes leave in one tensor per rank, because each output costs more than a
 * reduction of a small tensor. Measured on ResNet-20: 1.3 plain runs became 1.15.
 */
import { DataTypeCode } from '../base/dtype';
import { defined } from '../base/invariant';
import { removeDead } from '../graph/edit';
import { defaultOpset, type Model, type Value } from '../graph/ir';
import { cloneModel } from '../graph/walk';
import type { RuntimeTensor } from '../runtime/runtime-tensor';
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
  /**
   * Rows, columns or tokens of which one is shown: 1 shows all elements, undefined none. Odd, see {@link strideFor}.
   */
  readonly stride: number | undefined;
}

/** Where a run's outputs hold an end: the largest, or smallest, of a few numbers. */
interface End {
  readonly output: string;
  readonly from: number;
  readonly to: number;
}

/** What a run shows of one tap. */
export interface ShownTap {
  /** [smallest, largest], [largest] or nothing. */
  readonly ends: readonly End[];
  readonly elements: string | undefined;
}

export interface CalibrationTaps {
  readonly model: Model;
  /** Outputs that hold ends. */
  readonly ends: readonly string[];
  /** In the order of the taps. */
  readonly shown: readonly ShownTap[];
}

/** Channels that a block of the blocked layout has at most; other numbers of channels stay in rows. */
const BLOCK = 16;

/** Steps of a slice are inputs since version 10. */
export const STRIDED_SLICE = 10;

/** The tapped copy of a model; what computes nothing that is watched is removed. */
export function calibrationTaps(
  model: Model,
  taps: readonly CalibrationTap[],
  pooled: boolean,
): CalibrationTaps {
  const copy = cloneModel(model);
  const { graph } = copy;
  graph.outputs.length = 0;
  const writer = new TapWriter(new GraphBuilder(graph, defaultOpset(copy)), pooled);
  const shown = taps.map((tap) =>
    writer.add(defined(graph.values.get(tap.value), `tapped value ${tap.value} exists`), tap),
  );
  const ends = writer.finish();
  removeDead(graph);
  return { model: copy, ends, shown };
}

/**
 * Stride with which about `elements` of a tensor are left, 1 where it cannot be thinned out. Odd: a step of two would see
 * one phase only of what upsampling makes.
 * @param all elements over all samples.
 */
export function strideFor(shape: readonly (number | string)[], all: number, elements: number): number {
  const axes = stridedAxes(shape.length).length;
  if (axes === 0 || all <= elements) return 1;
  const stride = Math.ceil((all / elements) ** (1 / axes));
  return stride + 1 - (stride % 2);
}

/** Share of the elements that a stride leaves. */
export function keptShare(shape: readonly (number | string)[], stride: number | undefined): number {
  if (stride === undefined) return 0;
  return stridedAxes(shape.length).reduce((share, axis) => {
    const size = shape[axis];
    return share * (typeof size === 'number' && size > 0 ? Math.ceil(size / stride) / size : 1 / stride);
  }, 1);
}

/** The number that an end stands for: NaN where one of them is. */
export function endOf(values: Readonly<Record<string, RuntimeTensor>>, { output, from, to }: End): number {
  const data = values[output]?.data;
  let largest = Number(data?.[from]);
  for (let at = from + 1; at < to; at++) largest = Math.max(largest, Number(data?.[at]));
  return largest;
}

/** Rows and columns of images, tokens of sequences, features where there is nothing else. */
function stridedAxes(rank: number): readonly number[] {
  if (rank === 4) return [2, 3];
  return rank === 2 || rank === 3 ? [1] : [];
}

class TapWriter {
  /** Ends by rank, all of size 1. */
  private readonly byRank = new Map<number, Value[]>();
  /** Maxima per channel, and how many channels they have together. */
  private readonly pools: Value[] = [];
  private channels = 0;

  constructor(
    private readonly builder: GraphBuilder,
    private readonly pooled: boolean,
  ) {}

  add(value: Value, { float, shape, ends, stride }: CalibrationTap): ShownTap {
    const { builder } = this;
    const real = float ? value : builder.float(`${value.name}/float`, value);
    const blocked = this.pooled && float && isBlocked(value, shape);
    const ops = { none: [], both: ['ReduceMin', 'ReduceMax'], largest: ['ReduceMax'] } as const;
    // A smallest value asks for the rows in order, and then they serve both.
    const reduced =
      blocked && ends === 'largest'
        ? [this.pooledEnd(builder.node('GlobalMaxPool', `${value.name}/channels`, [real]), shape)]
        : ops[ends].map((op) =>
            this.end(builder.node(op, `${value.name}/${op}`, [real], { keepdims: 1 }), shape.length),
          );
    if (stride === undefined) return { ends: reduced, elements: undefined };
    const shown = this.elements(real, value.name, shape.length, stride, blocked);
    return { ends: reduced, elements: builder.output(shown) };
  }

  /** Joins the ends. */
  finish(): readonly string[] {
    const { builder, pools } = this;
    const joined = [...this.byRank].map(([rank, values]) =>
      builder.node('Concat', endsOf(rank), values, { axis: 0 }),
    );
    if (pools.length > 0) {
      // Joined where they are still in blocks, then over samples.
      const all = builder.node('Concat', 'calibration/channels', pools, { axis: 1 });
      joined.push(builder.reduce('ReduceMax', CHANNELS, all, [0, 2, 3]));
    }
    return joined.map((value) => builder.output(value));
  }

  private pooledEnd(value: Value, shape: readonly (number | string)[]): End {
    this.pools.push(value);
    const from = this.channels;
    this.channels += Number(shape[1]);
    return { output: CHANNELS, from, to: this.channels };
  }

  private end(value: Value, rank: number): End {
    // Of unknown rank everything is laid flat.
    const known = Math.max(rank, 1);
    const flat = rank > 0 ? value : this.builder.reshape(`${value.name}/flat`, value, [1]);
    const values = this.byRank.get(known) ?? [];
    this.byRank.set(known, values);
    const to = values.push(flat);
    return { output: endsOf(known), from: to - 1, to };
  }

  private elements(real: Value, name: string, rank: number, stride: number, blocked: boolean): Value {
    const { builder } = this;
    if (stride > 1 && blocked) {
      const size = { kernel_shape: [1, 1], strides: [stride, stride] };
      return builder.node('MaxPool', `${name}/thinned`, [real], {}, size);
    }
    const axes = stridedAxes(rank);
    if (stride > 1 && axes.length > 0 && builder.opset >= STRIDED_SLICE) {
      const every = (one: number) => builder.integers(axes.map(() => one));
      const bounds = [every(0), every(Number.MAX_SAFE_INTEGER), builder.integers(axes), every(stride)];
      return builder.node('Slice', `${name}/thinned`, [real, ...bounds]);
    }
    // A graph input cannot be an output at the same time.
    return real.producer ? real : builder.node('Identity', `${name}/copy`, [real]);
  }
}

const CHANNELS = 'calibration/ends';

const endsOf = (rank: number): string => `calibration/ends${rank}`;

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
