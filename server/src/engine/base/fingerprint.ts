/** SHA-256 of content. (path, size, mtime) is only the key that saves rehashing, never the identity. */
import { createHash } from 'node:crypto';
import type { ByteSource } from './byte-source';
import { checkpoint } from './cancel';

const CHUNK = 8 << 20;

/** Hashes whole sources in order; yields to the event loop between chunks of 8 MiB. Lower-case hex. */
export async function fingerprint(sources: readonly ByteSource[], signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) {
    for (let offset = 0; offset < source.size; offset += CHUNK) {
      hash.update(source.read(offset, Math.min(CHUNK, source.size - offset)));
      await checkpoint(signal);
    }
  }
  return hash.digest('hex');
}

/** Hash of short texts or bytes held in memory. */
export function fingerprintOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}
