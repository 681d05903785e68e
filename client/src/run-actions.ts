/** What a user does with runs of the history: open, repeat, compare, copy, forget. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { RunRecord } from '../../server/src/protocol/views';
import type { CalibrationPanel } from './calibration-panel';
import type { Calibrations } from './calibrations';
import type { Server } from './client';
import type { ComparePanels } from './compare-panel';
import { modelEditorType } from './models';
import { progressText } from './progress-text';
import { mayReplace, quantizeModel } from './quantize';
import { runNotices } from './run-notices';
import { runTarget } from './run-target';
import { runsMarkdown } from './run-text';
import type { RunItem } from './run-tree';
import { baseName } from './text-view';
import { requireTrust } from './trust';

export interface RunServices {
  readonly server: Server;
  readonly calibrations: Calibrations;
  readonly panel: CalibrationPanel;
  readonly comparisons: ComparePanels;
}

/** The run of a row; undefined for rows of models and anything else. */
export function runOf(argument: unknown): RunRecord | undefined {
  const run = (argument as { readonly run?: Partial<RunRecord> } | undefined)?.run;
  return typeof run?.id === 'string' && typeof run.modelUri === 'string' ? (run as RunRecord) : undefined;
}

/** Opens what a run produced: the file written, the comparison, or the model's page with the figures. */
export async function openOutput({ comparisons }: RunServices, run: RunRecord): Promise<void> {
  const target = runTarget(run);
  if (target.kind === 'model') {
    await vscode.commands.executeCommand('vscode.openWith', vscode.Uri.parse(target.uri), modelEditorType);
    return;
  }
  if (!(await requireTrust())) return;
  const { floatUri, quantizedUri, data } = target;
  await comparisons.bringBack(vscode.Uri.parse(floatUri), vscode.Uri.parse(quantizedUri), data);
}

/** Shows the comparison of what a run wrote with its float original. */
export async function compareWithFloat(run: RunRecord): Promise<void> {
  if (run.outputUri !== undefined)
    await vscode.commands.executeCommand('quantlens.compareModels', run.modelUri, run.outputUri);
}

/** Does the same again, with the settings of then. */
export async function runAgain(services: RunServices, run: RunRecord): Promise<void> {
  const { request, modelUri } = run;
  switch (request?.kind) {
    case 'calibrate':
      return services.panel.runAgain(request.calibration);
    case 'quantize': {
      const { kind: _kind, ...params } = request;
      const target = run.outputUri === undefined ? undefined : vscode.Uri.parse(run.outputUri);
      if (target && !(await mayReplace(target))) return;
      await quantizeModel(services, { modelUri, ...params });
      return;
    }
    case 'compare': {
      const { kind: _kind, ...data } = request;
      if (run.outputUri === undefined || !(await requireTrust())) return;
      await services.comparisons.show(vscode.Uri.parse(modelUri), vscode.Uri.parse(run.outputUri), data);
      return;
    }
    case 'output-effect':
      return measureOutputEffect(services.server, vscode.Uri.parse(modelUri));
    case undefined:
      return;
  }
}

/** Measures what each layer alone does to the output; figures appear wherever the model is shown. */
export async function measureOutputEffect(server: Server, model: vscode.Uri): Promise<void> {
  if (!(await requireTrust())) return;
  const jobId = randomUUID();
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Output effect of the layers of {0}', baseName(model)),
      cancellable: true,
    },
    async (progress, token) => {
      let shown = 0;
      const listener = server.onProgress((job) => {
        if (job.jobId !== jobId) return;
        const { done, total } = job.progress;
        const percent = total > 0 ? (100 * done) / total : 0;
        runNotices.tell(model.toString(), { state: 'running', progress: job.progress });
        progress.report({ message: progressText(job.progress), increment: Math.max(0, percent - shown) });
        shown = percent;
      });
      token.onCancellationRequested(() => void server.cancel({ jobId }));
      try {
        const reply = await server.outputEffect({ jobId, modelUri: model.toString() }, token);
        if (reply.state === 'failed') void vscode.window.showErrorMessage(reply.problems.join(' '));
        const problem = reply.problems.join(' ');
        runNotices.tell(
          model.toString(),
          reply.state === 'done'
            ? { state: 'idle' }
            : reply.state === 'cancelled'
              ? { state: 'cancelled', layers: reply.layers }
              : { state: 'failed', problem },
        );
      } catch (error) {
        if (!token.isCancellationRequested) {
          const problem = error instanceof Error ? error.message : String(error);
          runNotices.tell(model.toString(), { state: 'failed', problem });
          throw error;
        }
        runNotices.tell(model.toString(), { state: 'cancelled', layers: 0 });
      } finally {
        listener.dispose();
      }
    },
  );
}

/** Copies the selected rows, or the one whose menu was opened. */
export async function copyRuns(items: readonly RunItem[], as: 'markdown' | 'json'): Promise<void> {
  const runs = items.flatMap((item) => ('runs' in item ? item.runs : [item.run]));
  const text = as === 'json' ? `${JSON.stringify(runs, undefined, 2)}\n` : runsMarkdown(runs);
  await vscode.env.clipboard.writeText(text);
}

/** Forgets all runs once the user said so. */
export async function clearRuns(server: Server): Promise<void> {
  const clear = vscode.l10n.t('Clear');
  const message = vscode.l10n.t('Forget all runs? The files they wrote stay.');
  if ((await vscode.window.showWarningMessage(message, { modal: true }, clear)) === clear)
    await server.forgetRuns({});
}
