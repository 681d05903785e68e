/** Reads an encodings file named on the command line: the activation ranges in it, and what has no use here. */
import { fileIssue, openFile } from '../engine/base/byte-source';
import { issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { readAimet } from '../engine/format/aimet-encodings';
import { encodingRange } from '../engine/format/encodings';
import type { EncodingRanges } from '../engine/jobs';

const MAX_BYTES = 256 << 20;

/** `undefined` value without issues when no file is named. Issues: unreadable, no AIMET encodings, none of activations. */
export function readEncodingRanges(path: string | undefined): Outcome<EncodingRanges> {
  if (path === undefined) return { value: undefined, issues: [] };
  const opened = openFile(path);
  if (!opened.value) return fail(...opened.issues);
  const source = opened.value;
  try {
    if (source.size > MAX_BYTES) {
      const facts = { path, what: 'the size', value: source.size, limit: MAX_BYTES };
      return fail(issue('format-limit', facts, { path }));
    }
    const file = readAimet(new TextDecoder().decode(source.read(0, source.size)), path);
    if (!file.value) return fail(...file.issues);
    const { activations, parameters, skipped } = file.value;
    const ranges = Object.fromEntries(
      activations.flatMap((one) => (one.scales.length === 1 ? [[one.name, encodingRange(one)]] : [])),
    );
    if (Object.keys(ranges).length === 0) {
      const reason = 'it holds no integer encoding of an activation';
      return fail(issue('format-damaged', { path, offset: 0, reason }, { path }));
    }
    return ok({ path, ranges, weights: parameters.length, skipped });
  } catch (error) {
    return fail(fileIssue(path, error));
  } finally {
    source.close();
  }
}
