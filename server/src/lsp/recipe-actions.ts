/**
 * What a quick fix, button or tree item changes in the recipe beside a model, as one LSP workspace edit: the recipe is
 * created when absent, comments stay, undo works.
 */
import * as path from 'node:path';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { TextDocumentEdit, WorkspaceEdit } from 'vscode-languageserver-types';
import { hasErrors, type Issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { editRecipeAll, type RecipeEdit } from '../engine/format/recipe-edit';
import { newRecipe } from '../engine/format/recipe-new';
import type { RecipeAction } from '../protocol/views';
import { recipePathOf, uriOf } from './convert';

/** A recipe as it stands: `undefined` when the file does not exist. */
export interface RecipeText {
  readonly text: string;
  /** Version of the open document; null when it is not open. */
  readonly version: number | null;
}

export interface RecipeChange {
  readonly recipeUri: string;
  readonly edit: WorkspaceEdit;
}

/** The edit for actions on a model; issues when the recipe there cannot be edited (broken JSON). */
export function recipeChange(
  modelPath: string,
  actions: readonly RecipeAction[],
  read: (uri: string, file: string) => RecipeText | undefined,
): Outcome<RecipeChange> {
  const file = recipePathOf(modelPath);
  const uri = uriOf(file);
  const changes = actions.flatMap(recipeEdit);
  const present = read(uri, file);
  if (!present) {
    const edited = editRecipeAll(startOf(modelPath), changes);
    if (hasErrors(edited.issues)) return fail(...edited.issues);
    return ok({ recipeUri: uri, edit: creation(uri, edited.text) });
  }
  const edited = editRecipeAll(present.text, changes);
  if (hasErrors(edited.issues)) return fail(...withPath(edited.issues, file));
  const document = TextDocument.create(uri, 'jsonc', 0, present.text);
  const change: TextDocumentEdit = {
    textDocument: { uri, version: present.version },
    edits: edited.edits.map(({ offset, length, content }) => ({
      range: { start: document.positionAt(offset), end: document.positionAt(offset + length) },
      newText: content,
    })),
  };
  return ok({ recipeUri: uri, edit: { documentChanges: [change] } });
}

function creation(uri: string, text: string): WorkspaceEdit {
  const start = { line: 0, character: 0 };
  return {
    documentChanges: [
      { kind: 'create', uri, options: { ignoreIfExists: true } },
      { textDocument: { uri, version: null }, edits: [{ range: { start, end: start }, newText: text }] },
    ],
  };
}

function startOf(modelPath: string): string {
  const model = path.basename(modelPath);
  // `none` needs no files and says so; synthesised data is not available in this version.
  return newRecipe({ model, output: model.replace(/(\.[^.]+)?$/, '.int8.onnx'), data: { source: 'none' } });
}

function recipeEdit(action: RecipeAction): RecipeEdit[] {
  const { kind, layer } = action;
  switch (kind) {
    case 'quantize-int4':
      return layer === undefined
        ? [{ kind: 'set-default', weights: 'int4', activations: 'float' }]
        : [{ kind: 'set-rule', layer, weights: 'int4', activations: 'float' }];
    case 'quantize-int8':
      return layer === undefined
        ? [{ kind: 'set-default', weights: 'int8.channel', activations: 'uint8.tensor' }]
        : [{ kind: 'set-rule', layer, weights: 'int8.channel', activations: 'uint8.tensor' }];
    case 'keep-float':
      return layer === undefined ? [] : [{ kind: 'keep-float', layer }];
    case 'per-channel-weights':
      return layer === undefined
        ? [{ kind: 'set-default', weights: 'int8.channel' }]
        : [{ kind: 'per-channel', layer }];
    case 'fold-batchnorm':
      return [{ kind: 'add-method', method: 'fold-batchnorm' }];
  }
}

function withPath(issues: readonly Issue[], file: string): Issue[] {
  return issues.map((one) => ({ ...one, anchor: { ...one.anchor, path: file } }));
}
