/** What a recipe decides, as Python for another library: a job that reads headers, so no trust is needed. */
import * as path from 'node:path';
import { issue } from '../../engine/base/issue';
import type { Engine } from '../../engine/index';
import { recipePath } from '../../engine/recipe-data';
import type { Issue } from '../../protocol/issues';
import type { ExportCodeParams, ExportCodeReply } from '../../protocol/lsp-ext';
import { line } from '../../rules/words';
import { pathOf } from '../convert';
import type { Workspace } from '../workspace';

export async function exportCode(
  { engine, workspace }: { readonly engine: Engine; readonly workspace: Workspace },
  { recipeUri, library }: ExportCodeParams,
  signal: AbortSignal,
): Promise<ExportCodeReply> {
  const file = pathOf(recipeUri);
  const recipeName = path.basename(file);
  const fileName = `${recipeName.replace(/\.quant\.json$/i, '')}_${library}.py`;
  const failed = (issues: readonly Issue[]): ExportCodeReply => ({ fileName, problems: issues.map(line) });
  const recipe = workspace.recipe(recipeUri, file)?.recipe;
  if (!recipe) return failed([issue('recipe-syntax', { reason: 'it holds no object' }, { path: file })]);
  if (recipe.model === undefined) {
    const facts = { key: 'model', reason: 'missing', expected: 'the path of a model' };
    return failed([issue('recipe-value', facts, { path: file })]);
  }
  const model = recipePath(path.dirname(file), recipe.model);
  const text = workspace.recipeText(recipeUri, file);
  const end = await engine.run(
    { kind: 'code', model, recipe: text, recipeName, library, ...workspace.common() },
    { signal },
  );
  if (!end.value) return failed(end.issues);
  return { text: end.value.text, fileName, problems: end.issues.map(line) };
}
