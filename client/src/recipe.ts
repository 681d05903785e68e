/** Recipes: applying the server's edits so that undo works, showing and applying a recipe. */
import * as vscode from 'vscode';
import type { RecipeAction } from '../../server/src/protocol/views';
import type { Server } from './client';
import { type Models, modelEditorType } from './models';
import { type QuantizeServices, quantizeModel } from './quantize';
import { modelNamed } from './recipe-model';

/** Writes actions into the recipe beside a model and shows it. True when the edit was applied. */
export async function editRecipe(
  server: Server,
  model: vscode.Uri,
  actions: readonly RecipeAction[],
): Promise<boolean> {
  const change = await server.recipeEdit({ modelUri: model.toString(), actions });
  if (change.problems.length > 0) void vscode.window.showWarningMessage(change.problems.join(' '));
  if (change.edit.size === 0) {
    await showRecipe(change.recipe);
    return false;
  }
  const applied = await vscode.workspace.applyEdit(change.edit);
  if (!applied) {
    void vscode.window.showErrorMessage(
      vscode.l10n.t('{0} could not be changed.', vscode.workspace.asRelativePath(change.recipe)),
    );
    return false;
  }
  await showRecipe(change.recipe, change.edit.get(change.recipe)[0]?.range.start);
  return true;
}

/** Shows a recipe, at the place of a change: where it is shown already, else beside the model. */
export async function showRecipe(recipe: vscode.Uri, place?: vscode.Position): Promise<void> {
  const shown = vscode.window.visibleTextEditors.find(
    ({ document }) => document.uri.toString() === recipe.toString(),
  );
  const viewColumn =
    shown?.viewColumn ?? (isModelActive() ? vscode.ViewColumn.Beside : vscode.ViewColumn.Active);
  const editor = await vscode.window.showTextDocument(recipe, {
    viewColumn,
    preview: false,
    preserveFocus: shown !== undefined,
  });
  if (place)
    editor.revealRange(new vscode.Range(place, place), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
}

/** Quantizes as a recipe says, with what stands in its editor: unsaved changes are saved first. */
export async function applyRecipe(
  services: QuantizeServices & { readonly models: Models },
  recipe: vscode.Uri,
): Promise<void> {
  const document = await vscode.workspace.openTextDocument(recipe);
  if (document.isDirty && !(await document.save())) return;
  const model = modelNamed(document.getText(), recipe);
  if (model === undefined) {
    void vscode.window.showErrorMessage(
      vscode.l10n.t('{0} names no model: "model" is missing.', vscode.workspace.asRelativePath(recipe)),
    );
    return;
  }
  await quantizeModel(services, { modelUri: model.toString(), recipeUri: recipe.toString() });
}

function isModelActive(): boolean {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  return input instanceof vscode.TabInputCustom && input.viewType === modelEditorType;
}
