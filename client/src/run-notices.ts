/** How the newest run on each model stands, for the pages that show its figures: running, cancelled or failed. */
import * as vscode from 'vscode';
import type { RunNotice } from '../../server/src/protocol/panel';

class RunNotices {
  private readonly changed = new vscode.EventEmitter<{
    readonly modelUri: string;
    readonly notice: RunNotice;
  }>();
  private readonly last = new Map<string, RunNotice>();
  readonly onChanged = this.changed.event;

  of(modelUri: string): RunNotice | undefined {
    return this.last.get(vscode.Uri.parse(modelUri).toString());
  }

  tell(modelUri: string, notice: RunNotice): void {
    const key = vscode.Uri.parse(modelUri).toString();
    this.last.set(key, notice);
    this.changed.fire({ modelUri: key, notice });
  }
}

/** One for the whole client: a run is started in one place and shown in others. */
export const runNotices = new RunNotices();
