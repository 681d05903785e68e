/** The layers of the active model as a native tree: verdict as icon, error figures beside the name, actions by menu. */
import * as vscode from 'vscode';
import type { ErrorCell, LayerRow, ModelView, Verdict } from '../../server/src/protocol/views';
import { cellText, effectText, formatCell, verdictText } from './figures';
import { bestKnown, decisiveCell, hasNothingToQuantize, shortFormat } from './figures-order';
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
  /** What the figures beside the names are. */
  private common: string | undefined;

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
    item.description = description(layer, this.common);
    item.iconPath = icons[verdict];
    item.contextValue = context(layer, storesGraph(model));
    item.tooltip = tooltip(layer, decisive);
    item.accessibilityInformation = {
      label: `${layer.name}, ${layer.op}, ${verdictText(verdict)}, ${inWords(layer)}`,
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
    this.common = this.models.activeView && commonKind(this.models.activeView);
    this.view.message = messageOf(this.models.activeView, this.common);
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

/** `46.4 dB int8, 21.0 dB int4, weight → int8.channel`; once measured `26.9 dB cumulative → int8.channel`. */
function inWords(layer: LayerRow): string {
  const best = bestKnown(layer);
  const [first] = best;
  if (layer.storedAs !== undefined && !first) return vscode.l10n.t('stored as {0}', layer.storedAs);
  const figures = best.map((cell) => `${cellText(cell)} ${shortFormat(cell.format)}`);
  const known = first ? [`${figures.join(', ')}, ${effectText(first.effect)}`] : [];
  return [...known, ...(layer.planned === undefined ? [] : [`→ ${layer.planned}`])].join(' ');
}

/**
 * The same as short as it can be, the figure first, for what is longer than the side bar is cut: what the line above the
 * rows says of all of them is left out, and of formats all but the type; the tooltip has both.
 */
function description(layer: LayerRow, common: string | undefined): string {
  const best = bestKnown(layer);
  const [first] = best;
  // What is no figure can only be the type of the codes.
  if (!first) return layer.storedAs ?? inWords(layer);
  const figures = best.map(cellText).join(' / ').replaceAll(' dB /', ' /');
  const kind = kindOf(best) === common ? '' : ` ${shortFormat(first.format)} ${effectText(first.effect)}`;
  const planned = layer.planned === undefined ? '' : ` → ${shortFormat(layer.planned)}`;
  return `${figures}${kind}${planned}`;
}

/** What the figures of a layer are: `weight int8.channel / int4.channel`, `cumulative w8a8`. */
function kindOf(best: readonly ErrorCell[]): string {
  const [first] = best;
  return first ? `${effectText(first.effect)} ${best.map(({ format }) => format).join(' / ')}` : '';
}

/** What the figures of most layers are; undefined where nobody has one. */
function commonKind({ layers }: ModelView): string | undefined {
  const counts = new Map<string, number>();
  for (const layer of layers) {
    const kind = kindOf(bestKnown(layer));
    if (kind !== '') counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return [...counts].reduce<readonly [string, number] | undefined>(
    (most, one) => (most && most[1] >= one[1] ? most : one),
    undefined,
  )?.[0];
}

/** One line above the rows: why there are none, what is missing, or what the figures are. */
function messageOf(view: ModelView | undefined, common: string | undefined): string | undefined {
  if (view === undefined) return undefined;
  if (view.state === 'failed') return view.problems[0] ?? vscode.l10n.t('The model cannot be read.');
  if (view.state === 'too-large') return vscode.l10n.t('Large model: weights are measured on request.');
  if (view.layers.length === 0) return vscode.l10n.t('No layer with constant weights was found.');
  return common === undefined ? undefined : vscode.l10n.t('Figures: SQNR, {0}', common);
}

/** int2 and int3 are analysed, yet stored and offered nowhere; hovers and tables leave them out as well. */
function isOffered({ format }: ErrorCell): boolean {
  return !/^u?int[23]\b/.test(format);
}

/** A table of the figures. Names come from the file, hence appended as text. */
function tooltip(layer: LayerRow, decisive: ErrorCell | undefined): vscode.MarkdownString {
  const markdown = new vscode.MarkdownString();
  markdown.appendText(`${layer.name} (${layer.op}, ${layer.shape.join('×')})`);
  markdown.appendMarkdown('\n\n');
  markdown.appendText(inWords(layer));
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
