/** The layers of the active model as a native tree: verdict as icon, error figures beside the name, actions by menu. */
import * as vscode from 'vscode';
import type { ErrorCell, LayerRow, ModelView, Verdict } from '../../server/src/protocol/views';
import { cellText, decisiveCell, effectText, formatCell, verdictText } from './figures';
import { bestKnown, hasNothingToQuantize } from './figures-order';
import type { Models } from './models';
import { storesGraph } from './schemes';

export const layersView = 'quantlens.layers';

const icons: Readonly<Record<Verdict, vscode.ThemeIcon>> = {
  good: new vscode.ThemeIcon('pass', new vscode.ThemeColor('charts.green')),
  watch: new vscode.ThemeIcon('warning', new vscode.ThemeColor('list.warningForeground')),
  bad: new vscode.ThemeIcon('error', new vscode.ThemeColor('list.errorForeground')),
  unknown: new vscode.ThemeIcon('circle-outline'),
};

/** One row of the tree; commands of its menu get it as argument. */
export interface LayerItem {
  readonly model: vscode.Uri;
  readonly layer: LayerRow;
}

export class LayerTree implements vscode.TreeDataProvider<LayerItem>, vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<undefined>();
  private readonly view: vscode.TreeView<LayerItem>;
  private readonly disposables: vscode.Disposable[];
  private order: 'graph' | 'error' = 'graph';

  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly models: Models) {
    this.view = vscode.window.createTreeView(layersView, { treeDataProvider: this, showCollapseAll: false });
    this.disposables = [
      this.view,
      this.changed,
      models.onActiveChanged(() => this.refresh()),
      models.onChanged((view) => {
        if (vscode.Uri.parse(view.uri).toString() === models.active?.toString()) this.refresh();
      }),
    ];
    this.setOrder('graph');
  }

  /** Order of the network, or the layer that suffers most first. */
  setOrder(order: 'graph' | 'error'): void {
    this.order = order;
    void vscode.commands.executeCommand('setContext', 'quantlens.layersByError', order === 'error');
    this.refresh();
  }

  getChildren(parent?: LayerItem): readonly LayerItem[] & LayerItem[] {
    const { active: model, activeView: view } = this.models;
    if (parent || !model || !view) return [];
    const items = view.layers.map((layer) => ({ model, layer }));
    if (this.order === 'graph') return items;
    const error = ({ layer }: LayerItem) => decisiveCell(layer)?.db ?? Number.POSITIVE_INFINITY;
    return items.sort((one, other) => error(one) - error(other) || 0);
  }

  getTreeItem({ model, layer }: LayerItem): vscode.TreeItem {
    const item = new vscode.TreeItem(layer.name);
    const decisive = decisiveCell(layer);
    const verdict = decisive?.verdict ?? 'unknown';
    item.description = description(layer);
    item.iconPath = icons[verdict];
    item.contextValue = context(layer, storesGraph(model));
    item.tooltip = tooltip(layer, decisive);
    item.accessibilityInformation = {
      label: `${layer.name}, ${layer.op}, ${verdictText(verdict)}, ${item.description}`,
    };
    // Without a graph there is no text to reveal it in.
    if (storesGraph(model))
      item.command = {
        command: 'quantlens.layer.reveal',
        title: vscode.l10n.t('Reveal in Text'),
        arguments: [{ model, layer } satisfies LayerItem],
      };
    return item;
  }

  dispose(): void {
    for (const one of this.disposables) one.dispose();
  }

  private refresh(): void {
    this.view.description = this.models.activeView?.name;
    this.view.message = messageOf(this.models.activeView);
    const nothing = this.models.activeView !== undefined && hasNothingToQuantize(this.models.activeView);
    void vscode.commands.executeCommand('setContext', 'quantlens.nothingToQuantize', nothing);
    this.changed.fire(undefined);
  }
}

/** What menus go by: `graph` where there is text and a recipe, `float` where a weight can become something else. */
function context({ storedAs, planned }: LayerRow, hasGraph: boolean): string {
  const words = [
    'layer',
    hasGraph && 'graph',
    storedAs === undefined && 'float',
    planned !== undefined && 'planned',
  ];
  return words.filter((word) => word !== false).join(' ');
}

/** `weight int8 46.4 dB, int4 21.0 dB → int8.channel`; once measured `cumulative 26.9 dB → int8.channel`. */
function description(layer: LayerRow): string {
  const best = bestKnown(layer);
  const [first] = best;
  const figures = best.map((cell) =>
    cell.effect === 'weight' ? `${cell.format.split('.')[0]} ${cellText(cell)}` : cellText(cell),
  );
  const known = first ? `${effectText(first.effect)} ${figures.join(', ')}` : '';
  if (layer.storedAs !== undefined && known === '') return vscode.l10n.t('stored as {0}', layer.storedAs);
  return layer.planned === undefined ? known : `${known} → ${layer.planned}`;
}

/** One line above the rows: why there are none, or what is missing. */
function messageOf(view: ModelView | undefined): string | undefined {
  if (view === undefined) return undefined;
  if (view.state === 'failed') return view.problems[0] ?? vscode.l10n.t('The model cannot be read.');
  if (view.state === 'too-large') return vscode.l10n.t('Large model: weights are measured on request.');
  return view.layers.length === 0 ? vscode.l10n.t('No layer with constant weights was found.') : undefined;
}

/** int2 and int3 are analysed, yet stored and offered nowhere; hovers and tables leave them out as well. */
function isOffered({ format }: ErrorCell): boolean {
  return !/^u?int[23]\b/.test(format);
}

/** A table of the figures. Names come from the file, hence appended as text. */
function tooltip(layer: LayerRow, decisive: ErrorCell | undefined): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString();
  markdown.appendText(`${layer.name} (${layer.op}, ${layer.shape.join('×')})`);
  if (decisive)
    markdown.appendMarkdown(
      `\n\n${vscode.l10n.t('Icon: {0} at {1}', verdictText(decisive.verdict), formatCell(decisive))}`,
    );
  if (layer.cells.length === 0) return markdown;
  const head = [
    vscode.l10n.t('format'),
    vscode.l10n.t('SQNR'),
    vscode.l10n.t('verdict'),
    vscode.l10n.t('size'),
  ];
  const rows = layer.cells
    .filter(isOffered)
    .map((cell) => [
      formatCell(cell),
      cellText(cell),
      verdictText(cell.verdict),
      cell.bytes === undefined ? '–' : vscode.l10n.t('{0} B', cell.bytes.toLocaleString()),
    ]);
  const lines = [head, ['---', '---:', '---', '---:'], ...rows].map((row) => `| ${row.join(' | ')} |`);
  markdown.appendMarkdown(`\n\n${lines.join('\n')}`);
  return markdown;
}
