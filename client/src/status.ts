/** The language status item: is the server well, is it busy; its command opens the log. */
import * as vscode from 'vscode';
import type { ServerStatusParams } from '../../server/src/protocol/lsp-ext';
import { documentSelector, type Server } from './client';

const severities: Readonly<Record<ServerStatusParams['health'], vscode.LanguageStatusSeverity>> = {
  ok: vscode.LanguageStatusSeverity.Information,
  warning: vscode.LanguageStatusSeverity.Warning,
  error: vscode.LanguageStatusSeverity.Error,
};

/** Registers the item; it shows itself for the documents the server serves. */
export function registerStatus(server: Server): vscode.Disposable {
  const item = vscode.languages.createLanguageStatusItem('quantlens.status', documentSelector);
  item.name = vscode.l10n.t('Quantlens');
  item.text = vscode.l10n.t('Quantlens');
  item.detail = vscode.l10n.t('Not started');
  item.command = { command: 'quantlens.showLog', title: vscode.l10n.t('Show Log') };
  const listener = server.onStatus(({ health, quiescent, message }) => {
    item.severity = severities[health];
    item.busy = !quiescent;
    item.detail = message || vscode.l10n.t('Ready');
  });
  return vscode.Disposable.from(item, listener);
}
