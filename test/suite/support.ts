/**
 * What the tests inside the extension host share: the demo's files, waiting on conditions, and asking the editor's
 * own `execute…Provider` commands, which answer with what the language server says through the real client.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import * as vscode from 'vscode';

/** The temporary copy of examples/ that is open as the workspace. */
export function inWorkspace(file: string): vscode.Uri {
  const [folder] = vscode.workspace.workspaceFolders ?? [];
  assert.ok(folder, 'a folder is open');
  return vscode.Uri.joinPath(folder.uri, file);
}

export const demoModel = 'fashion_mobile.onnx';
export const demoRecipe = 'fashion_mobile.quant.json';

/**
 * Repeats `probe` until it returns something other than undefined, null and false, and returns that.
 * @param what the condition in words, for the message of the failure
 */
export async function until<T>(
  what: string,
  probe: () => Thenable<T | undefined | null | false> | T | undefined | null | false,
  seconds = 20,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await probe();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`After ${seconds} s still not: ${what}`);
    await pause(50);
  }
}

/** Address of the text view of a model, as `protocol/lsp-ext.ts` states it. */
export function textViewOf(model: vscode.Uri): vscode.Uri {
  return vscode.Uri.from({
    scheme: 'quantlens-text',
    path: `${model.path}.onnxtxt`,
    query: model.toString(true),
  });
}

/** Shows a document in a tab (diagnostics are only asked for there) and waits until its layers are measured. */
export async function showText(uri: vscode.Uri): Promise<vscode.TextDocument> {
  const document = await vscode.workspace.openTextDocument(uri);
  await vscode.window.showTextDocument(document, { preview: false });
  return document;
}

/** Opens the text view of a model and waits until its weights are measured. */
export async function showModelText(model: vscode.Uri): Promise<vscode.TextDocument> {
  await vscode.commands.executeCommand('quantlens.openAsText', model);
  const document = vscode.window.activeTextEditor?.document;
  assert.equal(document?.uri.toString(), textViewOf(model).toString());
  await lensesOf(document, /int8 \d+\.\d dB/);
  return document;
}

/** Copies a demo file to a folder of its own, so that nothing lies beside it. */
export async function copyInto(folder: string, file: string): Promise<vscode.Uri> {
  const target = inWorkspace(`${folder}/${file}`);
  await vscode.workspace.fs.copy(inWorkspace(file), target, { overwrite: true });
  return target;
}

/** The middle of the first place where a text stands, or of the first one behind another text. */
export function placeOf(document: vscode.TextDocument, text: string, behind = ''): vscode.Position {
  const whole = document.getText();
  const offset = whole.indexOf(text, whole.indexOf(behind));
  assert.ok(offset >= 0, `${document.uri.path} contains ${text}`);
  return document.positionAt(offset + Math.floor(text.length / 2));
}

export function lineWith(document: vscode.TextDocument, text: string): string {
  return document.lineAt(placeOf(document, text).line).text;
}

/** Code lenses of a document once the title of one matches. */
export function lensesOf(document: vscode.TextDocument, expected: RegExp): Promise<vscode.CodeLens[]> {
  return until(`a lens ${expected} in ${document.uri.path}`, async () => {
    const lenses = await ask<vscode.CodeLens[]>('CodeLens', document.uri, 1000);
    return lenses?.some((lens) => expected.test(lens.command?.title ?? '')) && lenses;
  });
}

/** The lens whose title matches. */
export async function lensOf(document: vscode.TextDocument, expected: RegExp): Promise<vscode.Command> {
  const lenses = await lensesOf(document, expected);
  const found = lenses.find((lens) => expected.test(lens.command?.title ?? ''))?.command;
  assert.ok(found);
  return found;
}

/** Text of the hover at a place, once there is one that matches. */
export function hoverOf(
  document: vscode.TextDocument,
  at: vscode.Position,
  expected: RegExp,
): Promise<string> {
  return until(`a hover ${expected} in ${document.uri.path}`, async () => {
    const hovers = (await ask<vscode.Hover[]>('Hover', document.uri, at)) ?? [];
    const text = hovers.flatMap(({ contents }) => contents.map(textOf)).join('\n');
    return expected.test(text) && text;
  });
}

/** Findings on a document that has come to rest: the first state of which `accept` is true. */
export function diagnosticsOf(
  document: vscode.TextDocument,
  what: string,
  accept: (all: readonly vscode.Diagnostic[]) => boolean,
): Promise<readonly vscode.Diagnostic[]> {
  return until(`${what} in ${document.uri.path}`, () => {
    const all = vscode.languages.getDiagnostics(document.uri);
    return accept(all) && all;
  });
}

/** The code of a finding; its documentation's address when it has one. */
export function codeOf({ code }: vscode.Diagnostic): { readonly value: string; readonly target?: string } {
  if (typeof code !== 'object') return { value: String(code) };
  return { value: String(code.value), target: code.target.toString() };
}

/** The code action at a place whose title matches. */
export function actionAt(
  document: vscode.TextDocument,
  at: vscode.Position | vscode.Range,
  expected: RegExp,
): Promise<vscode.CodeAction> {
  const range = at instanceof vscode.Range ? at : new vscode.Range(at, at);
  return until(`a code action ${expected} in ${document.uri.path}`, async () => {
    const actions = (await ask<vscode.CodeAction[]>('CodeAction', document.uri, range)) ?? [];
    return actions.find(({ title }) => expected.test(title));
  });
}

/** Asks `vscode.execute<name>Provider`. */
export function ask<T>(name: string, ...args: readonly unknown[]): Thenable<T | undefined> {
  return vscode.commands.executeCommand<T | undefined>(`vscode.execute${name}Provider`, ...args);
}

/** Closes every editor and drops what was not saved. */
export async function closeEditors(): Promise<void> {
  for (const document of vscode.workspace.textDocuments) {
    if (!document.isDirty) continue;
    await vscode.window.showTextDocument(document);
    await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
  }
  await vscode.commands.executeCommand('workbench.action.closeAllEditors');
}

function textOf(content: vscode.MarkdownString | vscode.MarkedString): string {
  return typeof content === 'string' ? content : content.value;
}
