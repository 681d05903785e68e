/** Which two models a comparison is about, and which of them is the float original. */
import * as vscode from 'vscode';
import type { Models } from './models';

export interface ComparePair {
  readonly float: vscode.Uri;
  readonly quantized: vscode.Uri;
}

/** Asks for the model to compare another with; those that share its name come first. */
export async function chooseOther(models: Models, model: vscode.Uri): Promise<vscode.Uri | undefined> {
  const stem = stemOf(model);
  const others = (await models.list()).filter(({ uri }) => uri !== model.toString() && uri.endsWith('.onnx'));
  const related = (uri: string) => stemOf(vscode.Uri.parse(uri)) === stem;
  const items: (vscode.QuickPickItem & { readonly uri?: vscode.Uri })[] = others
    .map(({ name, uri }) => ({ label: name, uri: vscode.Uri.parse(uri) }))
    .sort((one, other) => Number(related(other.uri.toString())) - Number(related(one.uri.toString())));
  items.push({ label: vscode.l10n.t('Other File…'), alwaysShow: true });
  const chosen = await vscode.window.showQuickPick(items, {
    title: vscode.l10n.t('Compare {0}', fileName(model)),
    placeHolder: vscode.l10n.t('With which model?'),
  });
  if (!chosen || chosen.uri) return chosen?.uri;
  const filters = { ONNX: ['onnx'] };
  const defaultUri = vscode.Uri.joinPath(model, '..');
  const [file] = (await vscode.window.showOpenDialog({ filters, defaultUri })) ?? [];
  return file;
}

/** The larger file is the float original; of two that are as large, the one with the shorter name. */
export async function inOrder(one: vscode.Uri, other: vscode.Uri): Promise<ComparePair> {
  const [left, right] = await Promise.all([sizeOf(one), sizeOf(other)]);
  const isFirst = left === right ? one.path.length <= other.path.length : left > right;
  return isFirst ? { float: one, quantized: other } : { float: other, quantized: one };
}

async function sizeOf(uri: vscode.Uri): Promise<number> {
  try {
    return (await vscode.workspace.fs.stat(uri)).size;
  } catch {
    // The comparison itself says that the file cannot be read.
    return 0;
  }
}

function fileName(uri: vscode.Uri): string {
  return uri.path.slice(uri.path.lastIndexOf('/') + 1);
}

/** `net` of `net.onnx` and of `net.w8a8.onnx`. */
function stemOf(uri: vscode.Uri): string {
  return fileName(uri).split('.')[0] ?? '';
}
