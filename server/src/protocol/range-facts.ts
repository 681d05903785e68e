/** Facts of findings on the ranges of activations. */
import type { Measured } from './issues';

export interface RangeFacts {
  M05: Measured & {
    readonly op: string;
    /** Largest scale divided by the smallest. */
    readonly ratio: number;
    readonly bitsLost: number;
    readonly scales: readonly number[];
    /** Of a plan: what is joined in front of the layer. Missing = found in a file. */
    readonly planned?: {
      readonly node: string;
      readonly finest: string;
      readonly widest: string;
      readonly bits: number;
      /** dB at the layer from its activation alone. */
      readonly sqnr?: number;
    };
    /** Of a file. */
    readonly stored?: {
      /** The operator only arranges values: its operands can share a scale. */
      readonly shares: boolean;
      /** dB that is left where it was measured: at the layer behind, from its activation alone; else at the output. */
      readonly cost?: { readonly at: 'layer' | 'output'; readonly sqnr: number };
      /** All operators that this holds for, this one first, where there are several. */
      readonly names?: readonly string[];
    };
  };
  M14: Measured & {
    readonly clippedShare?: number;
    /** max |x| over the 99.99th percentile of |x|. */
    readonly peakRatio: number;
    readonly peak: number;
    readonly p9999: number;
    /** The range stands in a file that is quantized already. */
    readonly inFile: boolean;
    /** Ranges are, or will be, estimated by error already. */
    readonly byError: boolean;
    /** dB at the layer from its activation alone. */
    readonly sqnr?: number;
    /** One channel is the widest wherever one looks. */
    readonly channel?: {
      readonly index: number;
      readonly of: number;
      /** Its largest magnitude over that of the median channel. */
      readonly ratio: number;
      /** Share of the samples or batches in which it is the widest. */
      readonly share: number;
      /** Levels that the median channel is left with, of `levels`. */
      readonly left: number;
      readonly levels: number;
    };
  };
}
