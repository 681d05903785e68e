/** Addresses of the server's text view of a binary model, and showing one layer in it. */
import * as vscode from 'vscode';
import { textViewScheme } from '../../server/src/protocol/lsp-ext';
import type { ModelView } from '../../server/src/protocol/views';

/** `quantlens-text:/abs/model.onnx.onnxtxt?file:///abs/model.onnx` of `file:///abs/model.onnx`. */
export function textViewUri(model: vscode.Uri): vscode.Uri {
  return vscode.Uri.from({
    scheme: textViewScheme,
    path: `${model.path}.onnxtxt`,
    query: model.toString(true),
  });
}

/** The model that a text view shows; undefined for any other document. */
export function modelOfTextView(uri: vscode.Uri): vscode.Uri | undefined {
  return uri.scheme === textViewScheme && uri.query !== '' ? vscode.Uri.parse(uri.query) : undefined;
}

/** Name of a file, without its folder. */
export function baseName(uri: vscode.Uri): string {
  return uri.path.slice(uri.path.lastIndexOf('/') + 1);
}

/** Shows the texts of two models side by side, differences marked. */
export async function compareTexts(float: vscode.Uri, quantized: vscode.Uri): Promise<void> {
  const title = `${baseName(float)} ↔ ${baseName(quantized)}`;
  await vscode.commands.executeCommand('vscode.diff', textViewUri(float), textViewUri(quantized), title);
}

/** Why a model that is not a file on disk cannot be opened: its bytes are read where the server runs. */
export function onlyLocal(model: vscode.Uri): string {
  return vscode.l10n.t('Only models on the local file system can be opened, not {0}.', model.toString());
}

/** Opens the text of a model and, when a layer is named, selects its node. */
export async function showAsText(
  model: vscode.Uri,
  view: ModelView | undefined,
  layer?: string,
): Promise<void> {
  const uri = model.path.endsWith('.onnx') ? textViewUri(model) : model;
  const document = await vscode.workspace.openTextDocument(uri);
  const editor = await vscode.window.showTextDocument(document, { preview: false });
  if (layer === undefined) return;
  const range = await rangeOfLayer(document, view, layer);
  if (range === undefined) {
    void vscode.window.showInformationMessage(vscode.l10n.t('Layer {0} was not found in the text.', layer));
    return;
  }
  editor.selection = new vscode.Selection(range.start, range.start);
  editor.revealRange(range, vscode.TextEditorRevealType.InCenter);
}

async function rangeOfLayer(
  document: vscode.TextDocument,
  view: ModelView | undefined,
  layer: string,
): Promise<vscode.Range | undefined> {
  const node = view?.layers.find(({ name }) => name === layer)?.node;
  const names = node === undefined ? [layer] : [layer, node];
  const symbols = await vscode.commands.executeCommand<vscode.DocumentSymbol[] | undefined>(
    'vscode.executeDocumentSymbolProvider',
    document.uri,
  );
  const symbol = symbols && findSymbol(symbols, names);
  if (symbol) return symbol.selectionRange;
  const text = document.getText();
  // Without symbols: a node's name stands in brackets before it, a weight's in the operator's arguments.
  for (const needle of [
    ...names.map((name) => `[${name}]`),
    ...names.map((name) => `["${name}"]`),
    `${layer}.weight`,
  ]) {
    const offset = text.indexOf(needle);
    if (offset >= 0)
      return new vscode.Range(document.positionAt(offset), document.positionAt(offset + needle.length));
  }
  return undefined;
}

function findSymbol(
  symbols: readonly vscode.DocumentSymbol[],
  names: readonly string[],
): vscode.DocumentSymbol | undefined {
  for (const symbol of symbols) {
    if (names.includes(symbol.name)) return symbol;
    const inside = findSymbol(symbol.children ?? [], names);
    if (inside) return inside;
  }
  return undefined;
}
