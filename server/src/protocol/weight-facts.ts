/** Facts of findings on single elements and columns of a weight. */
import type { Measured } from './issues';

export interface WeightFacts {
  M29: {
    readonly channel: number;
    /** Magnitude of the element, and over the median magnitude of its channel. */
    readonly value: number;
    readonly ratio: number;
    /** Other weights of the channel that become 0 at 8 bits, of those that are not 0. */
    readonly lost: number;
    readonly of: number;
    /** dB of the whole weight, which the element hides. */
    readonly sqnr?: number;
  };
  M30: Measured & {
    readonly column: number;
    /** Largest magnitude of the column over that of the median column. */
    readonly ratio: number;
    /** Format with a scale per group that the gain is measured with. */
    readonly format: string;
  };
}
