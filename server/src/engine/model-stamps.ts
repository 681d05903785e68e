/**
 * State of models together with the files of external data they point to, so that a weight file that is replaced beside
 * its model makes results of the old one invalid. Which files those are is learnt when a model is opened.
 */
import * as path from 'node:path';
import type { Issue } from './base/issue';
import type { Outcome } from './base/outcome';
import type { OpenModel } from './graph/open';
import { sameStamp, stampOf } from './stamps';
import type { FileStamp } from './store';

interface Parts {
  /** State of the model file itself when its parts were learnt. */
  readonly own: FileStamp;
  readonly files: readonly string[];
}

export class ModelStamps {
  private readonly known = new Map<string, Parts>();

  /** State of a model and its external data; `undefined` when it is not there, or was not opened as it is now. */
  of(file: string): FileStamp | undefined {
    const own = stampOf(file);
    const held = this.known.get(file);
    return own && held && sameStamp(held.own, own) ? sumOf(own, held.files) : undefined;
  }

  /** Takes the external files from a model that was opened just now. */
  learn(file: string, own: FileStamp, opened: Outcome<OpenModel>): void {
    const found = opened.value?.external.opened().map((source) => source.path);
    this.known.set(file, { own, files: found ?? locationsIn(opened.issues, path.dirname(file)) });
  }

  /** Files of external data of a model, as far as known. */
  externalFiles(file: string): readonly string[] {
    return this.known.get(file)?.files ?? [];
  }
}

/** A model whose data is missing or too short is refused, and readable again once the data is there. */
function locationsIn(issues: readonly Issue[], folder: string): readonly string[] {
  return issues.flatMap((one) =>
    one.code === 'external-missing' || one.code === 'external-range'
      ? [path.join(folder, one.facts.location)]
      : [],
  );
}

function sumOf(own: FileStamp, files: readonly string[]): FileStamp {
  const states = files.map((file) => stampOf(file));
  return {
    path: own.path,
    size: states.reduce((sum, one) => sum + (one?.size ?? 0), own.size),
    modified: states.reduce((most, one) => Math.max(most, one?.modified ?? 0), own.modified),
  };
}
