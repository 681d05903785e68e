/** Which samples a model runs on: what forms start with, what they were last sent off with, and the dialog to choose. */
import * as vscode from 'vscode';
import type { CompareData } from '../../server/src/protocol/panel';
import type { CalibrationRequest } from '../../server/src/protocol/views';
import { calibrationDefaults, readRecipe } from './recipe-defaults';

/** Key of the last form per model in the workspace's memory. */
const requestsKey = 'calibrationRequests';

/** Key of the samples last chosen for a comparison, by pair. */
const comparisonsKey = 'comparisonData';

/** Pairs whose samples are remembered. */
const maximumPairs = 50;

/** What the form was last sent off with for a model, in this workspace. */
export function rememberedRequest(
  context: vscode.ExtensionContext,
  modelUri: string,
): CalibrationRequest | undefined {
  return remembered<CalibrationRequest>(context, requestsKey)[modelUri];
}

export async function rememberRequest(
  context: vscode.ExtensionContext,
  request: CalibrationRequest,
): Promise<void> {
  const all = remembered<CalibrationRequest>(context, requestsKey);
  await context.workspaceState.update(requestsKey, { ...all, [request.modelUri]: request });
}

/** The samples that were last chosen for a pair of models. */
export function rememberedComparison(
  context: vscode.ExtensionContext,
  pair: string,
): CompareData | undefined {
  return remembered<CompareData>(context, comparisonsKey)[pair];
}

export async function rememberComparison(
  context: vscode.ExtensionContext,
  pair: string,
  data: CompareData,
): Promise<void> {
  const { [pair]: _before, ...others } = remembered<CompareData>(context, comparisonsKey);
  const kept = Object.entries(others).slice(1 - maximumPairs);
  await context.workspaceState.update(comparisonsKey, Object.fromEntries([...kept, [pair, data]]));
}

/** What a form starts with: the last run on this model, else what the recipe beside it says. */
export async function startValues(
  context: vscode.ExtensionContext,
  model: vscode.Uri,
): Promise<Partial<CalibrationRequest>> {
  const last = rememberedRequest(context, model.toString());
  if (last) return last;
  const text = await recipeTextOf(model);
  return text === undefined
    ? {}
    : calibrationDefaults(readRecipe(text), vscode.Uri.joinPath(model, '..').fsPath);
}

/** Text of the recipe beside a model as the disk has it; undefined without one. */
export async function recipeTextOf(model: vscode.Uri): Promise<string | undefined> {
  try {
    return new TextDecoder().decode(await vscode.workspace.fs.readFile(recipeBeside(model)));
  } catch {
    return undefined;
  }
}

export function recipeBeside(model: vscode.Uri): vscode.Uri {
  return model.with({ path: model.path.replace(/\.onnx$/, '.quant.json') });
}

/** Asks for a folder or file of samples, beginning beside the model. */
export async function pickData(
  kind: 'folder' | 'file',
  model: vscode.Uri | undefined,
  words: { readonly openLabel: string; readonly fileTitle: string },
): Promise<vscode.Uri | undefined> {
  const folder = kind === 'folder';
  const [picked] =
    (await vscode.window.showOpenDialog({
      canSelectFolders: folder,
      canSelectFiles: !folder,
      defaultUri: model && vscode.Uri.joinPath(model, '..'),
      openLabel: words.openLabel,
      title: folder ? vscode.l10n.t('Folder of images or of input_*.pb files') : words.fileTitle,
      filters: folder ? undefined : { NumPy: ['npy', 'npz'] },
    })) ?? [];
  return picked;
}

function remembered<T>(context: vscode.ExtensionContext, key: string): Readonly<Record<string, T>> {
  return context.workspaceState.get(key, {});
}
