/** The text view of an opened model: ONNX textual syntax with large weights elided or, for small models, in full. */

import { issue } from './base/issue';
import type { Outcome } from './base/outcome';
import { fail, ok } from './base/outcome';
import { type PrintedModel, printModel } from './format/onnx-text';
import type { OpenModel } from './graph/open';

/** With `full`, models up to this many bytes are printed with all values. */
const MAX_FULL_BYTES = 64 << 20;

export function printModelText(open: OpenModel, full: boolean): Outcome<PrintedModel> {
  if (!full) return ok(printModel(open.proto, {}));
  if (open.bytes > MAX_FULL_BYTES) {
    return fail(
      issue(
        'format-limit',
        { path: open.path, what: 'the size', value: open.bytes, limit: MAX_FULL_BYTES },
        { path: open.path },
      ),
    );
  }
  return ok(printModel(open.proto, { full: true, external: open.external }));
}
