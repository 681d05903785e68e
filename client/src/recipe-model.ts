/** Which model a recipe speaks of. */
import * as vscode from 'vscode';
import { readRecipe } from './recipe-defaults';

/** The model that a recipe's text names, relative to the recipe; undefined when it names none. */
export function modelNamed(text: string, recipe: vscode.Uri): vscode.Uri | undefined {
  const { model } = readRecipe(text);
  if (typeof model !== 'string' || model === '') return undefined;
  return model.startsWith('/') ? recipe.with({ path: model }) : vscode.Uri.joinPath(recipe, '..', model);
}
