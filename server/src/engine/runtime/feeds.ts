/**
 * Calibration and evaluation samples for a model, in batches: one door to every kind of source. Samples are read
 * when their turn comes and never all held.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { DataSpec } from '../../protocol/reports';
import { fileIssue, openFile } from '../base/byte-source';
import { checkpoint } from '../base/cancel';
import { defined } from '../base/invariant';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { isNpy, readNpy, readNpz } from '../format/npy';
import type { Model } from '../graph/ir';
import { type ArrayFile, arraySource } from './arrays';
import { imageNames, imageSource } from './images';
import { type ModelInputs, mismatch, modelInputs, withAssumedDimensions } from './model-inputs';
import { noiseSource } from './noise';
import { nonFinite } from './non-finite';
import type { InputTensors } from './ort';
import { imagePreprocessing } from './preprocess';
import { arrayFor, describeTensor, type RuntimeTensor, runtimeTensor } from './runtime-tensor';
import type { Sample, SampleSource } from './sample-source';
import { testSetFolders, testSetSource } from './test-sets';

export interface FeedBatch {
  readonly feeds: InputTensors;
  /** Position of the first sample. */
  readonly first: number;
  /** Samples in this batch. */
  readonly count: number;
}

export interface Feeds {
  /** Samples that the batches hold together. */
  readonly count: number;
  /** Samples that the source holds, before `samples` cut them. */
  readonly available: number;
  /** As reports print it. */
  readonly description: string;
  /** File names by sample where the source has them. */
  readonly names: readonly string[] | undefined;
  /**
   * The samples in order, at most `batchSize` at a time; models with a fixed batch get exactly theirs. An outcome
   * without a value (unreadable file, wrong shape) is the last one.
   * @param start samples to leave out at the beginning.
   */
  batches(batchSize: number, signal?: AbortSignal, start?: number): AsyncIterable<Outcome<FeedBatch>>;
  /** SHA-256 over the content of the samples' files; of the first `count` samples where it is given. */
  fingerprint(signal?: AbortSignal, count?: number): Promise<string>;
  close(): void;
}

/** Samples where the user names no number and the source has no end, and where there is no data at all. */
export const noiseSamples = 16;

/**
 * Opens a source for a model.
 * @param batch samples of each run where the model leaves it open; missing = what the caller of `batches` asks for.
 * @returns `data-not-found`, `data-unsupported`, `data-empty`, `data-mismatch`, `dimension-unbound`; the warning
 *   `data-few` when fewer samples are there than asked for.
 */
export async function openFeeds(spec: DataSpec, model: Model, batch?: number): Promise<Outcome<Feeds>> {
  const inputs = modelInputs(model, spec.dimensions, batch);
  if (inputs.value === undefined) return fail(...inputs.issues);
  if (inputs.value.list.length === 0) {
    return fail(
      issue('data-unsupported', { source: spec.source, reason: 'the model has no inputs to feed' }),
    );
  }
  const source = openSource(spec, model, inputs.value);
  if (source.value === undefined) return fail(...source.issues);
  return limited(source.value, inputs.value, spec, source.issues);
}

function openSource(spec: DataSpec, model: Model, inputs: ModelInputs): Outcome<SampleSource> {
  const { source, preprocessing } = spec;
  if (source === 'random') return noiseSource(model, inputs, spec.seed);
  if (source === 'none') {
    // Nobody chose this data, so nobody should have to bind its dimensions.
    const assumed = withAssumedDimensions(inputs);
    const made = noiseSource(model, assumed.inputs, spec.seed);
    return { value: made.value, issues: [...assumed.issues, ...made.issues] };
  }
  if (source === 'synthetic' || source.startsWith('synthetic:')) {
    const next = 'Give --data with samples, or --data random.';
    return fail(issue('not-implemented', { what: `data ${source}`, next }));
  }
  const stat = fs.statSync(source, { throwIfNoEntry: false });
  if (stat === undefined) return fail(issue('data-not-found', { source }, { path: source }));
  if (stat.isDirectory()) return folderSource(spec, inputs);
  const file = openArrays(source);
  if (file.value === undefined) return fail(...file.issues);
  const made = arraySource(file.value, inputs, preprocessing);
  if (made.value === undefined) file.value.close();
  return made;
}

function folderSource(spec: DataSpec, inputs: ModelInputs): Outcome<SampleSource> {
  const { source: folder } = spec;
  try {
    const sets = testSetFolders(folder);
    if (sets.length > 0) return ok(testSetSource(folder, sets, inputs));
    const names = imageNames(folder);
    if (names.length === 0) return fail(issue('data-empty', { source: folder }, { path: folder }));
    const [input, second] = inputs.list;
    if (second !== undefined) return fail(mismatch(second, 'a folder of images, which feeds one input'));
    const options = imagePreprocessing(spec.preprocessing);
    if (input === undefined || options.value === undefined) return fail(...options.issues);
    if (!input.batched || (input.dims !== undefined && input.dims.length !== 4)) {
      return fail(mismatch(input, 'images'));
    }
    return ok(imageSource(folder, names, input, options.value));
  } catch (error) {
    return fail(fileIssue(folder, error));
  }
}

function openArrays(file: string): Outcome<ArrayFile> {
  const opened = openFile(file);
  if (opened.value === undefined) return fail(...opened.issues);
  const source = opened.value;
  const close = () => source.close();
  const single = source.size >= 6 && isNpy(source.read(0, 6));
  const arrays = single || !looksLikeArchive(file) ? readOne(file, single, source) : readNpz(source);
  if (arrays.value === undefined) {
    close();
    return fail(...arrays.issues);
  }
  return ok({ path: file, arrays: arrays.value, close });
}

function readOne(file: string, single: boolean, source: Parameters<typeof readNpy>[0]) {
  if (!single && path.extname(file).toLowerCase() !== '.npy') {
    const reason = 'neither a folder of images or test sets, nor .npy or .npz';
    return fail(issue('data-unsupported', { source: file, reason }, { path: file }));
  }
  const array = readNpy(source);
  return array.value === undefined ? fail(...array.issues) : ok(new Map([['', array.value]]));
}

function looksLikeArchive(file: string): boolean {
  return path.extname(file).toLowerCase() === '.npz';
}

/** Cuts the source to the samples that were asked for and that fill whole batches. */
function limited(
  source: SampleSource,
  inputs: ModelInputs,
  spec: DataSpec,
  before: readonly Issue[],
): Outcome<Feeds> {
  const issues = [...before];
  const asked = spec.samples ?? (Number.isFinite(source.available) ? source.available : noiseSamples);
  let count = Math.min(asked, source.available);
  if (count < asked) {
    issues.push(issue('data-few', { asked, found: count }, { path: spec.source }, 'warning'));
  }
  const fixed = inputs.fixedBatch;
  if (fixed !== undefined && source.stackable && count % fixed !== 0) {
    const whole = count - (count % fixed);
    if (whole === 0) {
      source.close();
      const input = defined(
        inputs.list.find((one) => one.batched),
        'an input with a batch',
      );
      return fail(mismatch(input, `${count} samples, less than one batch`));
    }
    issues.push(issue('data-few', { asked: count, found: whole }, { path: spec.source }, 'warning'));
    count = whole;
  }
  return ok(new SourceFeeds(source, inputs, count), issues);
}

class SourceFeeds implements Feeds {
  constructor(
    private readonly source: SampleSource,
    private readonly inputs: ModelInputs,
    readonly count: number,
  ) {}

  get available(): number {
    return this.source.available;
  }

  get description(): string {
    return this.source.description;
  }

  get names(): readonly string[] | undefined {
    return this.source.names?.slice(0, this.count);
  }

  async *batches(batchSize: number, signal?: AbortSignal, start = 0): AsyncIterable<Outcome<FeedBatch>> {
    const step = this.inputs.fixedBatch ?? Math.max(1, Math.floor(batchSize));
    // The next samples are decoded while the caller computes with these.
    let next: ReturnType<SampleSource['read']> | undefined;
    const read = (first: number) =>
      first < this.count ? this.source.read(first, Math.min(step, this.count - first)) : undefined;
    try {
      next = read(start);
      for (let first = start; next !== undefined; first += step) {
        await checkpoint(signal);
        const samples: Outcome<readonly Sample[]> = await next;
        if (samples.value === undefined) {
          yield fail(...samples.issues);
          return;
        }
        next = read(first + step);
        for (const batch of this.assemble(samples.value, first)) {
          yield batch;
          if (batch.value === undefined) return;
        }
      }
    } finally {
      await next;
    }
  }

  fingerprint(signal?: AbortSignal, count = this.count): Promise<string> {
    return this.source.fingerprint(count, signal);
  }

  close(): void {
    this.source.close();
  }

  /** Stacks rows; samples that are runs of their own stay single. */
  private *assemble(samples: readonly Sample[], first: number): Iterable<Outcome<FeedBatch>> {
    const groups = this.source.stackable ? [samples] : samples.map((sample) => [sample]);
    let at = first;
    for (const group of groups) {
      const feeds: Record<string, RuntimeTensor> = {};
      for (const input of this.inputs.list) {
        const parts = group.map((sample) => defined(sample[input.name], `input ${input.name} of a sample`));
        const wrong = parts.find(({ tensor }) => !sameDims(tensor, parts[0]?.tensor));
        if (wrong) {
          const [one, other] = [parts[0]?.tensor ?? wrong.tensor, wrong.tensor];
          yield fail(mismatch(input, `samples of different shapes: ${describe(one)} and ${describe(other)}`));
          return;
        }
        const held = parts.map(({ tensor }) => nonFinite(input.name, tensor));
        const bad = held.findIndex((one) => one !== undefined);
        if (bad >= 0) {
          const reason = `sample ${at + bad + 1} holds ${held[bad]} in input ${input.name}`;
          yield fail(issue('data-unsupported', { source: this.description, reason }));
          return;
        }
        feeds[input.name] = parts.every((part) => part.use === 'row')
          ? stacked(parts.map((part) => part.tensor))
          : defined(parts[0], 'a sample').tensor;
      }
      yield ok({ feeds, first: at, count: group.length });
      at += group.length;
    }
  }
}

function describe(tensor: RuntimeTensor): string {
  return describeTensor(tensor.type, tensor.dims);
}

function sameDims(one: RuntimeTensor, other: RuntimeTensor | undefined): boolean {
  return one.dims.length === other?.dims.length && one.dims.every((size, axis) => size === other.dims[axis]);
}

/** Rows of equal shape along a new axis 0. */
function stacked(rows: readonly RuntimeTensor[]): RuntimeTensor {
  const { type, dims, data } = defined(rows[0], 'a row');
  const target = arrayFor(type, rows.length * data.length);
  rows.forEach((row, index) => {
    // Rows of one source have one type, so the arrays are of one kind.
    (target as Float32Array).set(row.data as Float32Array, index * data.length);
  });
  return runtimeTensor(type, [rows.length, ...dims], target);
}
