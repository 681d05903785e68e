/** SHA-256 of a model's content: its file or parts, then the external files it points to, in the order of their paths. */
import { openFile } from './base/byte-source';
import { fingerprint } from './base/fingerprint';
import { fail, type Outcome, ok } from './base/outcome';
import { sniff } from './format/sniff';
import { openWeights } from './graph/from-weights';
import { openModel } from './graph/open';

/** Lower-case hex. Issues: whatever opening the file finds. */
export async function fingerprintModel(path: string, signal?: AbortSignal): Promise<Outcome<string>> {
  const file = openFile(path);
  if (!file.value) return fail(...file.issues);
  const format = sniff(file.value);
  file.value.close();
  if (format.value === 'safetensors' || format.value === 'gguf') {
    const weights = openWeights(path);
    if (!weights.value) return fail(...weights.issues);
    try {
      return ok(await fingerprint(weights.value.sources, signal));
    } finally {
      weights.value.close();
    }
  }
  const opened = openModel(path);
  if (!opened.value) return fail(...opened.issues);
  try {
    return ok(await fingerprint([opened.value.source, ...opened.value.external.opened()], signal));
  } finally {
    opened.value.close();
  }
}
