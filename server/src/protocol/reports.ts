/**
 * Report types that cross processes and are printed as JSON (design contract: report). Plain data only.
 * dB means 10·log10(Σx²/Σe²) over all samples and elements, clamped to ±120; `null` = undefined.
 */
import type { Issue } from './issues';
import type { QuantizedLayerFacts, QuantizedModelFacts } from './quantized';
import type { AttentionOrder, RemedyGain } from './remedies';

export type { ActivationQuantizer, QuantizedLayerFacts, QuantizedModelFacts, UnfusedNode } from './quantized';
export type { UnfusedReason } from './unfused';

export type Decibel = number | null;

/** Runtimes that files are made for. */
export type TargetName = 'ort-cpu';

/** Weight format names always present in `weightSqnr`. */
export const standardWeightFormats = [
  'int2.tensor',
  'int3.tensor',
  'int4.tensor',
  'int8.tensor',
  'int2.channel',
  'int3.channel',
  'int4.channel',
  'int8.channel',
  'int4.group32',
  'int4.group128',
] as const;

export interface ModelSummary {
  readonly path: string;
  readonly format: 'onnx' | 'onnxtxt' | 'safetensors' | 'gguf';
  /** Version of the default operator set; null outside ONNX or when the file states none. */
  readonly opset: number | null;
  readonly opsets?: Readonly<Record<string, number>>;
  readonly irVersion?: number;
  readonly producer?: string;
  /** Elements of all weights (initializers and Constant outputs; each counted once). */
  readonly params: number;
  /** Bytes of the file and of the external data it points to. */
  readonly bytes: number;
  /** Multiply-accumulates per sample; null when a shape stays unknown, then `macsReason` says which. */
  readonly macs: number | null;
  readonly macsReason?: string;
  readonly inputs: readonly ValueSummary[];
  readonly outputs: readonly ValueSummary[];
  readonly nodes: number;
  /** Node count per operator type, domain-prefixed outside ai.onnx. */
  readonly ops: Readonly<Record<string, number>>;
  /** SHA-256 of content, external data included; only on request. */
  readonly fingerprint?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

export interface ValueSummary {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (number | string | null)[] | null;
}

export type Basis = 'estimated' | 'measured';
export type Execution = 'simulated' | 'deployed';

/** Figures beside an SQNR, because each of them alone has a blind spot (cosine a gain, Pearson gain and offset). */
export interface ErrorMetrics {
  /** Mean of (x − x̂)². */
  readonly mse: number | null;
  readonly cosine: number | null;
  /** ‖x̂‖ / ‖x‖; 1 = no gain error. */
  readonly normRatio: number | null;
  /** mean(x̂ − x) / std(x) over all elements; 0 = unbiased. */
  readonly meanShift: number | null;
  /** At model outputs that are class scores only: mean KL(softmax x ‖ softmax x̂) in nats. */
  readonly kl?: number | null;
  /** Largest |E(x̂ − x)| / std(x) over output channels, and its channel. */
  readonly channelShift?: { readonly channel: number; readonly shift: number };
  /** dB that subtracting every channel's mean error gains here, exact from the channel means. */
  readonly biasCorrectionGain?: number;
}

export interface LayerReport {
  readonly name: string;
  /** Node name, or `OpType_index` where the file has none. */
  readonly node: string;
  readonly op: string;
  /** Initializer (or Constant output) name. */
  readonly weight: string;
  readonly shape: readonly number[];
  readonly params: number;
  readonly bytes: number;
  readonly macs: number | null;
  readonly dataType: string;
  readonly depthwise?: boolean;
  /** A table whose rows are picked by indices: it reads no activation that could be quantized. */
  readonly lookup?: boolean;
  readonly weightSqnr?: Readonly<Record<string, Decibel>>;
  readonly weightRange?: { readonly min: number; readonly max: number };
  /** As `weightSqnr`, errors weighted with the mean square of the activation that each input column meets (imatrix). */
  readonly importanceSqnr?: Readonly<Record<string, Decibel>>;
  readonly local?: Readonly<Record<string, Decibel>>;
  readonly localWeights?: Readonly<Record<string, Decibel>>;
  readonly localActivations?: Readonly<Record<string, Decibel>>;
  readonly cumulative?: Readonly<Record<string, Decibel>>;
  /** The whole configuration with only its weights, or only its activations, quantized. */
  readonly cumulativeWeights?: Readonly<Record<string, Decibel>>;
  readonly cumulativeActivations?: Readonly<Record<string, Decibel>>;
  readonly outputEffect?: Readonly<Record<string, Decibel>>;
  /** Where an output effect stands: `estimated` from noise gains until a segment measured it. Missing = measured. */
  readonly outputEffectBasis?: Readonly<Record<string, Basis>>;
  /** Of the local comparison, per scheme. */
  readonly metrics?: Readonly<Record<string, ErrorMetrics>>;
  readonly cumulativeMetrics?: Readonly<Record<string, ErrorMetrics>>;
  /** Of a layer that is quantized already: what its codes and scales tell without the float original. */
  readonly quantized?: QuantizedLayerFacts;
  /** Of the activation this layer reads and the output it makes; measured on data. */
  readonly activation?: ActivationFacts;
  /** How unevenly the channels of that activation fill its range. */
  readonly inputChannels?: InputChannels;
  readonly facts?: LayerFacts;
  /** What the layer may become, per target; an empty list = it stays float. Absent for quantized layers. */
  readonly becomes?: Readonly<Record<string, readonly Becoming[]>>;
  readonly issues: readonly string[];
}

/** One form in which a target takes a layer's weight. */
export interface Becoming {
  /**
   * `integer`: Q/DQ around the operator that fuse into an integer kernel · `qoperator`: that kernel written out ·
   * `blocks`: codes with a scale per block, float activations · `dynamic`: activations quantized while it runs ·
   * `dequantized`: codes in the file, computed in float.
   */
  readonly form: 'integer' | 'qoperator' | 'blocks' | 'dynamic' | 'dequantized';
  /** Operator it turns into; absent when it stays the same. */
  readonly operator?: string;
  readonly weightBits: readonly number[];
  /** Whether `quantize` writes this form. */
  readonly written: boolean;
}

/** Of one activation tensor, measured on data. */
export interface ActivationFacts {
  readonly tensor: string;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
  /** 99.99th percentile of |x|, from a histogram. */
  readonly p9999: number;
  /** Share of elements outside the planned range. */
  readonly clippedShare?: number;
  /** exp(entropy of the codes) of the values that are not exactly 0 under the planned range, and its number of levels. */
  readonly effectiveLevels?: number;
  readonly levels?: number;
  /** Standard deviation over batches of the batch range, divided by its mean. */
  readonly rangeVariation?: number;
  /** Largest standard deviation over one sample divided by the smallest; samples without any variation are left out. */
  readonly sampleSpread?: number;
}

/** Channels of the activation that a layer reads, by their largest magnitude; measured on data. */
export interface InputChannels {
  readonly count: number;
  /** The widest over all samples, its magnitude, and that of the median channel; channels of zeros are left out. */
  readonly widest: number;
  readonly peak: number;
  readonly median: number;
  /** Share of the samples (without axes of space: of the batches) in which it is the widest. */
  readonly share: number;
}

/** Activations that an operator joins into one tensor, which layers are planned to read through one quantizer. */
export interface JoinedActivations {
  readonly node: string;
  readonly op: string;
  /** Layers that read the result. */
  readonly readers: readonly string[];
  /** As they were calibrated. */
  readonly operands: readonly (ActivationRange & { readonly tensor: string })[];
}

/** Equal-width bins over [min, max] of two versions of one tensor. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  /** Counts of the float and the quantized tensor. */
  readonly float: readonly number[];
  readonly quantized: readonly number[];
}

/** Distributions of one layer before and after quantization, and its channels by error. */
export interface LayerDetail {
  readonly name: string;
  readonly weight?: Histogram;
  /** Layer output on the data, float against quantized (cumulative). */
  readonly output?: Histogram;
  /** Output channels, worst first; at most 32. */
  readonly channels: readonly {
    readonly channel: number;
    readonly weightSqnr: Decibel;
    readonly outputSqnr?: Decibel;
    readonly floatRange: readonly [number, number];
  }[];
}

/** What the findings need to know of one layer's weight; measured on the weight itself, no data involved. */
export interface LayerFacts {
  /** Output channels. */
  readonly channels: number;
  /** Largest channel range divided by the median channel's, after BatchNormalization folding where one follows. */
  readonly channelSpread: number;
  readonly widestChannel: number;
  /** Lowest channel SQNR in dB under one int8 scale for the whole tensor, and its channel. */
  readonly worstChannelSqnr: Decibel;
  readonly worstChannel: number;
  /** dB of the weight as it will be quantized (BatchNormalization folded): int8 per tensor / per channel, int4 per channel. */
  readonly folded: Readonly<Record<'int8.tensor' | 'int8.channel' | 'int4.tensor' | 'int4.channel', Decibel>>;
  /** Channels whose weights are all zero; at most 64 are listed. */
  readonly deadChannels: readonly number[];
  readonly notFinite: number;
  readonly batchNorm?: {
    readonly node: string;
    /** max over channels of |γ/σ| divided by the median. */
    readonly gammaSpread: number;
    readonly channel: number;
    /** Kurtosis of W before and after folding. */
    readonly kurtosisBefore: number;
    readonly kurtosisAfter: number;
  };
  /** An element more than 1000 times the median magnitude of its channel: `lost` others of `of` are 0 at 8 bits. */
  readonly element?: {
    readonly channel: number;
    readonly value: number;
    readonly ratio: number;
    readonly lost: number;
    readonly of: number;
  };
  /** An input column of a matrix far above the median one; dB with a scale per channel and per group of 32. */
  readonly column?: {
    readonly index: number;
    readonly ratio: number;
    readonly groups: Readonly<Record<'int8' | 'int4', { readonly before: Decibel; readonly after: Decibel }>>;
  };
  /** Upper bound of a Clip that follows the layer (6 for ReLU6). */
  readonly clipMaximum?: number;
  /** Operator that makes the activation the layer reads, seen through operators that only move data. */
  readonly inputFrom?: string;
}

export interface OutputReport {
  readonly sqnr: Decibel;
  readonly topOneAgreement: number | null;
  /** dB without every element's mean over the samples, from 8 samples on: what differs between samples. */
  readonly varying?: Decibel;
  readonly execution: Execution;
  readonly basis?: Basis;
  readonly metrics?: ErrorMetrics;
  /** The scheme asks for integer activations, and none could be had: the figures are those of the weights. */
  readonly activations?: 'float';
  /** The same with only the weights, or only the activations, quantized. */
  readonly weightsOnly?: OutputPart;
  readonly activationsOnly?: OutputPart;
  /** With only what belongs to layers quantized, their weights and inputs; missing where there is nothing between them. */
  readonly layersOnly?: OutputPart;
  /** Beside a simulated figure: the file as onnxruntime runs it on this machine, with all optimisations. */
  readonly deployed?: OutputPart;
  /** Beside a deployed figure: the file operator by operator as it is written, nothing fused. */
  readonly simulated?: OutputPart;
  /** Whether the layers' output effects add up. */
  readonly additivity?: Additivity;
  /** The layers that alone move the output most, loudest first; found by halving suspects. */
  readonly worst?: readonly { readonly layer: string; readonly sqnr: Decibel; readonly samples: number }[];
  /**
   * R² of output noise as a sum of layers' effects over a design of switched runs, adjusted for its parameters, and
   * its standard error over the samples.
   */
  readonly separability?: {
    readonly rSquared: number;
    readonly error?: number;
    readonly runs: number;
    readonly groups: number;
  };
}

/** Part of a configuration, or another way to run it, at the model output. */
export interface OutputPart {
  readonly sqnr: Decibel;
  readonly topOneAgreement: number | null;
  readonly varying?: Decibel;
}

/** What the sum of the layers' output effects predicts for the whole configuration, against its own measurement. */
export interface Additivity {
  /** From the output effects of single layers: their weights and inputs. */
  readonly predicted: Decibel;
  /** The same of all layers at once: `layersOnly`, or the whole where nothing else is quantized. */
  readonly measured: Decibel;
  /** Predicted noise power divided by the measured one; 1 = effects add up. */
  readonly ratio: number;
  /** Standard error of the ratio over batches of samples; missing where there is only one. */
  readonly error?: number;
  /** `estimated` while one of the effects is. */
  readonly basis: Basis;
}

export interface DataReport {
  readonly source: string;
  readonly samples: number;
  /** Set when no user data was involved: how ranges were made. */
  readonly noData?: 'batch-norm' | 'noise';
  /** Of the activation ranges, once findings were judged by them. */
  readonly estimator?: string;
}

/** An issue with its words, as reports print it. */
export interface ReportedIssue {
  readonly code: string;
  readonly severity: string;
  readonly layer?: string;
  /** Node that it is about, where that is no layer. */
  readonly node?: string;
  readonly message: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly fixes: readonly FixKind[];
}

export type FixKind =
  | 'quantize-int4'
  | 'quantize-int8'
  | 'keep-float'
  | 'per-channel-weights'
  | 'fold-batchnorm'
  | 'weights-8-bit'
  | 'activations-8-bit'
  | 'activations-16-bit'
  | 'asymmetric-activations'
  | 'estimator-mse';

export interface AnalysisReport {
  readonly model: ModelSummary;
  readonly data: DataReport | null;
  readonly layers: readonly LayerReport[];
  readonly output?: Readonly<Record<string, OutputReport>>;
  readonly remedies?: readonly RemedyGain[];
  /** What is joined in front of layers whose activations a measured scheme quantizes. */
  readonly joined?: readonly JoinedActivations[];
  readonly attention?: readonly AttentionOrder[];
  /** Of a model that is quantized already. */
  readonly quantization?: QuantizedModelFacts;
  readonly issues: readonly Issue[];
}

/** Activation range of one tensor; real-valued bounds after the estimator's clipping. */
export interface ActivationRange {
  readonly min: number;
  readonly max: number;
}

/** Content of a ranges file (`calibrate -o R.json`). */
export interface RangesFile {
  readonly version: 1;
  readonly model: { readonly path: string; readonly fingerprint: string };
  readonly data: {
    readonly source: string;
    readonly fingerprint: string;
    readonly samples: number;
    readonly noData?: 'batch-norm' | 'noise';
    /** Set when calibration stopped because more samples no longer moved the ranges: samples there were, share allowed. */
    readonly stable?: { readonly of: number; readonly share: number };
  };
  readonly estimator: string;
  readonly preprocessing: PreprocessingSpec;
  readonly seed: number;
  /** Keyed by tensor name in the model after BatchNormalization folding. */
  readonly ranges: Readonly<Record<string, ActivationRange>>;
  /**
   * Estimator `cosine` only: by layer, the scale of the int8 weight that it chose with the range, as a share of
   * max|w| / 127 of every output channel.
   */
  readonly weightRatios?: Readonly<Record<string, number>>;
  /** Distributions behind the ranges, by the name of the tensor that was observed. */
  readonly stats?: Readonly<Record<string, ActivationFacts>>;
}

/** What happens to a picture before the network: value = (pixel · scale − mean) / std. Missing = default. */
export interface PreprocessingSpec {
  readonly scale?: number;
  /** In the order of the network's input channels; one number holds for all. */
  readonly mean?: readonly number[];
  readonly std?: readonly number[];
  /** Shorter side in pixels. */
  readonly resize?: number;
  /** Centre crop in pixels. */
  readonly crop?: number;
  /** Layout of the model input. */
  readonly layout?: 'nchw' | 'nhwc';
  readonly color?: 'rgb' | 'bgr';
}

/** Where calibration or evaluation samples come from. */
export interface DataSpec {
  /** Path, `random`, or `none` (ranges from BatchNormalization statistics, else 16 seeded noise samples). */
  readonly source: string;
  /** First N in sorted order; undefined = all. */
  readonly samples?: number;
  readonly seed: number;
  readonly preprocessing: PreprocessingSpec;
  /** Bindings of symbolic dimensions. */
  readonly dimensions: Readonly<Record<string, number>>;
}

export interface EvaluationReport {
  readonly top1: number | null;
  readonly top5: number | null;
  readonly samples: number;
  readonly agreement: number | null;
  /** Nats. */
  readonly crossEntropy: number | null;
  readonly sqnr: Decibel;
  readonly varying?: Decibel;
  readonly cosine: number | null;
  /** The same figures of the model it was compared with. */
  readonly reference?: {
    readonly top1: number | null;
    readonly top5: number | null;
    readonly crossEntropy: number | null;
  };
  readonly issues: readonly Issue[];
}

/** What `quantize` did and how the written file compares with the float model. */
export interface QuantizeReport {
  readonly output: string;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly scheme: string;
  readonly layers: readonly PlannedLayer[];
  /** Of the activation ranges; missing where none were needed. */
  readonly estimator?: string;
  readonly verification: OutputReport & { readonly samples: number; readonly data: string };
  /** One forward at batch 1, milliseconds, same threads: float, quantized. */
  readonly latency?: { readonly float: number; readonly quantized: number };
  readonly issues: readonly Issue[];
}

/** What `encodings` wrote. */
export interface EncodingsReport {
  readonly output: string;
  readonly format: string;
  /** Tensors of either kind. */
  readonly activations: number;
  readonly weights: number;
  readonly bytes: number;
  readonly issues: readonly Issue[];
}

/** One line of the quantization plan. */
export interface PlannedLayer {
  readonly name: string;
  readonly weights: string;
  readonly activations: string;
  /** Bytes as stored, and with exact bit width. */
  readonly bytes: number;
  readonly bytesIdeal: number;
  readonly weightSqnr: Decibel;
}
