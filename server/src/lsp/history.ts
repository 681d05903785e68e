/**
 * The history of runs: what was asked, how it ended, newest first. Kept in one bounded JSON file of the workspace's
 * storage; a file that cannot be read or written costs the history, never a run. What the command line did with models of
 * the workspace stands between: it keeps its own file.
 */
import { randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { z } from 'zod';
import { forgetLoggedRuns, loggedRuns, runLogFile } from '../engine/runtime/run-log';
import type { RunRecord } from '../protocol/views';
import { uriOf } from './convert';
import { isInside } from './script-ties';

/** Runs that are kept; older ones go. */
export const MAX_RUNS = 200;

const fileName = 'runs.json';

/** What must be there to show a record; the rest is shown when it is there. */
const common = {
  id: z.string().min(1),
  finishedAt: z.number(),
  seconds: z.number(),
  state: z.enum(['done', 'cancelled', 'failed']),
  summary: z.string(),
};
const record = z.looseObject({
  ...common,
  kind: z.enum(['calibrate', 'quantize', 'compare', 'output-effect']),
  modelUri: z.string(),
});

/** The same of the command line: any of its processes writes there, so that nothing else of it is believed. */
const logged = z.object({
  ...common,
  kind: z.enum(['analyze', 'calibrate', 'quantize', 'compare', 'evaluate']),
  model: z.string().min(1),
  scheme: z.string().optional(),
  estimator: z.string().optional(),
  source: z.string().optional(),
  samples: z.number().optional(),
  output: z
    .object({
      sqnr: z.number().nullable(),
      topOneAgreement: z.number().nullable(),
      execution: z.enum(['simulated', 'deployed']),
    })
    .optional(),
  outputFile: z.string().optional(),
});

/** Milliseconds between two looks at the command line's file. */
const LOOK_INTERVAL = 2000;

export class History {
  private runs: readonly RunRecord[] | undefined;
  private writing: Promise<void> = Promise.resolve();
  private watched: string | undefined;

  /** `onChanged` is told after every change. */
  constructor(
    private readonly host: {
      directory(): string | undefined;
      /** Folders whose models the command line's runs are shown of. */
      folders(): readonly string[];
      log(line: string): void;
    },
    private readonly onChanged: () => void,
  ) {}

  /** Runs of one model or of all, newest first. */
  list(modelUri?: string): readonly RunRecord[] {
    this.watchCommandLine();
    const all = [...this.load(), ...this.ofCommandLine()]
      .sort((one, other) => other.finishedAt - one.finishedAt)
      .slice(0, MAX_RUNS);
    return modelUri === undefined ? all : all.filter((run) => run.modelUri === modelUri);
  }

  /** Adds a run that ended now. */
  add(run: Omit<RunRecord, 'id' | 'finishedAt'>): void {
    this.replace([{ ...run, id: randomUUID(), finishedAt: Date.now() }, ...this.load()].slice(0, MAX_RUNS));
  }

  /** Forgets some runs, or all. */
  forget(ids?: readonly string[]): void {
    forgetLoggedRuns(new Set(ids ?? this.ofCommandLine().map(({ id }) => id)));
    this.replace(ids === undefined ? [] : this.load().filter(({ id }) => !ids.includes(id)));
  }

  /** Looks at the command line's file no longer. */
  dispose(): void {
    if (this.watched !== undefined) fs.unwatchFile(this.watched);
  }

  /** Runs of the command line on models of the workspace. */
  private ofCommandLine(): readonly RunRecord[] {
    const folders = this.host.folders();
    // Newest first: what ended within one millisecond keeps its order.
    return [...loggedRuns()].reverse().flatMap((one) => {
      const run = logged.safeParse(one).data;
      if (!run || !folders.some((folder) => isInside(run.model, folder))) return [];
      const { model, outputFile, ...rest } = run;
      const written = outputFile === undefined ? {} : { outputUri: uriOf(outputFile) };
      return [{ ...rest, ...written, modelUri: uriOf(model), from: 'command-line' as const }];
    });
  }

  /** From the first question on: whoever never looks at the history needs no news of it. */
  private watchCommandLine(): void {
    const file = runLogFile();
    if (this.watched === file) return;
    this.dispose();
    this.watched = file;
    fs.watchFile(file, { persistent: false, interval: LOOK_INTERVAL }, () => this.onChanged());
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
