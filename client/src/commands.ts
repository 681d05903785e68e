/** What each command does. Arguments come from lenses and hovers (URIs as text), menus (URIs, tree rows) or nobody. */
import * as vscode from 'vscode';
import type { FixKind } from '../../server/src/protocol/reports';
import type { CalibrationPrefill, RecipeAction, RunRecord } from '../../server/src/protocol/views';
import type { CalibrationPanel } from './calibration-panel';
import type { Calibrations } from './calibrations';
import type { Server } from './client';
import { type CommandId, commandIds } from './command-ids';
import { chooseOther, inOrder } from './compare-pair';
import type { ComparePanels } from './compare-panel';
import { exportCode } from './export-code';
import { insertQuantization } from './insert-quantization';
import { showLayerActions } from './layer-actions';
import type { LayerItem, LayerTree } from './layer-tree';
import { type Models, modelEditorType, modelExtensions } from './models';
import { chooseScheme, quantizeModel } from './quantize';
import { applyRecipe, editRecipe, showRecipe } from './recipe';
import {
  clearRuns,
  compareWithFloat,
  copyRuns,
  measureOutputEffect,
  openOutput,
  runAgain,
  runOf,
} from './run-actions';
import type { RunItem, RunTree } from './run-tree';
import { chooseScriptModel } from './script-model';
import { modelOfTextView, onlyLocal, showAsText } from './text-view';
import { requireTrust } from './trust';
import { layerAtCursor, showWhatIf } from './what-if';

export interface Services {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly server: Server;
  readonly models: Models;
  readonly calibrations: Calibrations;
  readonly panel: CalibrationPanel;
  readonly layers: LayerTree;
  readonly comparisons: ComparePanels;
  readonly runs: RunTree;
}

type Handler = (services: Services, ...args: readonly unknown[]) => Promise<unknown>;

/** Registers every command; a handler's error becomes a message, never an unhandled rejection. */
export function registerCommands(services: Services): vscode.Disposable {
  return vscode.Disposable.from(
    ...commandIds.map((id) =>
      vscode.commands.registerCommand(id, async (...args: readonly unknown[]) => {
        try {
          return await handlers[id](services, ...args);
        } catch (error) {
          services.log.error(
            `${id}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
          );
          await showError(error);
          return undefined;
        }
      }),
    ),
  );
}

const handlers: Readonly<Record<CommandId, Handler>> = {
  'quantlens.openModel': async (_services, argument) => {
    const model = uriOf(argument) ?? (await askForFile());
    if (model) await vscode.commands.executeCommand('vscode.openWith', model, modelEditorType);
  },

  'quantlens.openAsText': async ({ models, server }, argument, layer) => {
    const model = await modelOf(models, argument);
    if (!model) return;
    // The text comes from the server; before it runs the editor knows nobody who has it.
    await server.ready();
    await showAsText(model, models.view(model), typeof layer === 'string' ? layer : undefined);
  },

  'quantlens.calibrate': async ({ models, panel }, argument, filled) => {
    const model = await modelOf(models, argument ?? undefined);
    const prefill = isPrefill(filled) ? filled : undefined;
    // Filling a form in runs nothing; the panel itself says what needs trust.
    if (model && (prefill || (await requireTrust()))) await panel.open(model, prefill);
  },

  'quantlens.quantize': async (services, argument, scheme) => {
    const model = await modelOf(services.models, argument);
    if (!model || !(await requireTrust())) return undefined;
    const chosen = typeof scheme === 'string' ? { scheme } : await chooseScheme(model);
    return chosen && quantizeModel(services, { modelUri: model.toString(), ...chosen });
  },

  'quantlens.compareModels': async ({ models, comparisons }, argument, more) => {
    // A pair that is named is in order; two that are selected in the explorer come as a list.
    const named = typeof more === 'string' ? uriOf(more) : undefined;
    const model = await modelOf(models, argument);
    if (!model || !(await requireTrust())) return;
    if (named) {
      await comparisons.show(model, named);
      return;
    }
    const selected = Array.isArray(more) ? more.filter((one) => one instanceof vscode.Uri) : [];
    const other =
      selected.find((uri) => uri.toString() !== model.toString()) ?? (await chooseOther(models, model));
    if (!other) return;
    const { float, quantized } = await inOrder(model, other);
    await comparisons.show(float, quantized);
  },

  'quantlens.applyRecipe': async (services, argument) => {
    const recipe = uriOf(argument) ?? activeRecipe() ?? recipeOf(services.models);
    if (!recipe) return inform(vscode.l10n.t('Open a recipe (NAME.quant.json) first.'));
    return (await requireTrust()) ? applyRecipe(services, recipe) : undefined;
  },

  'quantlens.exportCode': async ({ models, server }, argument, library) => {
    const recipe = uriOf(argument) ?? activeRecipe() ?? recipeOf(models);
    if (!recipe) return inform(vscode.l10n.t('Open a recipe (NAME.quant.json) first.'));
    return exportCode(server, recipe, library);
  },

  'quantlens.insertQuantization': async ({ server }, argument, at) => {
    const script = uriOf(argument) ?? vscode.window.activeTextEditor?.document.uri;
    if (script) return insertQuantization(server, script, at);
    return inform(vscode.l10n.t('Open a Python script first.'));
  },

  'quantlens.chooseScriptModel': async ({ server }, argument, insteadOf) => {
    const script = uriOf(argument) ?? vscode.window.activeTextEditor?.document.uri;
    if (script) return chooseScriptModel(server, script, insteadOf);
    return inform(vscode.l10n.t('Open a Python script first.'));
  },

  'quantlens.editRecipe': async ({ server, models }, argument, actions) => {
    const model = await modelOf(models, argument);
    return model && isActions(actions) ? editRecipe(server, model, actions) : false;
  },

  'quantlens.openRecipe': async ({ server, models }, argument) => {
    const model = await modelOf(models, argument);
    if (!model) return;
    const known = models.view(model)?.recipeUri;
    if (known !== undefined) await showRecipe(vscode.Uri.parse(known));
    // No actions: the server answers the edit that creates a recipe without rules of its own.
    else await editRecipe(server, model, []);
  },

  'quantlens.measureWeights': async ({ models }, argument) => {
    const model = await modelOf(models, argument);
    if (model) await models.measure(model);
  },

  'quantlens.whatIf': async (services, argument, layer) => {
    const model = await modelOf(services.models, argument);
    const name = typeof layer === 'string' ? layer : await layerAtCursor(services.models, model);
    if (model) await showWhatIf(services, model, name);
  },

  'quantlens.measureOutputEffect': async ({ models, server }, argument) => {
    const model = await modelOf(models, argument);
    if (model) await measureOutputEffect(server, model);
  },

  'quantlens.restartServer': async ({ server }) => {
    await server.restart();
    await inform(vscode.l10n.t('The Quantlens language server was restarted.'));
  },

  'quantlens.showLog': async ({ log }) => log.show(true),

  'quantlens.clearCache': async ({ server }) => {
    const bytes = await server.clearCache();
    const freed = bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
    await inform(vscode.l10n.t('The Quantlens cache is empty; {0} were freed.', freed));
  },

  'quantlens.openWalkthrough': async ({ context }) => {
    await vscode.commands.executeCommand(
      'workbench.action.openWalkthrough',
      `${context.extension.id}#quantlens.start`,
      false,
    );
  },

  'quantlens.layerActions': async () => showLayerActions(),

  'quantlens.sortLayersByError': async ({ layers }) => layers.setOrder('error'),
  'quantlens.sortLayersByOrder': async ({ layers }) => layers.setOrder('graph'),

  'quantlens.layer.quantizeInt4': (services, item) => planLayer(services, item, 'quantize-int4'),
  'quantlens.layer.quantizeInt8': (services, item) => planLayer(services, item, 'quantize-int8'),
  'quantlens.layer.keepFloat': (services, item) => planLayer(services, item, 'keep-float'),
  'quantlens.layer.perChannel': (services, item) => planLayer(services, item, 'per-channel-weights'),
  'quantlens.layer.reveal': async ({ models }, item) => {
    if (isLayerItem(item)) await showAsText(item.model, models.view(item.model), item.layer.name);
  },
  'quantlens.layer.whatIf': async (services, item) => {
    if (isLayerItem(item)) await showWhatIf(services, item.model, item.layer.name);
  },

  'quantlens.run.openOutput': onRun((services, run) => openOutput(services, run)),
  'quantlens.run.again': onRun((services, run) => runAgain(services, run)),
  'quantlens.run.compare': onRun((_services, run) => compareWithFloat(run)),
  'quantlens.run.copyMarkdown': async (_services, item, more) => copyRuns(runItems(item, more), 'markdown'),
  'quantlens.run.copyJson': async (_services, item, more) => copyRuns(runItems(item, more), 'json'),
  'quantlens.run.forget': async ({ server }, item, more) => {
    const ids = runItems(item, more).flatMap((one) => runOf(one)?.id ?? []);
    if (ids.length > 0) await server.forgetRuns({ ids });
  },
  'quantlens.clearRuns': async ({ server }) => clearRuns(server),
  'quantlens.groupRunsByModel': async ({ runs }) => runs.setGrouped(true),
  'quantlens.listRuns': async ({ runs }) => runs.setGrouped(false),
};

async function planLayer({ server }: Services, item: unknown, kind: FixKind): Promise<unknown> {
  return isLayerItem(item) && editRecipe(server, item.model, [{ kind, layer: item.layer.name }]);
}

function onRun(use: (services: Services, run: RunRecord) => Promise<void>): Handler {
  return async (services, item) => {
    const run = runOf(item);
    if (run) await use(services, run);
  };
}

/** The row whose menu was opened, with the others when it is among those selected. */
function runItems(item: unknown, more: unknown): readonly RunItem[] {
  const all: readonly unknown[] = Array.isArray(more) && more.length > 0 ? more : [item];
  return all.filter((one): one is RunItem => runOf(one) !== undefined || isModelItem(one));
}

function isModelItem(argument: unknown): boolean {
  return Array.isArray((argument as { readonly runs?: unknown } | undefined)?.runs);
}

/** The model a command is about: its argument, the active one, or the user's choice. */
async function modelOf(models: Models, argument: unknown): Promise<vscode.Uri | undefined> {
  const given = uriOf(argument);
  const model = given ? (modelOfTextView(given) ?? given) : (models.active ?? (await askForModel(models)));
  if (!model || model.scheme === 'file') return model;
  await inform(onlyLocal(model));
  return undefined;
}

function uriOf(argument: unknown): vscode.Uri | undefined {
  if (argument instanceof vscode.Uri) return argument;
  return typeof argument === 'string' && argument !== '' ? vscode.Uri.parse(argument) : undefined;
}

async function askForModel(models: Models): Promise<vscode.Uri | undefined> {
  const known = await models.list();
  if (known.length === 0) return askForFile();
  const items = known.map(({ name, uri }) => ({ label: name, uri }));
  const chosen = await vscode.window.showQuickPick(items, { placeHolder: vscode.l10n.t('Which model?') });
  return chosen && vscode.Uri.parse(chosen.uri);
}

async function askForFile(): Promise<vscode.Uri | undefined> {
  const filters = { [vscode.l10n.t('Models')]: [...modelExtensions] };
  const [file] =
    (await vscode.window.showOpenDialog({ filters, openLabel: vscode.l10n.t('Open Model') })) ?? [];
  return file;
}

function activeRecipe(): vscode.Uri | undefined {
  const uri = vscode.window.activeTextEditor?.document.uri;
  return uri?.path.endsWith('.quant.json') ? uri : undefined;
}

function recipeOf(models: Models): vscode.Uri | undefined {
  const uri = models.activeView?.recipeUri;
  return uri === undefined ? undefined : vscode.Uri.parse(uri);
}

function isLayerItem(argument: unknown): argument is LayerItem {
  const item = argument as Partial<LayerItem> | undefined;
  return item?.model instanceof vscode.Uri && typeof item.layer?.name === 'string';
}

/** Only lenses and actions of the server hand one over; menus hand over other things. */
function isPrefill(value: unknown): value is CalibrationPrefill {
  return typeof value === 'object' && value !== null && 'from' in value && 'notes' in value;
}

function isActions(argument: unknown): argument is readonly RecipeAction[] {
  return Array.isArray(argument) && argument.every((one) => typeof one?.kind === 'string');
}

async function inform(message: string): Promise<void> {
  void vscode.window.showInformationMessage(message);
}

async function showError(error: unknown): Promise<void> {
  const showLog = vscode.l10n.t('Show Log');
  const message = error instanceof Error ? error.message : String(error);
  if ((await vscode.window.showErrorMessage(message, showLog)) === showLog)
    await vscode.commands.executeCommand('quantlens.showLog');
}
