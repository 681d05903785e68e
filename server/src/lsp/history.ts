/**
 * The history of runs: what was asked, how it ended, newest first. Kept in one bounded JSON file of the workspace's
 * storage; a file that cannot be read or written costs the history, never a run.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import type { RunRecord } from '../protocol/views';

/** Runs that are kept; older ones go. */
export const MAX_RUNS = 200;

const fileName = 'runs.json';

/** What must be there to show a record; the rest is shown when it is there. */
const record = z.looseObject({
  id: z.string().min(1),
  kind: z.enum(['calibrate', 'quantize', 'compare', 'output-effect']),
  modelUri: z.string(),
  finishedAt: z.number(),
  seconds: z.number(),
  state: z.enum(['done', 'cancelled', 'failed']),
  summary: z.string(),
});

export class History {
  private runs: readonly RunRecord[] | undefined;
  private writing: Promise<void> = Promise.resolve();

  /** `onChanged` is told after every change. */
  constructor(
    private readonly host: { directory(): string | undefined; log(line: string): void },
    private readonly onChanged: () => void,
  ) {}

  /** Runs of one model or of all, newest first. */
  list(modelUri?: string): readonly RunRecord[] {
    const all = this.load();
    return modelUri === undefined ? all : all.filter((run) => run.modelUri === modelUri);
  }

  /** Adds a run that ended now. */
  add(run: Omit<RunRecord, 'id' | 'finishedAt'>): void {
    this.replace([{ ...run, id: randomUUID(), finishedAt: Date.now() }, ...this.load()].slice(0, MAX_RUNS));
  }

  /** Forgets some runs, or all. */
  forget(ids?: readonly string[]): void {
    this.replace(ids === undefined ? [] : this.load().filter(({ id }) => !ids.includes(id)));
  }

  /** Resolves when everything is on disk. */
  saved(): Promise<void> {
    return this.writing;
  }

  private replace(runs: readonly RunRecord[]): void {
    this.runs = runs;
    this.writing = this.writing.then(() => this.save(runs));
    this.onChanged();
  }

  private load(): readonly RunRecord[] {
    this.runs ??= this.read();
    return this.runs;
  }

  private read(): readonly RunRecord[] {
    const folder = this.host.directory();
    if (folder === undefined) return [];
    try {
      const parsed: unknown = JSON.parse(fs.readFileSync(path.join(folder, fileName), 'utf8'));
      if (!Array.isArray(parsed)) return [];
      // Records of later versions may hold more; what they share is checked, the rest is only shown or asked again.
      return parsed.filter((one): one is RunRecord => record.safeParse(one).success).slice(0, MAX_RUNS);
    } catch {
      // No file yet, or one that was cut off: the history starts anew.
      return [];
    }
  }

  private async save(runs: readonly RunRecord[]): Promise<void> {
    const folder = this.host.directory();
    if (folder === undefined) return;
    const file = path.join(folder, fileName);
    const temporary = `${file}.${process.pid}.tmp`;
    try {
      await fs.promises.mkdir(folder, { recursive: true });
      await fs.promises.writeFile(temporary, JSON.stringify(runs));
      await fs.promises.rename(temporary, file);
    } catch (error) {
      this.host.log(`history: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}
