/** What each command does. Arguments come from lenses and hovers (URIs as text), menus (URIs, tree rows) or nobody. */
import * as vscode from 'vscode';
import type { FixKind } from '../../server/src/protocol/reports';
import type { RecipeAction } from '../../server/src/protocol/views';
import type { CalibrationPanel } from './calibration-panel';
import type { Calibrations } from './calibrations';
import type { Server } from './client';
import { type CommandId, commandIds } from './command-ids';
import { showLayerActions } from './layer-actions';
import type { LayerItem, LayerTree } from './layer-tree';
import { type Models, modelEditorType, modelExtensions } from './models';
import { chooseScheme, quantizeModel } from './quantize';
import { applyRecipe, editRecipe, showRecipe } from './recipe';
import { modelOfTextView, onlyLocal, showAsText } from './text-view';
import { requireTrust } from './trust';

export interface Services {
  readonly context: vscode.ExtensionContext;
  readonly log: vscode.LogOutputChannel;
  readonly server: Server;
  readonly models: Models;
  readonly calibrations: Calibrations;
  readonly panel: CalibrationPanel;
  readonly layers: LayerTree;
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

  'quantlens.calibrate': async ({ models, panel }, argument) => {
    const model = await modelOf(models, argument);
    if (model && (await requireTrust())) await panel.open(model);
  },

  'quantlens.quantize': async (services, argument, scheme) => {
    const model = await modelOf(services.models, argument);
    if (!model || !(await requireTrust())) return undefined;
    const chosen = typeof scheme === 'string' ? { scheme } : await chooseScheme(model);
    return chosen && quantizeModel(services, { modelUri: model.toString(), ...chosen });
  },

  'quantlens.applyRecipe': async (services, argument) => {
    const recipe = uriOf(argument) ?? activeRecipe() ?? recipeOf(services.models);
    if (!recipe) return inform(vscode.l10n.t('Open a recipe (NAME.quant.json) first.'));
    return (await requireTrust()) ? applyRecipe(services, recipe) : undefined;
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
};

async function planLayer({ server }: Services, item: unknown, kind: FixKind): Promise<unknown> {
  return isLayerItem(item) && editRecipe(server, item.model, [{ kind, layer: item.layer.name }]);
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
