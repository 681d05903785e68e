/** The history of runs as a native tree: what was run, how it ended, and what can be done with it; newest first. */
import * as vscode from 'vscode';
import type { RunRecord } from '../../server/src/protocol/views';
import type { Server } from './client';
import { detailsBelowSummary, runFigures, runTitle } from './run-text';
import { baseName } from './text-view';

export const runsView = 'quantlens.runs';

/** Key of the choice between one list and a list per model. */
const groupedKey = 'runsByModel';

const icons: Readonly<Record<RunRecord['kind'], string>> = {
  calibrate: 'pulse',
  quantize: 'fold',
  compare: 'git-compare',
  'output-effect': 'graph',
  analyze: 'microscope',
  evaluate: 'checklist',
};

/** One row: a run, or a model above its runs. Commands of a run's menu get it as argument. */
export type RunItem =
  | { readonly run: RunRecord }
  | { readonly model: string; readonly runs: readonly RunRecord[] };

export class RunTree implements vscode.TreeDataProvider<RunItem>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  private readonly view: vscode.TreeView<RunItem>;
  private readonly disposables: vscode.Disposable[];
  private runs: readonly RunRecord[] | undefined;
  private grouped: boolean;

  readonly onDidChangeTreeData = this.changed.event;

  constructor(
    private readonly server: Server,
    private readonly memory: vscode.Memento,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.grouped = memory.get(groupedKey, false);
    this.view = vscode.window.createTreeView(runsView, { treeDataProvider: this, showCollapseAll: false });
    this.disposables = [
      this.view,
      this.changed,
      server.onHistoryChanged(() => this.refresh()),
      server.onStarted(() => this.refresh()),
    ];
    this.showContext();
  }

  /** One list of all runs, or a list below each model. */
  setGrouped(grouped: boolean): void {
    this.grouped = grouped;
    void this.memory.update(groupedKey, grouped);
    this.showContext();
    this.changed.fire(undefined);
  }

  async getChildren(parent?: RunItem): Promise<RunItem[]> {
    if (parent) return 'runs' in parent ? parent.runs.map((run) => ({ run })) : [];
    const runs = await this.load();
    void vscode.commands.executeCommand('setContext', 'quantlens.hasRuns', runs.length > 0);
    if (!this.grouped) return runs.map((run) => ({ run }));
    const models = new Map<string, RunRecord[]>();
    for (const run of runs) models.set(run.modelUri, [...(models.get(run.modelUri) ?? []), run]);
    return [...models].map(([model, mine]) => ({ model, runs: mine }));
  }

  getTreeItem(item: RunItem): vscode.TreeItem {
    if ('runs' in item) {
      const model = vscode.Uri.parse(item.model);
      const row = new vscode.TreeItem(baseName(model), vscode.TreeItemCollapsibleState.Expanded);
      row.description =
        item.runs.length === 1 ? vscode.l10n.t('1 run') : vscode.l10n.t('{0} runs', item.runs.length);
      row.tooltip = model.fsPath;
      row.contextValue = 'model';
      return row;
    }
    const { run } = item;
    const title = runTitle(run);
    const row = new vscode.TreeItem(title);
    row.id = run.id;
    row.description = runFigures(run, this.grouped ? undefined : baseName(vscode.Uri.parse(run.modelUri)));
    row.iconPath = icon(run);
    row.tooltip = tooltip(run);
    row.contextValue = `run ${run.kind}${run.outputUri === undefined ? '' : ' output'}${run.request ? ' again' : ''}`;
    row.accessibilityInformation = { label: `${title}, ${row.description}` };
    row.command = {
      command: 'quantlens.run.openOutput',
      title: vscode.l10n.t('Open what the run produced'),
      arguments: [item],
    };
    return row;
  }

  dispose(): void {
    for (const one of this.disposables) one.dispose();
  }

  private refresh(): void {
    this.runs = undefined;
    this.changed.fire(undefined);
  }

  private async load(): Promise<readonly RunRecord[]> {
    try {
      this.runs ??= await this.server.history({});
    } catch (error) {
      // The server's own trouble is told by itself; the tree fills when it is back.
      this.log.warn(`history: ${error instanceof Error ? error.message : String(error)}`);
    }
    return this.runs ?? [];
  }

  private showContext(): void {
    void vscode.commands.executeCommand('setContext', 'quantlens.runsByModel', this.grouped);
  }
}

/** The kind as sign; how it ended as colour and, in words, in the description. */
function icon({ kind, state }: RunRecord): vscode.ThemeIcon {
  if (state === 'failed') return new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground'));
  if (state === 'cancelled')
    return new vscode.ThemeIcon('circle-slash', new vscode.ThemeColor('disabledForeground'));
  return new vscode.ThemeIcon(icons[kind]);
}

/** Names come from files, hence appended as text. */
function tooltip(run: RunRecord): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString();
  markdown.appendText(run.summary);
  for (const [label, value] of detailsBelowSummary(run)) {
    markdown.appendMarkdown('\n\n');
    markdown.appendText(`${label}: ${value}`);
  }
  return markdown;
}
