/**
 * Index of a sharded safetensors model, `model.safetensors.index.json`: an object whose `weight_map` names the file of
 * every tensor. Source: huggingface_hub, "Serialization", split_torch_state_dict_into_shards.
 */
import type { ByteSource } from '../base/byte-source';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import { damagedIssue, guardReads } from './byte-reader';

export interface SafetensorsIndex {
  /** Tensor name → file, a path relative to the index as the index gives it: contain it before opening. */
  readonly weightMap: ReadonlyMap<string, string>;
}

/** Indexes of the largest models have some megabytes. */
const MAX_INDEX_BYTES = 100_000_000;

/** True for the name that indexes have. */
export function isSafetensorsIndex(path: string): boolean {
  return /\.safetensors\.index\.json$/i.test(path);
}

/** Reads an index; exactly one issue and no value when it is damaged. */
export function readSafetensorsIndex(source: ByteSource): Outcome<SafetensorsIndex> {
  const path = source.path;
  if (source.size > MAX_INDEX_BYTES) {
    const facts = { path, what: 'the size of the index', value: source.size, limit: MAX_INDEX_BYTES };
    return fail(issue('format-limit', facts, { path }));
  }
  return guardReads(path, () => {
    const weightMap = parseIndex(source.read(0, source.size));
    return typeof weightMap === 'string' ? fail(damagedIssue(source, 0, weightMap)) : ok({ weightMap });
  });
}

/** The map, or what is wrong with it. */
function parseIndex(bytes: Uint8Array): ReadonlyMap<string, string> | string {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return 'the index is not valid JSON';
  }
  const map = isObject(value) ? (value as Record<string, unknown>).weight_map : undefined;
  if (!isObject(map)) return 'the index has no weight_map';
  const weightMap = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string') return `weight_map: "${name.slice(0, 80)}" has no file name`;
    weightMap.set(name, file);
  }
  return weightMap.size === 0 ? 'weight_map is empty' : weightMap;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
