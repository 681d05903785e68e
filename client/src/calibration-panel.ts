/**
 * The calibration panel in the side bar. It owns the running calibration, so that a hidden and re-created webview
 * finds it again: whatever was posted last is posted anew when the page says it is ready.
 */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { FromCalibrationPanel, RunNotice, ToCalibrationPanel } from '../../server/src/protocol/panel';
import {
  type CalibrationPrefill,
  type CalibrationRequest,
  type CalibrationResult,
  type ModelView,
  recipeScheme,
} from '../../server/src/protocol/views';
import type { Calibrations } from './calibrations';
import type { Server } from './client';
import { pickData, recipeBeside, recipeTextOf, rememberRequest, startValues } from './data-choice';
import { hasNothingToQuantize } from './figures-order';
import { inputQuestions } from './input-questions';
import type { Models } from './models';
import { calibrationPanelWords } from './panel-words';
import { quantizeModel } from './quantize';
import { runNotices } from './run-notices';
import { manageTrust, requireTrust } from './trust';
import { preparePage } from './webview-page';

export const calibrationView = 'quantlens.calibration';

interface RunningJob {
  readonly id: string;
  readonly request: CalibrationRequest;
  readonly cancellation: vscode.CancellationTokenSource;
  /** The last message of each kind, to be posted again to a new page. */
  started: ToCalibrationPanel;
  progress?: ToCalibrationPanel;
  finished?: ToCalibrationPanel;
}

export class CalibrationPanel implements vscode.WebviewViewProvider, vscode.Disposable {
  private view: vscode.WebviewView | undefined;
  private job: RunningJob | undefined;
  private selected: vscode.Uri | undefined;
  /** What the form was told of the model last, to tell it anew only when that changes. */
  private told = '';
  /** The last one; a page takes over each once. */
  private prefill:
    | { readonly id: number; readonly values: CalibrationPrefill; readonly modelUri: string }
    | undefined;
  private readonly disposables: vscode.Disposable[];

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly server: Server,
    private readonly models: Models,
    private readonly calibrations: Calibrations,
  ) {
    const watcher = vscode.workspace.createFileSystemWatcher('**/*.{onnx,quant.json}', false, true, false);
    this.disposables = [
      vscode.window.registerWebviewViewProvider(calibrationView, this),
      models.onActiveChanged((uri) => this.select(uri)),
      models.onChanged((view) => this.headerRead(view)),
      vscode.workspace.onDidGrantWorkspaceTrust(() => void this.postModels()),
      watcher,
      watcher.onDidCreate(() => void this.postModels()),
      watcher.onDidDelete(() => void this.postModels()),
      server.onProgress(({ jobId, progress, layers }) => {
        if (this.job?.id !== jobId || this.job.finished) return;
        // A page that comes back needs the layers too, which only some messages carry.
        const before = this.job.progress?.type === 'progress' ? this.job.progress.layers : undefined;
        this.job.progress = { type: 'progress', progress, layers: layers ?? before };
        this.post({ type: 'progress', progress, layers });
        runNotices.tell(this.job.request.modelUri, { state: 'running', progress });
      }),
    ];
  }

  resolveWebviewView(view: vscode.WebviewView): void {
    this.view = view;
    view.webview.onDidReceiveMessage((message: FromCalibrationPanel) => void this.receive(message));
    view.onDidDispose(() => {
      this.view = undefined;
    });
    view.webview.html = preparePage(view.webview, this.context.extensionUri, {
      name: 'calibration',
      title: vscode.l10n.t('Calibration'),
      words: calibrationPanelWords(),
    });
  }

  /** Shows the panel and runs a calibration as it was asked before. */
  async runAgain(request: CalibrationRequest): Promise<void> {
    await this.open(vscode.Uri.parse(request.modelUri));
    await this.run(request);
  }

  /** Shows the panel with a model chosen, and its form filled with what a script says. */
  async open(model: vscode.Uri, values?: CalibrationPrefill): Promise<void> {
    this.selected = model;
    if (values) this.prefill = { id: Date.now(), values, modelUri: model.toString() };
    this.models.setActive(model);
    await vscode.commands.executeCommand(`${calibrationView}.focus`);
    await this.postModels();
  }

  dispose(): void {
    this.job?.cancellation.cancel();
    for (const one of this.disposables) one.dispose();
  }

  /** The form asks for what the model wants to be fed as soon as that is known. */
  private headerRead(view: ModelView): void {
    const shown = this.selected ?? this.models.active;
    if (this.isRunning || vscode.Uri.parse(view.uri).toString() !== shown?.toString()) return;
    if (JSON.stringify(factsOf(view)) !== this.told) void this.postModels();
  }

  private select(uri: vscode.Uri | undefined): void {
    if (this.isRunning || (uri && !uri.path.endsWith('.onnx'))) return;
    this.selected = uri ?? this.selected;
    void this.postModels();
  }

  private get isRunning(): boolean {
    return this.job !== undefined && this.job.finished === undefined;
  }

  private post(message: ToCalibrationPanel): void {
    void this.view?.webview.postMessage(message);
  }

  private async receive(message: FromCalibrationPanel): Promise<void> {
    switch (message.type) {
      case 'ready':
        await this.postModels();
        if (!this.job) return;
        for (const known of [this.job.started, this.job.progress, this.job.finished])
          if (known) this.post(known);
        return;
      case 'select-model':
        this.selected = vscode.Uri.parse(message.uri);
        this.models.setActive(this.selected);
        return this.postModels();
      case 'pick-data':
        return this.pickData(message.kind);
      case 'run':
        return this.run(message.request);
      case 'cancel':
        this.job?.cancellation.cancel();
        if (this.job) await this.server.cancel({ jobId: this.job.id });
        return;
      case 'quantize':
        return this.quantize(message.scheme);
      case 'reveal':
        if (this.job)
          await vscode.commands.executeCommand(
            'quantlens.openAsText',
            this.job.request.modelUri,
            message.layer,
          );
        return;
      case 'manage-trust':
        return manageTrust();
      case 'copy':
        await vscode.env.clipboard.writeText(message.text);
        return;
      default:
        message satisfies never;
    }
  }

  private async postModels(): Promise<void> {
    if (!this.view) return;
    const models = (await this.models.list([this.selected])).filter(({ uri }) => uri.endsWith('.onnx'));
    const selected = this.selected ?? this.models.active;
    const chosen = models.find(({ uri }) => uri === selected?.toString())?.uri ?? models[0]?.uri ?? null;
    const model = chosen === null ? undefined : vscode.Uri.parse(chosen);
    const defaults = model ? await startValues(this.context, model) : {};
    const hasRecipe = model !== undefined && (await recipeTextOf(model)) !== undefined;
    const { isTrusted: trusted } = vscode.workspace;
    // The layers beside the panel are those of its model, open or not.
    if (model && !this.models.active) this.models.setActive(model);
    const prefill = this.prefill?.modelUri === chosen ? this.prefill : undefined;
    const told = factsOf(model && this.models.view(model));
    this.told = JSON.stringify(told);
    this.post({ type: 'models', models, selected: chosen, trusted, defaults, hasRecipe, prefill, ...told });
  }

  private async pickData(kind: 'folder' | 'file'): Promise<void> {
    const picked = await pickData(kind, this.selected, {
      openLabel: vscode.l10n.t('Use as Calibration Data'),
      fileTitle: vscode.l10n.t('NumPy file with calibration samples'),
    });
    if (picked) this.post({ type: 'picked', source: picked.fsPath });
  }

  private async run(request: CalibrationRequest): Promise<void> {
    if (this.isRunning || !(await requireTrust())) return;
    const id = randomUUID();
    const job: RunningJob = {
      id,
      request,
      cancellation: new vscode.CancellationTokenSource(),
      started: { type: 'started', jobId: id, request },
    };
    this.job = job;
    this.models.setActive(vscode.Uri.parse(request.modelUri));
    this.post(job.started);
    runNotices.tell(request.modelUri, { state: 'running' });
    await rememberRequest(this.context, request);
    const result = await this.calibrate(job);
    this.calibrations.keep({ request, result });
    job.finished = { type: 'finished', result };
    this.post(job.finished);
    runNotices.tell(request.modelUri, noticeOf(result));
  }

  private async calibrate({ id, request, cancellation }: RunningJob): Promise<CalibrationResult> {
    try {
      return await this.server.calibrate({ ...request, jobId: id }, cancellation.token);
    } catch (error) {
      const cancelled = cancellation.token.isCancellationRequested;
      const message = error instanceof Error ? error.message : String(error);
      return {
        state: cancelled ? 'cancelled' : 'failed',
        samples: 0,
        seconds: 0,
        layers: [],
        problems: cancelled ? [] : [message],
      };
    } finally {
      cancellation.dispose();
    }
  }

  private async quantize(scheme: string): Promise<void> {
    if (!this.job) return;
    const { request } = this.job;
    const rangesPath = this.calibrations.rangesFor(request.modelUri, scheme);
    const model = vscode.Uri.parse(request.modelUri);
    const what = scheme === recipeScheme ? { recipeUri: recipeBeside(model).toString() } : { scheme };
    const result = await quantizeModel(
      { server: this.server, calibrations: this.calibrations },
      { modelUri: request.modelUri, ...what, rangesPath, calibration: { ...request, scheme } },
    );
    if (result) this.post({ type: 'quantized', result });
  }
}

/** What the form has to know of a model: how it is fed, and whether there is anything to calibrate. */
function factsOf(view: ModelView | undefined) {
  return {
    inputs: inputQuestions(view),
    isQuantized: view !== undefined && view.layers.length > 0 && hasNothingToQuantize(view),
  };
}

/** What the model's own page says of a run that ended. */
function noticeOf({ state, samples, layers, problems }: CalibrationResult): RunNotice {
  if (state === 'done') return { state: 'idle' };
  return state === 'cancelled'
    ? { state, layers: layers.length, samples }
    : { state, problem: problems.join(' ') };
}
