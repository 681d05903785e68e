/** Quantizing a model: choice of scheme, progress with Cancel, and what the user is told afterwards. */
import { randomUUID } from 'node:crypto';
import * as vscode from 'vscode';
import type { QuantizeParams } from '../../server/src/protocol/lsp-ext';
import { type QuantizeResult, verdictScale } from '../../server/src/protocol/views';
import type { Calibrations } from './calibrations';
import type { Server } from './client';
import { modelEditorType } from './models';
import { progressText } from './progress-text';
import { defaultOutput, needsActivationRanges } from './schemes';
import { compareTexts } from './text-view';
import { requireTrust } from './trust';

export interface QuantizeServices {
  readonly server: Server;
  readonly calibrations: Calibrations;
}

interface SchemeItem extends vscode.QuickPickItem {
  readonly scheme: string;
}

/** What the user chooses from, recommended first. */
function schemeItems(model: vscode.Uri): readonly SchemeItem[] {
  const item = (scheme: string, label: string, description: string): SchemeItem => ({
    scheme,
    label,
    description,
    detail: vscode.l10n.t('Writes {0}', defaultOutput(model.path, scheme).split('/').at(-1) ?? ''),
    buttons: [{ iconPath: new vscode.ThemeIcon('save-as'), tooltip: vscode.l10n.t('Save As…') }],
  });
  return [
    item(
      'w8a8',
      'w8a8',
      vscode.l10n.t('int8 weights, uint8 activations: fastest on CPUs; needs activation ranges'),
    ),
    item('int8', 'int8', vscode.l10n.t('int8 weights per channel, float activations: a quarter of the size')),
    item('int4', 'int4', vscode.l10n.t('int4 weights, float activations: an eighth of the size')),
    item('w4a8', 'w4a8', vscode.l10n.t('int4 weights, uint8 activations; needs activation ranges')),
  ];
}

/** Asks for a scheme and where to write; undefined when the user turned away. */
export async function chooseScheme(
  model: vscode.Uri,
): Promise<{ readonly scheme: string; readonly outputPath?: string } | undefined> {
  const chosen = await pickScheme(model);
  if (chosen === undefined) return undefined;
  const suggestion = model.with({ path: defaultOutput(model.path, chosen.scheme) });
  if (chosen.saveAs) {
    const target = await vscode.window.showSaveDialog({
      defaultUri: suggestion,
      filters: { ONNX: ['onnx'] },
    });
    return target && { scheme: chosen.scheme, outputPath: target.fsPath };
  }
  return (await mayReplace(suggestion))
    ? { scheme: chosen.scheme, outputPath: suggestion.fsPath }
    : undefined;
}

/** True when nothing lies at the address or the user lets it be replaced. */
export async function mayReplace(target: vscode.Uri): Promise<boolean> {
  const exists = await vscode.workspace.fs.stat(target).then(
    () => true,
    () => false,
  );
  if (!exists) return true;
  const replace = vscode.l10n.t('Replace');
  const message = vscode.l10n.t('{0} exists already. Replace it?', vscode.workspace.asRelativePath(target));
  return (await vscode.window.showWarningMessage(message, { modal: true }, replace)) === replace;
}

/** Quantizes with a notification that can be cancelled, then tells the outcome. Answers undefined when not started. */
export async function quantizeModel(
  { server, calibrations }: QuantizeServices,
  given: Omit<QuantizeParams, 'jobId'>,
): Promise<QuantizeResult | undefined> {
  const params: QuantizeParams = { ...withRanges(given, calibrations), jobId: randomUUID() };
  if (!(await requireTrust())) return undefined;
  const result = await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: vscode.l10n.t('Quantizing {0}', nameOf(given.modelUri)),
      cancellable: true,
    },
    async (progress, token) => {
      let shown = 0;
      const listener = server.onProgress(({ jobId, progress: now }) => {
        if (jobId !== params.jobId) return;
        const percent = now.total > 0 ? (100 * now.done) / now.total : 0;
        // A new stage starts over; the bar only moves forward.
        progress.report({ message: progressText(now), increment: Math.max(0, percent - shown) });
        shown = percent;
      });
      token.onCancellationRequested(() => {
        progress.report({ message: vscode.l10n.t('cancelling…') });
        void server.cancel({ jobId: params.jobId });
      });
      try {
        return await server.quantize(params, token);
      } catch (error) {
        return failed(error, token.isCancellationRequested);
      } finally {
        listener.dispose();
      }
    },
  );
  void tell(result, vscode.Uri.parse(given.modelUri));
  return result;
}

/** Adds the ranges of this session's calibration where the scheme needs ranges and none were given. */
function withRanges(
  params: Omit<QuantizeParams, 'jobId'>,
  calibrations: Calibrations,
): Omit<QuantizeParams, 'jobId'> {
  if (params.rangesPath || params.recipeUri || !params.scheme || !needsActivationRanges(params.scheme))
    return params;
  const last = calibrations.rangesFor(params.modelUri, params.scheme);
  return last === undefined ? params : { ...params, rangesPath: last };
}

function failed(error: unknown, cancelled: boolean): QuantizeResult {
  if (cancelled) return { state: 'cancelled', summary: vscode.l10n.t('Cancelled.'), problems: [] };
  const summary = error instanceof Error ? error.message : String(error);
  return { state: 'failed', summary, problems: [summary] };
}

/** Tells the outcome and offers what comes next. */
async function tell(result: QuantizeResult, model: vscode.Uri): Promise<void> {
  if (result.state === 'cancelled') {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('Quantizing {0} was cancelled. Nothing was written.', nameOf(model.toString())),
    );
    return;
  }
  if (result.state === 'failed' || result.outputUri === undefined) {
    const showLog = vscode.l10n.t('Show Log');
    const message = [...new Set([result.summary, ...result.problems])]
      .filter((text) => text !== '')
      .join(' ');
    if ((await vscode.window.showErrorMessage(message, showLog)) === showLog)
      await vscode.commands.executeCommand('quantlens.showLog');
    return;
  }
  const output = vscode.Uri.parse(result.outputUri);
  const open = vscode.l10n.t('Open');
  const compare = vscode.l10n.t('Compare');
  const asText = vscode.l10n.t('Compare as Text');
  const reveal = vscode.l10n.t('Reveal');
  const show =
    result.problems.length > 0 || isBad(result)
      ? vscode.window.showWarningMessage
      : vscode.window.showInformationMessage;
  const message = sentences([result.summary, ...result.problems]);
  const answer = await show(message, open, compare, asText, reveal);
  if (answer === open) await vscode.commands.executeCommand('vscode.openWith', output, modelEditorType);
  if (answer === compare)
    await vscode.commands.executeCommand('quantlens.compareModels', model.toString(), output.toString());
  if (answer === asText) await compareTexts(model, output);
  if (answer === reveal) await revealFile(output);
}

/** A file whose output is bad is told as a warning. */
function isBad({ output }: QuantizeResult): boolean {
  return typeof output?.sqnr === 'number' && output.sqnr < verdictScale.watchFrom;
}

/** One text of several, each once and beginning as a sentence does; the name of a layer stays as it is. */
function sentences(texts: readonly string[]): string {
  const different = [...new Set(texts)].filter((text) => text !== '');
  return different
    .map((text, index) =>
      index === 0 ? text : text.replace(/^[a-z](?=[a-z]*,? )/, (letter) => letter.toUpperCase()),
    )
    .join(' ');
}

async function revealFile(uri: vscode.Uri): Promise<void> {
  const inWorkspace = vscode.workspace.getWorkspaceFolder(uri) !== undefined;
  await vscode.commands.executeCommand(inWorkspace ? 'revealInExplorer' : 'revealFileInOS', uri);
}

function pickScheme(model: vscode.Uri): Promise<{ scheme: string; saveAs: boolean } | undefined> {
  return new Promise((resolve) => {
    const picker = vscode.window.createQuickPick<SchemeItem>();
    picker.title = vscode.l10n.t('Quantize {0}', nameOf(model.toString()));
    picker.placeholder = vscode.l10n.t('What shall the layers become?');
    picker.items = schemeItems(model);
    picker.matchOnDescription = true;
    const done = (item: SchemeItem | undefined, saveAs: boolean) => {
      resolve(item && { scheme: item.scheme, saveAs });
      picker.hide();
    };
    picker.onDidAccept(() => done(picker.selectedItems[0], false));
    picker.onDidTriggerItemButton(({ item }) => done(item, true));
    picker.onDidHide(() => {
      resolve(undefined);
      picker.dispose();
    });
    picker.show();
  });
}

function nameOf(uri: string): string {
  const { path } = vscode.Uri.parse(uri);
  return path.slice(path.lastIndexOf('/') + 1);
}
