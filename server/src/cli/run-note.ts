/** What the editor's history will say of a command: noted while it runs, written down when it ends. */
import * as path from 'node:path';
import { logRun } from '../engine/runtime/run-log';
import type { OutputPart } from '../protocol/reports';
import type { LoggedRun } from '../protocol/views';
import { outputSentence } from '../rules/model-view';
import { exitCodes } from './exit-codes';

type Told = Omit<LoggedRun, 'id' | 'finishedAt' | 'seconds' | 'state'>;

export class RunNote {
  private told: Partial<Told> = {};
  private readonly began = performance.now();

  /** @param wanted false with `--no-history`. */
  constructor(private readonly wanted: boolean) {}

  /** Begins the record of a run, once its input is known to be right, or adds to it. Paths count from the working folder. */
  add(told: Partial<Told>): void {
    this.told = { ...this.told, ...told };
  }

  /** Adds an output's figures, and the sentence on them unless there is another. */
  addOutput(output: OutputPart | undefined, execution: 'simulated' | 'deployed'): void {
    if (!output) return;
    const { sqnr, topOneAgreement } = output;
    this.add({ output: { sqnr, topOneAgreement, execution }, summary: outputSentence(output) });
  }

  /** @param failure first line of what went wrong. */
  end(code: number, failure: string | undefined): void {
    const { kind, model, outputFile, summary = '', ...rest } = this.told;
    const off = !this.wanted || process.env.QUANTLENS_NO_HISTORY;
    if (off || kind === undefined || model === undefined) return;
    const state = code === exitCodes.done ? 'done' : code === exitCodes.cancelled ? 'cancelled' : 'failed';
    logRun({
      ...rest,
      kind,
      model: path.resolve(model),
      ...(outputFile === undefined ? {} : { outputFile: path.resolve(outputFile) }),
      seconds: (performance.now() - this.began) / 1000,
      state,
      summary: state === 'failed' ? (failure ?? summary) : summary,
    });
  }
}
