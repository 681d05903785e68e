/**
 * Weights outside the ONNX file: location, offset and length, as the file states them, become a slice of a file
 * inside the model's folder, or an issue. Source: onnx/docs/ExternalDataSecurity.md.
 */
import { type ByteSource, openFile, resolveInside } from '../base/byte-source';
import { issue } from '../base/issue';
import { fail, type Outcome, ok } from '../base/outcome';
import type { Payload, Slice } from './onnx-types';

export type ExternalPayload = Extract<Payload, { kind: 'external' }>;

/** External payload as this program writes it. */
export function externalPayload(location: string, offset: number, length: number): ExternalPayload {
  const entries = Object.entries({ location, offset, length }).map(([key, value]) => ({
    key,
    value: String(value),
  }));
  return { kind: 'external', location, offset, length, entries };
}

/**
 * The external files of one model, each opened once. Locations are contained in `baseDirectory`, the folder of
 * the model, every time one is resolved: text, real path and links. Call {@link close} when done.
 */
export class ExternalFiles {
  private readonly files = new Map<string, ByteSource>();

  constructor(readonly baseDirectory: string) {}

  /**
   * Slice of an external payload; nothing of it is read.
   * @returns `external-missing`, `external-outside` or `external-range` when it cannot be had, `tensor-invalid` when
   *   offset or length is no count.
   */
  resolve(tensor: string, payload: ExternalPayload): Outcome<Slice> {
    const { location, offset } = payload;
    const anchor = { tensor };
    const contained = resolveInside(this.baseDirectory, location);
    if (contained.missing === true) return fail(issue('external-missing', { tensor, location }, anchor));
    if (contained.path === undefined) return fail(issue('external-outside', { tensor, location }, anchor));
    const opened = this.open(contained.path);
    if (opened.value === undefined) return fail(...opened.issues);
    const source = opened.value;
    const length = payload.length ?? source.size - offset;
    if (!isCount(offset) || !isCount(payload.length ?? 0)) {
      const reason = `its data is said to be at offset ${offset} with length ${payload.length ?? 'unknown'}`;
      return fail(issue('tensor-invalid', { tensor, reason }, anchor));
    }
    if (length < 0 || offset + length > source.size) {
      const facts = { tensor, location, need: offset + (payload.length ?? 0), have: source.size };
      return fail(issue('external-range', facts, anchor));
    }
    return ok({ source, offset, length });
  }

  /** Sources opened so far, by real path; for fingerprints and sizes. */
  opened(): readonly ByteSource[] {
    return [...this.files.values()];
  }

  close(): void {
    for (const source of this.files.values()) source.close();
    this.files.clear();
  }

  private open(path: string): Outcome<ByteSource> {
    const known = this.files.get(path);
    if (known !== undefined) return ok(known);
    const opened = openFile(path);
    if (opened.value !== undefined) this.files.set(path, opened.value);
    return opened;
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
