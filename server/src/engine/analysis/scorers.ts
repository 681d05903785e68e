/** Streaming scorers: one model against labels or the next token, and two models against each other. */
import { type Issue, issue } from '../base/issue';
import { lowFloatToNumber } from '../base/lowfloat';
import { addErrors, argMax, cosine, emptySums, sqnr } from '../numerics/metrics';
import type { RuntimeTensor } from '../runtime/runtime-tensor';
import { countTop, crossEntropy } from './scores';
import { VaryingSums } from './varying';

export interface AccuracyFigures {
  readonly top1: number | null;
  readonly top5: number | null;
  /** Nats. */
  readonly crossEntropy: number | null;
}

/** Accuracy of one model. */
export class AccuracyScorer {
  private readonly counts = { samples: 0, top1: 0, top5: 0 };
  private readonly entropy = { tokens: 0, sum: 0 };

  constructor(
    private readonly task: 'classify' | 'next-token',
    private readonly labels: readonly number[] | undefined,
  ) {}

  /** Adds one batch; an issue when ids and scores do not fit. */
  add(
    ids: RuntimeTensor | undefined,
    scores: RuntimeTensor | undefined,
    first: number,
    count: number,
  ): Issue | undefined {
    if (!scores) return undefined;
    const values = realValues(scores);
    if (!values) return undefined;
    if (this.task === 'next-token') return this.addTokens(ids, scores.dims, values);
    if (this.labels) this.addLabels(values, this.labels, first, count);
    return undefined;
  }

  figures(): AccuracyFigures {
    const { counts, entropy } = this;
    const labelled = counts.samples > 0;
    return {
      top1: labelled ? counts.top1 / counts.samples : null,
      top5: labelled ? counts.top5 / counts.samples : null,
      crossEntropy: entropy.tokens > 0 ? entropy.sum / entropy.tokens : null,
    };
  }

  private addLabels(data: Float32Array, labels: readonly number[], first: number, count: number): void {
    const classes = data.length / count;
    for (let row = 0; row < count; row++) {
      countTop(this.counts, data, row * classes, classes, labels[first + row] ?? -1);
    }
  }

  /** ids (N, T), logits (N, T, V): position t predicts id t + 1. Top-k counts positions. */
  private addTokens(
    ids: RuntimeTensor | undefined,
    dims: readonly number[],
    data: Float32Array,
  ): Issue | undefined {
    const [rows = 0, length = 0] = ids?.dims ?? [];
    const vocabulary = dims[2];
    if (!ids || dims.length !== 3 || vocabulary === undefined || dims[1] !== length) {
      return issue('data-mismatch', {
        input: 'next-token',
        expected: 'ids (N, T) and logits (N, T, V)',
        found: `ids (${ids?.dims.join(', ')}) and output (${dims.join(', ')})`,
      });
    }
    for (let row = 0; row < rows; row++) {
      for (let at = 0; at + 1 < length; at++) {
        const offset = (row * length + at) * vocabulary;
        const next = Number(ids.data[row * length + at + 1]);
        this.entropy.sum += crossEntropy(data, offset, vocabulary, next);
        this.entropy.tokens++;
        countTop(this.counts, data, offset, vocabulary, next);
      }
    }
    return undefined;
  }
}

export interface AgreementFigures {
  /** Share of rows of the first output whose largest score is the same class; null when rows are no class scores. */
  readonly agreement: number | null;
  readonly sqnr: number | null;
  readonly cosine: number | null;
  /** dB of the first output without its mean over the samples; missing where it is not known. */
  readonly varying?: number | null;
}

/** Float outputs of two models against each other: all of them, or only that at one position. */
export class AgreementScorer {
  private readonly sums = emptySums();
  private readonly rows = { all: 0, same: 0 };
  private readonly varying = new VaryingSums();
  private lost = false;

  constructor(private readonly only?: number) {}

  /** NaN or infinity stands where the first model has a finite number. */
  get losesNumbers(): boolean {
    return this.lost;
  }

  /** Adds one batch; an issue when the outputs have other sizes. */
  add(
    exact: readonly (RuntimeTensor | undefined)[],
    approximate: readonly (RuntimeTensor | undefined)[],
    count: number,
  ): Issue | undefined {
    for (const [index, one] of exact.entries()) {
      if (this.only !== undefined && index !== this.only) continue;
      const other = approximate[index];
      const values = one && realValues(one);
      const close = other && realValues(other);
      if (!values || !close) continue;
      if (values.length !== close.length) {
        return issue('models-differ', {
          reason: `output ${index + 1} is [${one.dims.join(', ')}] against [${other.dims.join(', ')}]`,
        });
      }
      addErrors(this.sums, values, close);
      this.lost ||= close.some((value, at) => !Number.isFinite(value) && Number.isFinite(values[at]));
      if (index !== (this.only ?? 0)) continue;
      this.addRows(values, close, rowsOf(one.dims, count));
      this.varying.add(values, close, one.dims, count);
    }
    return undefined;
  }

  figures(): AgreementFigures {
    const compared = this.sums.count > 0;
    const varying = this.varying.sqnr;
    return {
      agreement: this.rows.all > 0 ? this.rows.same / this.rows.all : null,
      sqnr: compared ? sqnr(this.sums) : null,
      cosine: compared ? cosine(this.sums) : null,
      ...(varying === undefined ? {} : { varying }),
    };
  }

  private addRows(exact: Float32Array, approximate: Float32Array, rows: number | undefined): void {
    if (rows === undefined || rows === 0) return;
    const classes = exact.length / rows;
    if (classes < 2) return;
    for (let row = 0; row < rows; row++) {
      this.rows.all++;
      const at = row * classes;
      if (argMax(exact, at, classes) === argMax(approximate, at, classes)) this.rows.same++;
    }
  }
}

/** An output's values; `undefined` for types that are no scores. */
function realValues({ type, data }: RuntimeTensor): Float32Array | undefined {
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  if (type !== 'float16' || !(data instanceof Uint16Array)) return undefined;
  return Float32Array.from(data, (code) => lowFloatToNumber('float16', code));
}

/** Rows of class scores in an output: samples of (N, C) or (N, C, 1, 1), positions of (N, T, V); none elsewhere. */
function rowsOf(dims: readonly number[], count: number): number | undefined {
  if (dims.length === 3) return (dims[0] ?? 1) * (dims[1] ?? 1);
  return dims.slice(2).every((dimension) => dimension === 1) ? count : undefined;
}
