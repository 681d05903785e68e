/** Flags shared by commands: strict parsing, one place per flag; a bad value is a usage error (exit code 2). */
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { CommonOptions } from '../engine/jobs';
import { defaultThreads } from '../engine/threads';
import type { DataSpec, PreprocessingSpec } from '../protocol/reports';

export interface GlobalFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly seed: number;
  readonly threads?: number;
  readonly dim?: Readonly<Record<string, number>>;
  /** Supplies what flags do not. */
  readonly recipe?: string;
  /** False with `--no-history`. */
  readonly history?: boolean;
}

export interface DataFlags extends PreprocessingSpec {
  readonly data?: string;
  readonly samples?: number;
}

/** Adds the flags that every command takes. */
export function withGlobalFlags(command: Command): Command {
  return command
    .option('--json', 'print one JSON document on stdout and nothing else')
    .option('--quiet', 'no progress on stderr')
    .option('--seed <n>', 'seed of every random draw', wholeNumber(0), 0)
    .option('--threads <n>', 'threads of native inference (default: cores − 1, at least 1)', wholeNumber(1))
    .option('--dim <name=n>', 'bind a symbolic dimension; repeatable', dimension)
    .option('--recipe <file>', 'recipe that supplies what flags do not');
}

/** Adds the data and preprocessing flags. */
export function withDataFlags(command: Command): Command {
  return command
    .option('--data <source>', 'folder of images, .npy, .npz, folder of input_*.pb, "random" or "none"')
    .option('--no-history', "keep this run out of the editor's history of runs")
    .option('--samples <n>', 'the first N samples in sorted order', wholeNumber(1))
    .option(
      '--scale <x>',
      'value = (pixel · scale − mean) / std; default 1/255 for images and uint8 arrays, else 1',
      fraction,
    )
    .option('--mean <x,…>', 'one number or one per channel', numbers)
    .option('--std <x,…>', 'one number or one per channel', positiveNumbers)
    .option('--resize <pixels>', 'shorter side, antialiased bilinear', wholeNumber(1))
    .option('--crop <pixels>', 'centre crop', wholeNumber(1))
    .addOption(new Option('--layout <layout>', 'layout of the model input').choices(['nchw', 'nhwc']))
    .addOption(new Option('--color <order>', 'channel order of the model input').choices(['rgb', 'bgr']));
}

export function commonOptions(flags: GlobalFlags): CommonOptions {
  return { threads: flags.threads ?? defaultThreads(), seed: flags.seed, dimensions: flags.dim ?? {} };
}

/** The data the flags describe over the recipe's; `undefined` when neither names a source. */
export function dataSpec(
  flags: GlobalFlags & DataFlags,
  fallback?: DataSpec,
  samples?: number,
): DataSpec | undefined {
  const source = flags.data ?? fallback?.source;
  if (source === undefined) return undefined;
  const given: PreprocessingSpec = definedOnly({
    scale: flags.scale,
    mean: flags.mean,
    std: flags.std,
    resize: flags.resize,
    crop: flags.crop,
    layout: flags.layout,
    color: flags.color,
  });
  return {
    source,
    samples: flags.samples ?? fallback?.samples ?? samples,
    seed: flags.seed,
    preprocessing: { ...fallback?.preprocessing, ...given },
    dimensions: flags.dim ?? {},
  };
}

/** Comma-separated list of words. */
export function list(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** Collects a repeatable flag. */
export function collect(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

function definedOnly<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as T;
}

function wholeNumber(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < minimum) {
      throw new InvalidArgumentError(`Expected a whole number of at least ${minimum}.`);
    }
    return value;
  };
}

/** `0.00392`, `1/255`. */
function fraction(text: string): number {
  const parts = text.split('/').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  const value =
    parts.length === 2
      ? (parts[0] ?? Number.NaN) / (parts[1] ?? Number.NaN)
      : parts.length === 1
        ? (parts[0] ?? Number.NaN)
        : Number.NaN;
  if (!Number.isFinite(value) || value === 0)
    throw new InvalidArgumentError('Expected a number such as 0.0039 or 1/255.');
  return value;
}

function numbers(text: string): readonly number[] {
  const values = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (!values.every(Number.isFinite)) throw new InvalidArgumentError('Expected numbers separated by commas.');
  return values;
}

function positiveNumbers(text: string): readonly number[] {
  const values = numbers(text);
  if (!values.every((value) => value > 0))
    throw new InvalidArgumentError('Expected positive numbers separated by commas.');
  return values;
}

function dimension(
  text: string,
  before: Readonly<Record<string, number>> | undefined,
): Readonly<Record<string, number>> {
  const match = /^(.+)=(\d+)$/.exec(text);
  const value = Number(match?.[2]);
  if (!match?.[1] || !Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('Expected NAME=N with N at least 1.');
  return { ...before, [match[1]]: value };
}
