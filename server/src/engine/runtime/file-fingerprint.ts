/** SHA-256 of files, remembered by (path, size, modification time) so that a job does not hash the same data twice. */
import { openFile } from '../base/byte-source';
import { fingerprint, fingerprintOf } from '../base/fingerprint';
import { modelFingerprint, type OpenModel } from '../graph/open';

const known = new Map<string, string>();

/** Content hash of one file; of a file that cannot be read, a hash of that fact. */
export async function fileFingerprint(file: string, signal?: AbortSignal): Promise<string> {
  const source = openFile(file).value;
  if (source === undefined) return fingerprintOf('unreadable', file);
  try {
    const key = `${source.size} ${source.modified} ${file}`;
    const found = known.get(key) ?? (await fingerprint([source], signal));
    known.set(key, found);
    return found;
  } finally {
    source.close();
  }
}

/** Hash of names and contents of several files, in order. */
export async function filesFingerprint(
  files: readonly { readonly name: string; readonly path: string }[],
  signal?: AbortSignal,
): Promise<string> {
  const parts: string[] = [];
  for (const { name, path } of files) parts.push(name, await fileFingerprint(path, signal));
  return fingerprintOf(...parts);
}

/** Content hash of an open model, external files included, by the same rule as `graph/open.ts`. */
export async function modelFileFingerprint(open: OpenModel, signal?: AbortSignal): Promise<string> {
  const files = [open.source, ...open.external.opened()];
  const key = files.map(({ path, size, modified }) => `${size} ${modified} ${path}`).join('\n');
  const found = known.get(key) ?? (await modelFingerprint(open, signal));
  known.set(key, found);
  return found;
}
