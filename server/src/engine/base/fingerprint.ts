/** SHA-256 of content. (path, size, mtime) is only the key that saves rehashing, never the identity. */
import { createHash } from 'node:crypto';
import type { ByteSource } from './byte-source';
import { checkpoint } from './cancel';

/** Bytes that are read at once, into one buffer that stays in cache, and between two turns of the event loop. */
const CHUNK = 128 << 10;
const TURN = 8 << 20;

/** Hashes whole sources in order; yields to the event loop every 8 MiB. Lower-case hex. */
export async function fingerprint(sources: readonly ByteSource[], signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(CHUNK);
  for (const source of sources) {
    for (let offset = 0; offset < source.size; offset += CHUNK) {
      const chunk = buffer.subarray(0, Math.min(CHUNK, source.size - offset));
      source.readInto(chunk, offset);
      hash.update(chunk);
      if ((offset + CHUNK) % TURN === 0 || offset + CHUNK >= source.size) await checkpoint(signal);
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
