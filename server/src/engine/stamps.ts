/**
 * State of files without reading them: path, size, mtime. Keys of the store; the identity of content is its SHA-256,
 * which the results themselves carry.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { FileStamp } from './store';

/** State of a file or folder, that of all parts for a model in parts; `undefined` when it is not there. */
export function stampOf(file: string): FileStamp | undefined {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (!stat) return undefined;
  const stamp = { path: file, size: stat.size, modified: stat.mtimeMs };
  return otherParts(file).reduce(
    (sum, part) => ({
      path: file,
      size: sum.size + part.size,
      modified: Math.max(sum.modified, part.modified),
    }),
    stamp,
  );
}

/** State of the files beside the first part of a split model or its safetensors index; their headers are not read. */
function otherParts(file: string): readonly FileStamp[] {
  const found = /(?:-00001(-of-\d{5}\.(?:gguf|safetensors))|(\.safetensors)\.index\.json)$/i.exec(file);
  const ending = found?.[1] ?? found?.[2];
  if (ending === undefined) return [];
  const folder = path.dirname(file);
  try {
    const names = fs.readdirSync(folder).filter((name) => name.endsWith(ending));
    return names.flatMap((name) => {
      const part = path.join(folder, name);
      const stat = fs.statSync(part, { throwIfNoEntry: false });
      return stat ? [{ path: part, size: stat.size, modified: stat.mtimeMs }] : [];
    });
  } catch {
    // A folder that may not be listed: the file's own state is all there is.
    return [];
  }
}

/** State of a data source: the file, or every file of the folder two levels deep. Words (`none`) have no state. */
export function dataStamps(source: string): readonly FileStamp[] {
  const stamp = stampOf(source);
  if (!stamp) return [];
  const isFolder = fs.statSync(source, { throwIfNoEntry: false })?.isDirectory() ?? false;
  return isFolder ? [stamp, ...folderStamps(source, 2)] : [stamp];
}

function folderStamps(folder: string, depth: number): FileStamp[] {
  if (depth === 0) return [];
  const names = fs.readdirSync(folder).sort();
  return names.flatMap((name) => {
    const file = path.join(folder, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (!stat) return [];
    const stamp = { path: file, size: stat.size, modified: stat.mtimeMs };
    return stat.isDirectory() ? [stamp, ...folderStamps(file, depth - 1)] : [stamp];
  });
}

export function sameStamp(one: FileStamp, other: FileStamp): boolean {
  return one.path === other.path && one.size === other.size && one.modified === other.modified;
}
