/**
 * The files that hold the weights of one model: a single `.safetensors` or `.gguf` file, the parts
 * `NAME-00001-of-0000N` next to the first of them, or the shards of a safetensors index. All are
 * contained in one folder, or linked into one from a cache.
 */
import * as path from 'node:path';
import { type ByteSource, openFile, resolveBeside } from '../base/byte-source';
import { type Issue, issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { damagedIssue } from '../format/byte-reader';
import { readGguf } from '../format/gguf';
import { readSafetensors } from '../format/safetensors';
import { isSafetensorsIndex, readSafetensorsIndex } from '../format/safetensors-index';
import { sniff } from '../format/sniff';
import type { WeightsFile } from '../format/weights-file';

/** One file of weights, held open; offsets of `file` are from the start of this `source`. */
export interface WeightPart {
  readonly source: ByteSource;
  readonly file: WeightsFile;
}

export interface WeightParts {
  readonly format: 'safetensors' | 'gguf';
  /** In order of their numbers or names; at least one. */
  readonly parts: readonly WeightPart[];
  /** Every open file: the index, if there is one, then the parts. */
  readonly sources: readonly ByteSource[];
}

/** Each part is held open: the number of open files is limited. */
const MAX_PARTS = 512;

/**
 * Opens `file` and, when it is an index or the first of several parts, all parts. A later part is opened alone.
 * @returns no value for other formats (`unsupported-feature`), missing or uncontained parts (`parts-missing`),
 *   damaged ones, and parts that contradict each other (`format-damaged`).
 */
export function openWeightParts(file: string): Outcome<WeightParts> {
  const opened = openFile(file);
  if (!opened.value) return fail(...opened.issues);
  const sources: ByteSource[] = [opened.value];
  const outcome = openAll(file, opened.value, sources);
  if (!outcome.value) for (const source of sources) source.close();
  return outcome;
}

/** Adds to `sources` whatever it opens; the caller closes them. */
function openAll(file: string, first: ByteSource, sources: ByteSource[]): Outcome<WeightParts> {
  const format = sniff(first);
  if (!format.value) return fail(...format.issues);
  if (format.value !== 'safetensors' && format.value !== 'gguf') {
    const facts = { what: `weights alone of a file in ${format.value} format`, next: 'open it as a model' };
    return fail(issue('unsupported-feature', facts, { path: file }));
  }
  const read = format.value === 'gguf' ? readGguf : readSafetensors;
  const isIndex = format.value === 'safetensors' && isSafetensorsIndex(file);
  const index = isIndex ? readSafetensorsIndex(first) : undefined;
  if (index && !index.value) return fail(...index.issues);
  const weightMap = index?.value?.weightMap;
  const names = weightMap ? [...new Set(weightMap.values())].sort() : numberedParts(path.basename(file));
  if (names.length > MAX_PARTS) {
    const facts = { path: file, what: 'the number of parts', value: names.length, limit: MAX_PARTS };
    return fail(issue('format-limit', facts, { path: file }));
  }
  // The file itself was found already, whatever it is called.
  const others = isIndex ? names : names.slice(1);
  const more = openOthers(file, others, names.length, sources);
  if (more) return fail(more);
  const parts: WeightPart[] = [];
  const issues: Issue[] = [];
  for (const source of isIndex ? sources.slice(1) : sources) {
    const header = read(source);
    if (!header.value) return fail(...header.issues);
    parts.push({ source, file: header.value });
    issues.push(...header.issues);
  }
  const clash = contradiction(parts, weightMap && { map: weightMap, source: first, names });
  if (clash) return fail(clash);
  if (parts.length === 1 && splitCount(parts[0]) > 1) issues.push(loneSplit(file, splitCount(parts[0])));
  return ok({ format: format.value, parts, sources }, issues);
}

/** Opens files named in or next to `file`; one issue for all that are not there. */
function openOthers(
  file: string,
  names: readonly string[],
  total: number,
  sources: ByteSource[],
): Issue | undefined {
  const resolved = names.map((name) => ({ name, ...resolveBeside(file, name) }));
  for (const why of ['outside', 'missing'] as const) {
    const lost = resolved.filter(
      (one) => one.path === undefined && (one.missing === true) === (why === 'missing'),
    );
    const parts = lost.map((one) => one.name);
    if (parts.length > 0) return issue('parts-missing', { path: file, parts, total, why }, { path: file });
  }
  for (const one of resolved) {
    const opened = openFile(one.path ?? one.name);
    if (!opened.value) return opened.issues[0];
    sources.push(opened.value);
  }
  return undefined;
}

/** `a-00001-of-00003.gguf` → all three names; any other name alone. */
function numberedParts(name: string): readonly string[] {
  const found = /^(.*)-00001-of-(\d{5})(\.(?:gguf|safetensors))$/i.exec(name);
  const total = Number(found?.[2] ?? 1);
  if (!found || total < 2) return [name];
  const [, stem = '', digits = '', extension = ''] = found;
  return Array.from(
    { length: total },
    (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${digits}${extension}`,
  );
}

/** The first tensor that two parts hold, or that the index places where it is not. */
function contradiction(
  parts: readonly WeightPart[],
  index:
    | {
        readonly map: ReadonlyMap<string, string>;
        readonly source: ByteSource;
        readonly names: readonly string[];
      }
    | undefined,
): Issue | undefined {
  const places = new Map<string, number>();
  for (const [number, { file, source }] of parts.entries()) {
    for (const { name } of file.tensors) {
      if (places.has(name))
        return damagedIssue(source, 0, `tensor "${name.slice(0, 80)}" is in another part too`);
      places.set(name, number);
    }
  }
  for (const [name, file] of index?.map ?? []) {
    const at = places.get(name);
    if (index && (at === undefined || index.names[at] !== file))
      return damagedIssue(index.source, 0, `tensor "${name.slice(0, 80)}" is not in ${file.slice(0, 200)}`);
  }
  return undefined;
}

/** Number of parts a GGUF file says it is one of. */
function splitCount(part: WeightPart | undefined): number {
  const count = part?.file.metadata.get('split.count');
  return typeof count === 'number' ? count : 1;
}

function loneSplit(file: string, total: number): Issue {
  const facts = {
    what: `reading all ${total} parts from this one`,
    next: 'Open the first part, named NAME-00001-of-0000N.gguf; only the weights in this file are shown.',
  };
  return issue('unsupported-feature', facts, { path: file }, 'warning');
}
