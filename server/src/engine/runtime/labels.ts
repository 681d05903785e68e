/**
 * Classes of samples: `.npy` of integers, `.tsv` (file name, class; a header line and further columns do not matter)
 * or `.json` (a list, or an object from file name to class).
 */
import * as path from 'node:path';
import { openFile } from '../base/byte-source';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { readAllRows, readNpy } from '../format/npy';
import type { Feeds } from './feeds';

type Labels =
  | { readonly kind: 'list'; readonly classes: readonly number[] }
  | { readonly kind: 'names'; readonly classes: ReadonlyMap<string, number> };

const MAX_TEXT_BYTES = 256 << 20;

/**
 * The class of every sample, in the order of the samples. Classes by name go to samples with names (pictures), lists
 * go by position.
 * @returns `labels-mismatch` when a sample has none.
 */
export async function readLabels(
  file: string,
  feeds: Pick<Feeds, 'count' | 'available' | 'names'>,
): Promise<Outcome<readonly number[]>> {
  const read = readFile(file);
  if (read.value === undefined) return fail(...read.issues);
  const labels = read.value;
  if (labels.kind === 'list') {
    // Labels belong to the whole source, of which the first samples may be used.
    const fitting = labels.classes.length === feeds.available || labels.classes.length === feeds.count;
    return fitting
      ? ok(labels.classes.slice(0, feeds.count))
      : mismatched(labels.classes.length, feeds, file);
  }
  const { classes } = labels;
  if (feeds.names === undefined) {
    const list = [...classes.values()];
    return list.length === feeds.available
      ? ok(list.slice(0, feeds.count))
      : mismatched(list.length, feeds, file);
  }
  const found = feeds.names.map((name) => classes.get(name) ?? classes.get(path.posix.basename(name)));
  const known = found.filter((one) => one !== undefined);
  return known.length === found.length ? ok(known) : mismatched(known.length, feeds, file);
}

function mismatched(labels: number, feeds: Pick<Feeds, 'count'>, file: string): Outcome<never> {
  return fail(issue('labels-mismatch', { labels, samples: feeds.count }, { path: file }));
}

function readFile(file: string): Outcome<Labels> {
  const opened = openFile(file);
  if (opened.value === undefined) return fail(...opened.issues);
  const source = opened.value;
  try {
    const extension = path.extname(file).toLowerCase();
    if (extension === '.npy') return readNpyLabels(file, source);
    if (source.size > MAX_TEXT_BYTES) {
      const facts = { path: file, what: 'bytes of labels', value: source.size, limit: MAX_TEXT_BYTES };
      return fail(issue('format-limit', facts, { path: file }));
    }
    const text = new TextDecoder().decode(source.read(0, source.size));
    if (extension === '.json') return readJsonLabels(file, text);
    if (extension === '.tsv' || extension === '.txt') return readTableLabels(file, text);
    return unsupported(file, 'labels are .npy, .tsv or .json');
  } finally {
    source.close();
  }
}

function readNpyLabels(file: string, source: Parameters<typeof readNpy>[0]): Outcome<Labels> {
  const array = readNpy(source);
  if (array.value === undefined) return fail(...array.issues);
  const { dataType, shape } = array.value;
  const column = shape.length === 1 || (shape.length === 2 && shape[1] === 1);
  if ((dataType.kind !== 'int' && dataType.kind !== 'uint') || !column) {
    return unsupported(file, `labels are a list of integers, this is ${dataType.name} [${shape.join(', ')}]`);
  }
  const rows = readAllRows(array.value);
  if (rows.value === undefined) return fail(...rows.issues);
  return ok({ kind: 'list', classes: Array.from(rows.value, Number) });
}

function readJsonLabels(file: string, text: string): Outcome<Labels> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.every(isClass)) return ok({ kind: 'list', classes: parsed });
    if (typeof parsed === 'object' && parsed !== null && Object.values(parsed).every(isClass)) {
      return ok({ kind: 'names', classes: new Map(Object.entries(parsed)) });
    }
    return unsupported(file, 'JSON labels are a list of classes, or an object from file name to class');
  } catch {
    return unsupported(file, 'not JSON');
  }
}

function readTableLabels(file: string, text: string): Outcome<Labels> {
  const classes = new Map<string, number>();
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  for (const [index, line] of lines.entries()) {
    const [name = '', column = ''] = line.split('\t');
    const label = /^\s*\d+\s*$/.test(column) ? Number(column) : undefined;
    if (label === undefined && index > 0)
      return unsupported(file, `line ${index + 1} has no class in column 2`);
    if (label !== undefined) classes.set(name.trim(), label);
  }
  if (classes.size === 0) return unsupported(file, 'no line with a file name and a class');
  return ok({ kind: 'names', classes });
}

function isClass(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function unsupported(file: string, reason: string): Outcome<never> {
  return fail(issue('data-unsupported', { source: file, reason }, { path: file }));
}
