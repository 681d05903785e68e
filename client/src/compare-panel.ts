/**
 * The compare view: a webview panel per pair of models, float against quantized. It owns the running comparison, so that
 * a page that was hidden or comes back with the window finds it again: what was posted last is posted anew.
 */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type {
  CompareData,
  CompareTarget,
  FromComparePanel,
  ToComparePanel,
} from '../../server/src/protocol/panel';
import type { CompareView, LayerDetailView } from '../../server/src/protocol/views';
import type { Calibrations } from './calibrations';
import type { Server } from './client';
import { besideEarlier, isComplete } from './compare-result';
import { pickData, rememberComparison, rememberedComparison, startValues } from './data-choice';
import { modelEditorType } from './models';
import { comparePanelWords } from './panel-words';
import { baseName, compareTexts } from './text-view';
import { manageTrust } from './trust';
import { preparePage } from './webview-page';

const comparePanelType = 'quantlens.compare';

export interface CompareServices {
  readonly context: vscode.ExtensionContext;
  readonly server: Server;
  readonly calibrations: Calibrations;
}

/** All open compare views. */
export class ComparePanels implements vscode.Disposable, vscode.WebviewPanelSerializer {
  private readonly open = new Map<string, ComparePanel>();
  private readonly registration: vscode.Disposable;

  constructor(private readonly services: CompareServices) {
    this.registration = vscode.window.registerWebviewPanelSerializer(comparePanelType, this);
  }

  /** Shows a comparison that was made before: as it stands where it is open, else made anew on the same samples. */
  async bringBack(float: vscode.Uri, quantized: vscode.Uri, data?: CompareData): Promise<void> {
    const open = this.open.get(keyOf(float.toString(), quantized.toString()));
    if (open) open.front();
    else await this.show(float, quantized, data);
  }

  /**
   * Shows the comparison of two files; one that is open already comes to the front and runs again.
   * @param data samples to compare on; default: those chosen last.
   */
  async show(float: vscode.Uri, quantized: vscode.Uri, data?: CompareData): Promise<void> {
    const [floatUri, quantizedUri] = [float.toString(), quantized.toString()];
    const known = () => this.open.get(keyOf(floatUri, quantizedUri));
    if (known()) {
      known()?.reveal(data);
      return;
    }
    const target = { floatUri, quantizedUri, ...(data ?? (await this.dataOf(float, quantized))) };
    if (known()) return;
    const panel = vscode.window.createWebviewPanel(
      comparePanelType,
      titleOf(target),
      vscode.ViewColumn.Active,
      { enableFindWidget: true },
    );
    this.adopt(panel, target);
  }

  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const target = (state as { readonly target?: Partial<CompareTarget> } | undefined)?.target;
    if (typeof target?.floatUri !== 'string' || typeof target.quantizedUri !== 'string') {
      panel.dispose();
      return;
    }
    this.adopt(panel, { ...target, floatUri: target.floatUri, quantizedUri: target.quantizedUri });
  }

  dispose(): void {
    this.registration.dispose();
    for (const panel of [...this.open.values()]) panel.dispose();
  }

  private adopt(panel: vscode.WebviewPanel, target: CompareTarget): void {
    const { floatUri, quantizedUri } = target;
    const key = keyOf(floatUri, quantizedUri);
    this.open.get(key)?.dispose();
    const made = new ComparePanel(panel, target, this.services, {
      closed: () => this.open.get(key) === made && this.open.delete(key),
      swapped: () => void this.show(vscode.Uri.parse(quantizedUri), vscode.Uri.parse(floatUri)),
    });
    this.open.set(key, made);
  }

  /** Samples chosen for this pair before, else those of the float model's last calibration or of its recipe. */
  private async dataOf(float: vscode.Uri, quantized: vscode.Uri): Promise<CompareData> {
    const { calibrations, context } = this.services;
    const chosen = rememberedComparison(context, keyOf(float.toString(), quantized.toString()));
    if (chosen) return chosen;
    const request = calibrations.of(float.toString())?.request ?? (await startValues(context, float));
    const { source, samples, scale, mean, std, resize, crop, layout, color } = request;
    if (source === undefined) return {};
    return { source, samples, preprocessing: { scale, mean, std, resize, crop, layout, color } };
  }
}

interface ComparePanelHost {
  readonly closed: () => void;
  readonly swapped: () => void;
}

class ComparePanel {
  private readonly disposables: readonly vscode.Disposable[];
  /** Chosen anew with every run, so that messages of an earlier one are not taken for this one's. */
  private jobId = '';
  private cancellation: vscode.CancellationTokenSource | undefined;
  private view: CompareView | undefined;
  /** What the running comparison itself has brought. */
  private brought: CompareView | undefined;
  /** The last comparison that came to its end, and what it ran on. */
  private earlier: { readonly view: CompareView; readonly target: CompareTarget } | undefined;
  private detail: { layer: string; cancellation: vscode.CancellationTokenSource } | undefined;

  constructor(
    private readonly panel: vscode.WebviewPanel,
    private target: CompareTarget,
    private readonly services: CompareServices,
    private readonly host: ComparePanelHost,
  ) {
    const { context, server } = services;
    const { webview } = panel;
    this.disposables = [
      webview.onDidReceiveMessage((message: FromComparePanel) => this.receive(message)),
      server.onCompareChanged(({ jobId, view }) => jobId === this.jobId && this.show(view)),
      server.onProgress(({ jobId, progress }) => {
        if (jobId === this.jobId) this.post({ type: 'progress', progress });
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.run()),
    ];
    panel.onDidDispose(() => {
      this.stop();
      for (const one of this.disposables) one.dispose();
      host.closed();
    });
    webview.html = preparePage(webview, context.extensionUri, {
      name: 'compare',
      title: titleOf(target),
      words: comparePanelWords(),
    });
  }

  /** Comes to the front as it is. */
  front(): void {
    this.panel.reveal();
  }

  /** Comes to the front and compares again, on other samples where some are given. */
  reveal(data?: CompareData): void {
    this.front();
    if (data) void this.compareOn(data);
    else if (!this.cancellation) void this.run();
  }

  dispose(): void {
    this.panel.dispose();
  }

  private post(message: ToComparePanel): void {
    void this.panel.webview.postMessage(message);
  }

  /** Shows a view, or the last complete one with what happened since where that says more. */
  private show(given: CompareView): void {
    this.brought = given;
    const sameData = this.earlier?.target === this.target;
    const view = besideEarlier(given, this.earlier?.view, sameData, {
      kept: vscode.l10n.t('The figures are those of the comparison before.'),
      cancelled: vscode.l10n.t('Cancelled.'),
    });
    if (isComplete(given)) this.earlier = { view: given, target: this.target };
    // Details and another run belong to the figures that are shown.
    else if (view !== given && given.state !== 'running' && this.earlier && !sameData)
      this.aim(this.earlier.target);
    this.view = view;
    this.post({ type: 'view', view });
  }

  private aim(target: CompareTarget): void {
    this.target = target;
    this.post({ type: 'target', target });
  }

  private async receive(message: FromComparePanel): Promise<unknown> {
    const { floatUri, quantizedUri } = this.target;
    const [float, quantized] = [vscode.Uri.parse(floatUri), vscode.Uri.parse(quantizedUri)];
    switch (message.type) {
      case 'ready':
        this.post({ type: 'target', target: this.target });
        if (this.view) this.post({ type: 'view', view: this.view });
        return this.cancellation || this.view ? undefined : this.run();
      case 'run':
        return this.run(true);
      case 'cancel':
        return this.services.server.cancel({ jobId: this.jobId });
      case 'swap':
        this.panel.dispose();
        return this.host.swapped();
      case 'pick-data':
        return this.pickData(message.kind);
      case 'compare-on':
        await rememberComparison(this.services.context, keyOf(floatUri, quantizedUri), message.data);
        return this.compareOn(message.data);
      case 'detail':
        return this.showDetail(message.layer);
      case 'reveal':
        return vscode.commands.executeCommand('quantlens.openAsText', floatUri, message.layer);
      case 'compare-as-text':
        return compareTexts(float, quantized);
      case 'open': {
        const uri = message.which === 'float' ? float : quantized;
        return vscode.commands.executeCommand('vscode.openWith', uri, modelEditorType);
      }
      case 'recipe':
        return vscode.commands.executeCommand('quantlens.editRecipe', floatUri, message.actions);
      case 'open-link':
        return message.href.startsWith('https://') && vscode.env.openExternal(vscode.Uri.parse(message.href));
      case 'manage-trust':
        return manageTrust();
      case 'copy':
        return vscode.env.clipboard.writeText(message.text);
      default:
        return message satisfies never;
    }
  }

  /** Compares, replacing a comparison that runs; `fresh`: also what is known already. */
  private async run(fresh = false): Promise<void> {
    this.stop();
    const cancellation = new vscode.CancellationTokenSource();
    this.cancellation = cancellation;
    this.brought = undefined;
    this.jobId = randomUUID();
    const { jobId } = this;
    const view = await this.compare(jobId, fresh, cancellation.token);
    cancellation.dispose();
    if (this.jobId !== jobId) return;
    this.cancellation = undefined;
    this.show(view);
  }

  private async compare(
    jobId: string,
    fresh: boolean,
    token: vscode.CancellationToken,
  ): Promise<CompareView> {
    try {
      return await this.services.server.compare({ ...this.target, jobId, fresh }, token);
    } catch (error) {
      const cancelled = token.isCancellationRequested;
      const message = error instanceof Error ? error.message : String(error);
      return {
        trusted: vscode.workspace.isTrusted,
        floatName: baseName(vscode.Uri.parse(this.target.floatUri)),
        quantizedName: baseName(vscode.Uri.parse(this.target.quantizedUri)),
        data: null,
        layers: [],
        findings: [],
        ...this.brought,
        state: cancelled ? 'cancelled' : 'failed',
        problems: cancelled ? [] : [message],
      };
    }
  }

  private stop(): void {
    this.detail?.cancellation.cancel();
    this.cancellation?.cancel();
    this.cancellation = undefined;
  }

  /** The weight first, which is there at once; then the output, when the model was run up to the layer. */
  private async showDetail(layer: string): Promise<void> {
    this.detail?.cancellation.cancel();
    const cancellation = new vscode.CancellationTokenSource();
    const asked = { layer, cancellation };
    this.detail = asked;
    for (const weightOnly of [true, false]) {
      const view = await this.detailOf(layer, weightOnly, cancellation.token);
      if (this.detail !== asked) return;
      this.post({ type: 'detail', layer, view, complete: !weightOnly });
    }
  }

  private async detailOf(
    layer: string,
    weightOnly: boolean,
    token: vscode.CancellationToken,
  ): Promise<LayerDetailView> {
    try {
      const params = { ...this.target, jobId: randomUUID(), layer, weightOnly };
      return await this.services.server.layerDetail(params, token);
    } catch (error) {
      return { problems: [error instanceof Error ? error.message : String(error)] };
    }
  }

  private async pickData(kind: 'folder' | 'file'): Promise<void> {
    const picked = await pickData(kind, vscode.Uri.parse(this.target.floatUri), {
      openLabel: vscode.l10n.t('Compare on This Data'),
      fileTitle: vscode.l10n.t('NumPy file with samples'),
    });
    if (picked) this.post({ type: 'picked', source: picked.fsPath });
  }

  private async compareOn(data: CompareData): Promise<void> {
    const { floatUri, quantizedUri } = this.target;
    this.aim({ floatUri, quantizedUri, ...data });
    await this.run();
  }
}

function keyOf(floatUri: string, quantizedUri: string): string {
  return JSON.stringify([floatUri, quantizedUri]);
}

function titleOf({ floatUri, quantizedUri }: CompareTarget): string {
  return `${baseName(vscode.Uri.parse(floatUri))} ↔ ${baseName(vscode.Uri.parse(quantizedUri))}`;
}
