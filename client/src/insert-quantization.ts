/** *Insert quantization…*: the blocks that fit a network of a script, chosen from a list, shown before they are written. */
import * as vscode from 'vscode';
import type { Insertion, Server } from './client';

/** Asks for the block at a place of a script; false when nothing was inserted. */
export async function insertQuantization(server: Server, uri: vscode.Uri, at: unknown): Promise<boolean> {
  const editor = vscode.window.visibleTextEditors.find(
    ({ document }) => document.uri.toString() === uri.toString(),
  );
  const position = isPosition(at) ? at : (editor?.selection.active ?? new vscode.Position(0, 0));
  const { line, character } = position;
  const { blocks, trouble } = await server.insertions({
    textDocument: { uri: uri.toString() },
    position: { line, character },
  });
  if (blocks.length === 0) {
    const said =
      trouble === 'broken'
        ? vscode.l10n.t('The script does not parse: repair it first.')
        : vscode.l10n.t('Put the cursor on the class of a network, its variable or its export call.');
    void vscode.window.showInformationMessage(said);
    return false;
  }
  const chosen = await vscode.window.showQuickPick(items(blocks), {
    title: vscode.l10n.t('Insert quantization'),
    placeHolder: vscode.l10n.t('The edit is shown before it is written'),
    matchOnDetail: true,
  });
  if (!chosen) return false;
  const { edit, reason } = chosen.block;
  if (edit) return vscode.workspace.applyEdit(edit);
  void vscode.window.showInformationMessage(
    vscode.l10n.t('{0}: {1}.', chosen.block.title, reason ?? chosen.block.detail),
  );
  return false;
}

interface Item extends vscode.QuickPickItem {
  readonly block: Insertion;
}

/** What can be inserted first; the rest with its reason. */
function items(blocks: readonly Insertion[]): readonly Item[] {
  const able = blocks.filter(({ edit }) => edit);
  const unable = blocks.filter(({ edit }) => !edit);
  const separator: Item[] = unable.slice(0, 1).map((block) => ({
    label: vscode.l10n.t('not here'),
    kind: vscode.QuickPickItemKind.Separator,
    block,
  }));
  return [
    ...able.map((block) => ({ label: block.title, detail: block.detail, block })),
    ...separator,
    ...unable.map((block) => ({
      label: `$(circle-slash) ${block.title}`,
      detail: block.reason ?? block.detail,
      block,
    })),
  ];
}

function isPosition(value: unknown): value is { readonly line: number; readonly character: number } {
  const place = value as { readonly line?: unknown; readonly character?: unknown } | undefined;
  return typeof place?.line === 'number' && typeof place.character === 'number';
}
