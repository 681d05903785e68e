/** *Export this recipe as…*: what it decides, as Python for another library, in a new document or a file beside it. */
import * as vscode from 'vscode';
import { type CodeLibrary, codeLibraries } from '../../server/src/protocol/lsp-ext';
import type { Server } from './client';

/** Asks for the library unless it is named, opens the code and says what the library does in another way. */
export async function exportCode(server: Server, recipe: vscode.Uri, named?: unknown): Promise<boolean> {
  const library = codeLibraries.find((one) => one === named) ?? (await chooseLibrary(recipe));
  if (!library) return false;
  const { text, fileName, problems } = await server.exportCode({ recipeUri: recipe.toString(), library });
  if (text === undefined) {
    void vscode.window.showErrorMessage(problems.join(' '));
    return false;
  }
  const document = await vscode.workspace.openTextDocument({ language: 'python', content: text });
  await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: false });
  const save = vscode.l10n.t('Save beside the recipe');
  const said =
    problems.length === 0
      ? vscode.l10n.t('The code does what the recipe decides.')
      : vscode.l10n.t('The notes on top say what {0} does in another way: {1}', library, problems.join(' '));
  void vscode.window.showInformationMessage(said, save).then((chosen) => {
    if (chosen === save) void savedBeside(recipe, fileName, document.getText());
  });
  return true;
}

async function chooseLibrary(recipe: vscode.Uri): Promise<CodeLibrary | undefined> {
  const descriptions: Readonly<Record<CodeLibrary, string>> = {
    onnxruntime: vscode.l10n.t('quantize_static and MatMulNBitsQuantizer on the ONNX file'),
    torchao: vscode.l10n.t('PT2E and quantize_ on the PyTorch network, with fine-tuning'),
    aimet: vscode.l10n.t('QuantizationSimModel with a setting per layer, or with encodings'),
  };
  const chosen = await vscode.window.showQuickPick(
    codeLibraries.map((library) => ({ label: library, description: descriptions[library], library })),
    {
      title: vscode.l10n.t('Export {0} as Python', vscode.workspace.asRelativePath(recipe)),
      placeHolder: vscode.l10n.t('Library that shall quantize'),
      matchOnDescription: true,
    },
  );
  return chosen?.library;
}

/** Saves, or says what keeps it from being saved: the code stays open either way. */
async function savedBeside(recipe: vscode.Uri, name: string, text: string): Promise<void> {
  const file = vscode.Uri.joinPath(recipe, '..', name);
  const failed = (reason: string) =>
    vscode.window.showErrorMessage(
      vscode.l10n.t('{0} could not be saved: {1}', vscode.workspace.asRelativePath(file), reason),
    );
  try {
    if (!(await saveAs(file, text))) void failed(vscode.l10n.t('the editor refused the change'));
  } catch (error) {
    void failed(error instanceof Error ? error.message : String(error));
  }
}

/**
 * A file that is there already is only replaced when that is wanted.
 * @returns false when the editor refused to write it.
 */
async function saveAs(file: vscode.Uri, text: string): Promise<boolean> {
  const edit = new vscode.WorkspaceEdit();
  edit.createFile(file, { ignoreIfExists: true });
  if (await exists(file)) {
    const replace = vscode.l10n.t('Replace');
    const question = vscode.l10n.t('{0} exists already.', vscode.workspace.asRelativePath(file));
    if ((await vscode.window.showWarningMessage(question, { modal: true }, replace)) !== replace) return true;
    const present = await vscode.workspace.openTextDocument(file);
    edit.replace(file, new vscode.Range(0, 0, present.lineCount, 0), text);
  } else edit.insert(file, new vscode.Position(0, 0), text);
  if (!(await vscode.workspace.applyEdit(edit))) return false;
  const document = await vscode.workspace.openTextDocument(file);
  if (!(await document.save())) return false;
  await vscode.window.showTextDocument(document, { preview: false });
  return true;
}

async function exists(file: vscode.Uri): Promise<boolean> {
  try {
    await vscode.workspace.fs.stat(file);
    return true;
  } catch {
    return false;
  }
}
