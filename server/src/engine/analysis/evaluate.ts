/** Accuracy of a model on labelled samples, agreement with another model, next-token cross-entropy. Streaming. */
import type { EvaluationReport } from '../../protocol/reports';
import { checkpoint } from '../base/cancel';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { ProgressSink } from '../base/progress';
import { addErrors, argMax, cosine, emptySums, sqnr } from '../numerics/metrics';
import type { Feeds } from '../runtime/feeds';
import type { RuntimeTensor, Session } from '../runtime/ort';
import { countTop, crossEntropy } from './scores';

export interface EvaluateInput {
  readonly session: Session;
  /** Float model to agree with. */
  readonly reference?: Session;
  readonly feeds: Feeds;
  /** Class per sample. */
  readonly labels?: readonly number[];
  readonly task: 'classify' | 'next-token';
  readonly batchSize: number;
  readonly signal?: AbortSignal;
  readonly progress: ProgressSink;
  readonly partial?: (report: EvaluationReport) => void;
}

/** Figures on all samples. The first output is the one scored; all outputs count for SQNR and cosine. */
export async function evaluate(input: EvaluateInput): Promise<Outcome<EvaluationReport>> {
  const { feeds, labels } = input;
  if (labels && labels.length < feeds.count) {
    return fail(issue('labels-mismatch', { labels: labels.length, samples: feeds.count }));
  }
  const scorer = new Scorer(input);
  for await (const batch of feeds.batches(input.batchSize)) {
    await checkpoint(input.signal);
    if (!batch.value) return { value: undefined, issues: batch.issues };
    const { feeds: tensors, first, count } = batch.value;
    const outputs = await input.session.run(tensors);
    if (!outputs.value) return { value: undefined, issues: outputs.issues };
    const reference = await input.reference?.run(tensors);
    if (reference && !reference.value) return { value: undefined, issues: reference.issues };
    const wrong = scorer.add(tensors, outputs.value, reference?.value, first, count);
    if (wrong) return fail(wrong);
    input.progress({ stage: 'evaluate', done: scorer.samples, total: feeds.count, unit: 'samples' });
    input.partial?.(scorer.report());
  }
  return ok(scorer.report());
}

class Scorer {
  samples = 0;
  private readonly counts = { samples: 0, top1: 0, top5: 0 };
  private readonly sums = emptySums();
  private readonly agreement = { rows: 0, same: 0 };
  private readonly entropy = { tokens: 0, sum: 0 };

  constructor(private readonly input: EvaluateInput) {}

  add(
    feeds: Readonly<Record<string, RuntimeTensor>>,
    outputs: Readonly<Record<string, RuntimeTensor>>,
    reference: Readonly<Record<string, RuntimeTensor>> | undefined,
    first: number,
    count: number,
  ) {
    const names = this.input.session.outputs.map((output) => output.name);
    const scores = outputs[names[0] ?? ''];
    if (!scores) return undefined;
    const { task, labels } = this.input;
    if (task === 'next-token') {
      const wrong = this.addTokens(Object.values(feeds)[0], scores);
      if (wrong) return wrong;
    } else if (labels) this.addLabels(scores, labels, first, count);
    if (reference) this.addReference(names, outputs, reference, task, count);
    this.samples += count;
    return undefined;
  }

  report(): EvaluationReport {
    const { counts, entropy, agreement } = this;
    const labelled = counts.samples > 0;
    const compared = this.sums.count > 0;
    return {
      top1: labelled ? counts.top1 / counts.samples : null,
      top5: labelled ? counts.top5 / counts.samples : null,
      samples: this.samples,
      agreement: agreement.rows > 0 ? agreement.same / agreement.rows : null,
      crossEntropy: entropy.tokens > 0 ? entropy.sum / entropy.tokens : null,
      sqnr: compared ? sqnr(this.sums) : null,
      cosine: compared ? cosine(this.sums) : null,
      issues: [],
    };
  }

  private addLabels(scores: RuntimeTensor, labels: readonly number[], first: number, count: number): void {
    const data = scores.data as ArrayLike<number>;
    const classes = data.length / count;
    for (let row = 0; row < count; row++) {
      countTop(this.counts, data, row * classes, classes, labels[first + row] ?? -1);
    }
  }

  /** ids (N, T), logits (N, T, V): position t predicts id t + 1. Top-k counts positions. */
  private addTokens(ids: RuntimeTensor | undefined, logits: RuntimeTensor) {
    const [rows = 0, length = 0] = ids?.dims ?? [];
    const vocabulary = logits.dims[2];
    if (!ids || logits.dims.length !== 3 || vocabulary === undefined || logits.dims[1] !== length) {
      return issue('data-mismatch', {
        input: 'next-token',
        expected: 'ids (N, T) and logits (N, T, V)',
        found: `ids (${ids?.dims.join(', ')}) and output (${logits.dims.join(', ')})`,
      });
    }
    const data = logits.data as ArrayLike<number>;
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

  private addReference(
    names: readonly string[],
    outputs: Readonly<Record<string, RuntimeTensor>>,
    reference: Readonly<Record<string, RuntimeTensor>>,
    task: EvaluateInput['task'],
    count: number,
  ): void {
    const exactNames = this.input.reference?.outputs.map((output) => output.name) ?? [];
    names.forEach((name, index) => {
      const approximate = outputs[name];
      const exact = reference[exactNames[index] ?? ''];
      if (
        !approximate ||
        !exact ||
        !(exact.data instanceof Float32Array) ||
        approximate.data.length !== exact.data.length
      )
        return;
      const x = exact.data as Float32Array;
      const y = approximate.data as Float32Array;
      addErrors(this.sums, x, y);
      if (index > 0) return;
      const rows = task === 'next-token' ? (exact.dims[0] ?? 1) * (exact.dims[1] ?? 1) : count;
      const classes = x.length / rows;
      if (classes < 2) return;
      for (let row = 0; row < rows; row++) {
        this.agreement.rows++;
        if (argMax(x, row * classes, classes) === argMax(y, row * classes, classes)) this.agreement.same++;
      }
    });
  }
}
