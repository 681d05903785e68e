/**
 * State of files without reading them: path, size, mtime. Keys of the store; the identity of content is its SHA-256,
 * which the results themselves carry.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { FileStamp } from './store';

/** State of a file or folder; `undefined` when it is not there. */
export function stampOf(file: string): FileStamp | undefined {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat && { path: file, size: stat.size, modified: stat.mtimeMs };
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
