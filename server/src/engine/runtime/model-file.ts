/** Opens a session on a model file exactly as a user would: all of its bytes, nothing rewritten. */
import * as path from 'node:path';
import { openFile } from '../base/byte-source';
import { fail, type Outcome } from '../base/outcome';
import { createSession, type Session, type SessionOptions } from './ort';

/** Issues of {@link openFile} and {@link createSession}. Reads the whole file: for files this program just wrote. */
export async function openModelFile(
  file: string,
  options: Omit<SessionOptions, 'folder'>,
): Promise<Outcome<Session>> {
  const opened = openFile(file);
  if (!opened.value) return fail(...opened.issues);
  const source = opened.value;
  try {
    return await createSession(source.read(0, source.size), {
      ...options,
      folder: path.dirname(path.resolve(file)),
    });
  } finally {
    source.close();
  }
}
