/**
 * The models that the editor shows: the last view of each as the server sent it, and which one is active. The layer
 * tree, the calibration panel and the custom editors all read from here.
 */
import * as vscode from 'vscode';
import type { ModelView } from '../../server/src/protocol/views';
import type { Server } from './client';
import { modelNamed } from './recipe-model';
import { modelOfTextView } from './text-view';

export const modelEditorType = 'quantlens.model';

export const modelExtensions = ['onnx', 'safetensors', 'gguf'] as const;

/** The index of a safetensors model in several files stands for all of them. */
const modelFiles = `**/*.{${modelExtensions.join(',')},safetensors.index.json}`;

/** Enough for a list to choose from. */
const maximumListed = 500;

export class Models implements vscode.Disposable {
  private readonly views = new Map<string, ModelView>();
  private readonly changed = new vscode.EventEmitter<ModelView>();
  private readonly activeChanged = new vscode.EventEmitter<vscode.Uri | undefined>();
  private readonly disposables: vscode.Disposable[];
  private activeUri: vscode.Uri | undefined;
  /** Requests under way, so that an editor and the tree do not both ask. */
  private readonly asked = new Map<string, Promise<ModelView>>();

  /** Fires for every new view, whichever way it came. */
  readonly onChanged = this.changed.event;
  /** Fires when another model becomes the active one. */
  readonly onActiveChanged = this.activeChanged.event;

  constructor(
    private readonly server: Server,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.disposables = [
      server.onViewChanged((view) => this.keep(view)),
      // A new server process knows nothing of what is open.
      server.onStarted(() => this.reload()),
      vscode.window.tabGroups.onDidChangeTabs(() => this.followTabs()),
      vscode.window.tabGroups.onDidChangeTabGroups(() => this.followTabs()),
    ];
    this.followTabs();
  }

  /** The model last looked at: its editor, its text or its recipe. */
  get active(): vscode.Uri | undefined {
    return this.activeUri;
  }

  get activeView(): ModelView | undefined {
    return this.activeUri && this.view(this.activeUri);
  }

  view(uri: vscode.Uri): ModelView | undefined {
    return this.views.get(uri.toString());
  }

  /** Asks the server for a model's view and keeps it. Throws when the server cannot be asked. */
  async load(uri: vscode.Uri): Promise<ModelView> {
    const key = uri.toString();
    const asked = this.asked.get(key) ?? this.ask(key, false).finally(() => this.asked.delete(key));
    this.asked.set(key, asked);
    return asked;
  }

  /** Has the weights analysed whatever their size. */
  async measure(uri: vscode.Uri): Promise<ModelView> {
    return this.ask(uri.toString(), true);
  }

  setActive(uri: vscode.Uri): void {
    // Other schemes (a version in git, say) have no file that the server could read.
    if (uri.scheme !== 'file' || this.activeUri?.toString() === uri.toString()) return;
    this.activeUri = uri;
    this.activeChanged.fire(uri);
    if (!this.view(uri)) this.loadQuietly(uri);
  }

  /** Forgets a model whose editor was closed. */
  forget(uri: vscode.Uri): void {
    this.views.delete(uri.toString());
    if (this.activeUri?.toString() !== uri.toString()) return;
    this.activeUri = undefined;
    this.activeChanged.fire(undefined);
    this.followTabs();
  }

  /** Models of the workspace and those given, by name. */
  async list(
    more: readonly (vscode.Uri | undefined)[] = [],
  ): Promise<readonly { readonly uri: string; readonly name: string }[]> {
    const found = await vscode.workspace.findFiles(modelFiles, '**/node_modules/**', maximumListed);
    const wanted = [...found, this.activeUri, ...more].filter((uri) => uri !== undefined);
    const all = new Map(wanted.map((uri) => [uri.toString(), uri]));
    return [...all.values()]
      .map((uri) => ({ uri: uri.toString(), name: vscode.workspace.asRelativePath(uri) }))
      .sort((one, other) => one.name.localeCompare(other.name));
  }

  dispose(): void {
    for (const one of [...this.disposables, this.changed, this.activeChanged]) one.dispose();
  }

  private async ask(uri: string, measure: boolean): Promise<ModelView> {
    const view = await this.server.modelView({ uri, measure });
    this.keep(view);
    return view;
  }

  private keep(view: ModelView): void {
    this.views.set(vscode.Uri.parse(view.uri).toString(), view);
    this.changed.fire(view);
  }

  private reload(): void {
    const known = new Set(this.views.keys());
    if (this.activeUri) known.add(this.activeUri.toString());
    for (const uri of known) this.loadQuietly(vscode.Uri.parse(uri));
  }

  /** For views that nobody waits for: the editor of the model says itself what went wrong. */
  private loadQuietly(uri: vscode.Uri): void {
    this.load(uri).catch((error: Error) => this.log.warn(`${uri.toString()}: ${error.message}`));
  }

  private followTabs(): void {
    const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
    if (input instanceof vscode.TabInputCustom && input.viewType === modelEditorType)
      this.setActive(input.uri);
    if (!(input instanceof vscode.TabInputText)) return;
    const model = modelOfTextView(input.uri);
    if (model) this.setActive(model);
    else if (input.uri.path.endsWith('.quant.json')) void this.followRecipe(input.uri);
  }

  /** A recipe's model becomes active when the file exists and the recipe is still in front. */
  private async followRecipe(recipe: vscode.Uri): Promise<void> {
    try {
      const document = await vscode.workspace.openTextDocument(recipe);
      const model = modelNamed(document.getText(), recipe);
      if (!model) return;
      await vscode.workspace.fs.stat(model);
      const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
      const isInFront = input instanceof vscode.TabInputText && input.uri.toString() === recipe.toString();
      if (isInFront) this.setActive(model);
    } catch {
      // The recipe's own diagnostics say that its model does not exist.
    }
  }
}
