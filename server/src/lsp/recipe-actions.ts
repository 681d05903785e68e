/**
 * What a quick fix, button or tree item changes in a model's recipe, as one LSP workspace edit: the recipe is created
 * when absent, comments stay, undo works.
 */
import * as path from 'node:path';
import { TextDocument } from 'vscode-languageserver-textdocument';
import type { TextEdit, WorkspaceEdit } from 'vscode-languageserver-types';
import { hasErrors, type Issue, issue } from '../engine/base/issue';
import { fail, type Outcome, ok } from '../engine/base/outcome';
import { editRecipeAll, type RecipeEdit } from '../engine/format/recipe-edit';
import { fixEdits } from '../engine/format/recipe-fix';
import { newRecipe } from '../engine/format/recipe-new';
import { dataSection } from '../engine/recipe-data';
import type { DataSpec } from '../protocol/reports';
import type { RecipeAction } from '../protocol/views';
import type { ClientFacts } from './client-facts';
import { pathOf, recipePathOf, uriOf } from './convert';

/** A recipe as it stands. */
export interface RecipeText {
  readonly text: string;
  /** Version of the open document; null when it is not open. */
  readonly version: number | null;
}

/** What a new recipe takes over from the last calibration of its model. */
export interface LastCalibration {
  readonly data: DataSpec;
  readonly estimator: string;
}

export interface ReadRecipe {
  /** The recipe as editor or disk have it; undefined when it does not exist. */
  (uri: string, file: string): RecipeText | undefined;
  /** The last calibration of a model, by its path; undefined when there was none. */
  readonly calibrated?: (model: string) => LastCalibration | undefined;
}

export interface RecipeChange {
  readonly recipeUri: string;
  readonly version: number | null;
  /** True when the recipe does not exist yet. */
  readonly isNew: boolean;
  readonly edits: TextEdit[];
}

export interface RecipeChangeInput {
  /** Path of the model. */
  readonly model: string;
  /** The recipe to change; default: the one beside the model. */
  readonly recipeUri?: string;
  readonly actions: readonly RecipeAction[];
}

/** The change for actions on a model; issues when its recipe cannot be edited (broken JSON) or makes no sense. */
export function recipeChange(input: RecipeChangeInput, read: ReadRecipe): Outcome<RecipeChange> {
  const { model } = input;
  if (/\.(safetensors(\.index\.json)?|gguf)$/i.test(model)) {
    return fail(
      issue(
        'unsupported-feature',
        { what: 'quantizing a file of weights without a graph', next: 'Export the model to ONNX.' },
        { path: model },
      ),
    );
  }
  const recipeUri = input.recipeUri ?? uriOf(recipePathOf(model));
  const file = input.recipeUri === undefined ? recipePathOf(model) : pathOf(recipeUri);
  const changes = input.actions.flatMap(editsOf);
  const present = read(recipeUri, file);
  const edited = editRecipeAll(
    present?.text ?? startOf(model, path.dirname(file), read.calibrated?.(model)),
    changes,
  );
  if (hasErrors(edited.issues)) return fail(...withPath(edited.issues, file));
  if (!present) {
    const start = { line: 0, character: 0 };
    const edits = [{ range: { start, end: start }, newText: edited.text }];
    return ok({ recipeUri, version: null, isNew: true, edits });
  }
  const document = TextDocument.create(recipeUri, 'jsonc', 0, present.text);
  const edits = edited.edits.map(({ offset, length, content }) => ({
    range: { start: document.positionAt(offset), end: document.positionAt(offset + length) },
    newText: content,
  }));
  return ok({ recipeUri, version: present.version, isNew: false, edits });
}

export function changesSomething(change: RecipeChange): boolean {
  return change.edits.length > 0;
}

/** The change in the richest form that the client understands. */
export function workspaceEdit(
  { recipeUri: uri, version, isNew, edits }: RecipeChange,
  client: Pick<ClientFacts, 'documentChanges' | 'createsFiles'>,
): WorkspaceEdit {
  // Editors without file operations open an edited file that does not exist as a new, unsaved one.
  if (!client.documentChanges || (isNew && !client.createsFiles)) return { changes: { [uri]: edits } };
  const change = { textDocument: { uri, version }, edits };
  if (!isNew) return { documentChanges: [change] };
  return { documentChanges: [{ kind: 'create', uri, options: { ignoreIfExists: true } }, change] };
}

/** What was calibrated on is what the figures beside the new recipe speak of. */
function startOf(modelPath: string, folder: string, last: LastCalibration | undefined): string {
  const model = path.basename(modelPath);
  return newRecipe({
    model,
    output: model.replace(/(\.[^.]+)?$/, '.int8.onnx'),
    // `none` needs no files and says so.
    data: last ? dataSection(last.data, folder) : { source: 'none' },
    ...(last ? { estimator: last.estimator } : {}),
  });
}

function editsOf(action: RecipeAction): readonly RecipeEdit[] {
  if (action.kind !== 'weights') return fixEdits(action.kind, action.layer);
  return [{ kind: 'set-weights', layer: action.layer, weights: action.weights }];
}

function withPath(issues: readonly Issue[], file: string): Issue[] {
  return issues.map((one) => ({ ...one, anchor: { ...one.anchor, path: file } }));
}
