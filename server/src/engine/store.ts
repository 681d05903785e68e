/**
 * Results by content fingerprint: memory first, then an injected disk door. A result belongs to the content of its
 * inputs, the options and the engine's result version; (path, size, mtime) is only the key that saves rehashing.
 */
import { LRUCache } from 'lru-cache';
import { fingerprintOf } from './base/fingerprint';

/** Raise when results computed earlier would no longer be the same numbers. */
const RESULT_VERSION = 2;

/** Where results survive a restart. Implementations never throw: a full disk must not fail an analysis. */
export interface DiskDoor {
  read(key: string): string | undefined;
  write(key: string, text: string): void;
  /** Removes everything; returns the number of bytes freed. */
  clear(): number;
}

/** Identity of a file's content without reading it; valid while size and mtime stay. */
export interface FileStamp {
  readonly path: string;
  readonly size: number;
  readonly modified: number;
}

export class Store {
  private readonly memory = new LRUCache<string, object>({ max: 200 });

  constructor(private readonly disk: DiskDoor | undefined) {}

  /** Key of a result: what was computed, on which file state, with which options. */
  key(what: string, stamps: readonly FileStamp[], options: unknown): string {
    return fingerprintOf(String(RESULT_VERSION), what, JSON.stringify(stamps), JSON.stringify(options));
  }

  /** A stored result, parsed once. Unreadable entries count as absent. */
  get<T extends object>(key: string): T | undefined {
    const held = this.memory.get(key);
    if (held !== undefined) return held as T;
    const text = this.disk?.read(key);
    if (text === undefined) return undefined;
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value !== 'object' || value === null) return undefined;
      this.memory.set(key, value);
      return value as T;
    } catch {
      return undefined;
    }
  }

  put(key: string, value: object): void {
    this.memory.set(key, value);
    this.disk?.write(key, JSON.stringify(value));
  }

  /** Forgets everything; returns the number of bytes freed on disk. */
  clear(): number {
    this.memory.clear();
    return this.disk?.clear() ?? 0;
  }
}
