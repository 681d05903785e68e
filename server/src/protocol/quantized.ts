/** What a model that is quantized already tells of itself, with or without data. Plain data only. */
import type { Decibel, OutputPart, TargetName } from './reports';
import type { UnfusedReason } from './unfused';

/** What codes and scales of an already quantized layer tell, with or without data. */
export interface QuantizedLayerFacts {
  /** How it is written in the file. */
  readonly form: 'qdq' | 'qoperator' | 'matmul-n-bits' | 'blocked-qdq' | 'dynamic';
  readonly weightBits: number;
  readonly weightSigned: boolean;
  /** Codes are numbers of this small float type (`float8e4m3fn`): what follows of integer codes is 0. */
  readonly weightFloat?: string;
  /** So is the activation it reads. */
  readonly inputFloat?: string;
  readonly granularity: 'tensor' | 'channel' | 'group';
  readonly groupSize?: number;
  /** Distinct weight codes that occur, of 2^bits. */
  readonly codesUsed: number;
  /** exp(entropy of the codes): levels that do work. */
  readonly effectiveLevels: number;
  /** Share of weight codes at the two ends of the range. */
  readonly saturatedShare: number;
  readonly zeroPointNonZero: boolean;
  /** Output channels whose scale is 0, subnormal or not finite. */
  readonly badScales: number;
  /** Largest channel scale divided by the smallest; 1 for one scale. */
  readonly scaleSpread: number;
  /** Largest Σ|w_q|·q_max over output channels, against 2^31−1. */
  readonly accumulatorPeak: number;
  /** Largest 255·|w1 + w2| over adjacent codes along the reduction, against 32767 (VPMADDUBSW). */
  readonly pairSumPeak?: number;
  /** Largest |bias scale / (input scale · weight scale) − 1| and bias codes at the int32 ends. */
  readonly bias?: { readonly scaleError: number; readonly saturated: number };
  /** True when onnxruntime runs it as an integer operator at its full optimisation level. */
  readonly fused?: boolean;
  /** Measured on data, of the input activation's quantizer. */
  readonly input?: {
    /** Share of real numbers more than half a step outside the range; missing where only codes are known. */
    readonly clippedShare?: number;
    /** Share of codes at the ends, cut off or not. */
    readonly endsShare: number;
    /** Distinct codes that occur, of `levels`. */
    readonly codesUsed: number;
    readonly levels: number;
  };
  /** Quantizer of the activation this layer reads; missing = it reads real numbers. */
  readonly inputQuantizer?: ActivationQuantizer;
  /** Smallest and largest weight code. */
  readonly lowestCode: number;
  readonly highestCode: number;
  /** Zero points of the channels or groups are not all the same. */
  readonly zeroPointsDiffer: boolean;
  /** Weight scales below zero. */
  readonly negativeScales: number;
  /** Zero points that are no integers: the real number 0 has no code. */
  readonly fractionalZeroPoints: number;
  /** Elements of one output channel, over which a group runs. */
  readonly reduction: number;
  /** Codes that a channel's largest weight is away from zero: of the median channel, and of the one that uses least. */
  readonly reach: {
    readonly median: number;
    readonly least: number;
    readonly channel: number;
    /** Channels that use less than an eighth of the codes, all-zero ones left out, of `channels`. */
    readonly narrow?: number;
    readonly channels?: number;
  };
  /** The activation function behind the layer is no node of its own: its output quantizer clips in its place. */
  readonly clippedBy?: { readonly min: number; readonly max: number };
  /** Against the float original, when there is one: dB of the weight as stored, and its worst channel. */
  readonly weightSqnr?: Decibel;
  readonly worstChannel?: { readonly channel: number; readonly sqnr: Decibel };
}

/** How an activation is quantized in a file. */
export interface ActivationQuantizer {
  readonly tensor: string;
  readonly bits: number;
  readonly signed: boolean;
  /** null where it is computed at run time. */
  readonly scale: number | null;
  readonly zeroPoint: number | null;
}

/** What the graph of an already quantized model tells as a whole; from its structure and scales alone. */
export interface QuantizedModelFacts {
  /** The runtime whose own operators the file uses; missing = any. */
  readonly target?: TargetName;
  /** QuantizeLinear nodes on activations. */
  readonly quantizers: number;
  /** Quantizers between an operator and the activation function that belongs to it. */
  readonly separated: readonly { readonly node: string; readonly op: string; readonly activation: string }[];
  /** Operators that join operands of different scale. */
  readonly operands: readonly {
    readonly node: string;
    readonly op: string;
    /** One per operand, in order. */
    readonly scales: readonly number[];
    /** Layers that read the result, behind quantizers, moves and activation functions. */
    readonly readers?: readonly string[];
  }[];
  /** Tensors on which the real number 0 does not come back as 0. */
  readonly zeros: readonly {
    readonly node: string;
    readonly tensor: string;
    /** What 0 becomes. */
    readonly becomes: number;
    readonly because: 'pair' | 'padding';
  }[];
  /** From the runtime's optimised graph: what stays float although it stands between quantizers. */
  readonly unfused?: readonly UnfusedNode[];
  /** QuantizeLinear and DequantizeLinear nodes on activations that stay in the runtime's optimised graph. */
  readonly conversions?: number;
  /** At the model output: the file as onnxruntime runs it here against the same file operator by operator; on data. */
  readonly deployed?: OutputPart;
}

export interface UnfusedNode {
  readonly node: string;
  readonly op: string;
  readonly layer?: string;
  readonly reason: UnfusedReason;
}
