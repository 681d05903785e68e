/** What every source of samples offers to `feeds.ts`: a count, and samples by position. One file per kind of source. */
import type { Outcome } from '../base/outcome';
import type { RuntimeTensor } from './runtime-tensor';

/** One sample: a tensor per model input. */
export type Sample = Readonly<Record<string, SampleTensor>>;

export interface SampleTensor {
  readonly tensor: RuntimeTensor;
  /**
   * - `row`: to be stacked along a new axis 0.
   * - `whole`: fed as it is, so the sample is a run of its own.
   * - `shared`: a scalar, fed as it is and the same for all.
   */
  readonly use: 'row' | 'whole' | 'shared';
}

export interface SampleSource {
  /** As reports print it. */
  readonly description: string;
  /** Samples there are; infinite for generated ones. */
  readonly available: number;
  /** No tensor of a sample is `whole`: samples can run together. */
  readonly stackable: boolean;
  /** File names by sample, for labels that go by name. */
  readonly names?: readonly string[];
  /** Samples [first, first + count), which exist. */
  read(first: number, count: number): Promise<Outcome<readonly Sample[]>>;
  /** SHA-256 that changes with the content of the first `count` samples. */
  fingerprint(count: number, signal?: AbortSignal): Promise<string>;
  close(): void;
}
