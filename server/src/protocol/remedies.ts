/** What was measured for findings beyond the errors of layers: gains of remedies, order of attention. Plain data. */
import type { Gain } from './issues';
import type { FixKind } from './reports';

/** What one remedy brings, measured by running the plan with and without it. */
export interface RemedyGain {
  /** `recalibrate`: the same formats with ranges of this data, for a file that is quantized already. */
  readonly fix: FixKind | 'recalibrate';
  /** Layers the remedy changes; missing = the recipe's default. */
  readonly layers?: readonly string[];
  /** At the model output. */
  readonly output: Gain;
  /** Share of samples with the float network's top class, where there are classes. */
  readonly agreement?: { readonly before: number; readonly after: number };
  /** Per layer at its own output, where the remedy changes it. */
  readonly local?: Readonly<Record<string, Gain>>;
}

/** How far quantization reorders the rows of one attention matrix. */
export interface AttentionOrder {
  /** The Softmax node. */
  readonly node: string;
  /** Mean Kendall τ-b between rows of the float and the quantized network. */
  readonly tau: number;
  readonly rows: number;
}
