/** Native inference runs only in trusted workspaces: the one gate that commands and panels ask. */
import * as vscode from 'vscode';

/** True when native inference may run; otherwise tells the user why not and offers the way out. */
export async function requireTrust(): Promise<boolean> {
  if (vscode.workspace.isTrusted) return true;
  const manage = vscode.l10n.t('Manage Workspace Trust');
  const message = vscode.l10n.t(
    'Native inference is off in Restricted Mode. Trust the workspace to calibrate or quantize; weight errors work without.',
  );
  if ((await vscode.window.showWarningMessage(message, manage)) === manage) await manageTrust();
  return vscode.workspace.isTrusted;
}

export async function manageTrust(): Promise<void> {
  await vscode.commands.executeCommand('workbench.trust.manage');
}
