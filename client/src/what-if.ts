/**
 * *What if* as a list to choose from: one layer's weight in every bit width and granularity, measured while the list is
 * open. Typing a format that is not listed, such as `int5.group64.asym`, measures it too; Enter writes the choice into
 * the recipe.
 */
import * as vscode from 'vscode';
import type { LayerRow, ModelView, WhatIfAnswer } from '../../server/src/protocol/views';
import type { Server } from './client';
import { cellText, verdictGlyph, verdictText } from './figures';
import type { Models } from './models';
import { editRecipe } from './recipe';
import { storesGraph } from './schemes';
import { modelOfTextView } from './text-view';

interface Services {
  readonly server: Server;
  readonly models: Models;
}

interface FormatItem extends vscode.QuickPickItem {
  readonly format?: string;
}

const bits = [8, 7, 6, 5, 4, 3, 2] as const;
const scopes = ['channel', 'group32', 'group128', 'group16', 'group64', 'group256', 'tensor'] as const;

/** Formats other than integers. */
const others = ['fp8e4m3', 'fp8e5m2', 'mxfp4', 'mxfp6e2m3', 'mxfp8e4m3', 'nvfp4', 'nf4', 'kmeans4'] as const;

/** Looks like the name of a format, so that it is worth asking for. */
const typedFormat = /^(u?int([2-8]|16)(\.(tensor|channel|group\d+))?(\.(sym|asym))?|[a-z]+\d[\w.]*)$/;

/** Asks what a layer's weight costs in other formats, and writes the one chosen into the recipe. */
export async function showWhatIf(services: Services, model: vscode.Uri, name?: string): Promise<void> {
  const view = services.models.view(model) ?? (await services.models.load(model));
  const layer = name === undefined ? await chooseLayer(view) : view.layers.find((one) => one.name === name);
  if (!layer) return;
  if (layer.storedAs !== undefined) {
    void vscode.window.showInformationMessage(
      vscode.l10n.t('{0} is stored as {1}: quantized already.', layer.name, layer.storedAs),
    );
    return;
  }
  const chosen = await new WhatIfList(services.server, model, layer).show();
  if (chosen === undefined) return;
  if (!storesGraph(model)) {
    void vscode.window.showInformationMessage(noRecipe());
    return;
  }
  if (chosen.refusal !== undefined) {
    void vscode.window.showWarningMessage(chosen.refusal);
    return;
  }
  await editRecipe(services.server, model, [{ kind: 'weights', layer: layer.name, weights: chosen.format }]);
}

/** The layer whose node the cursor of a model's text stands on; undefined elsewhere. */
export async function layerAtCursor(
  models: Models,
  model: vscode.Uri | undefined,
): Promise<string | undefined> {
  const editor = vscode.window.activeTextEditor;
  if (!model || !editor || modelOfTextView(editor.document.uri)?.toString() !== model.toString())
    return undefined;
  const names = new Set(models.view(model)?.layers.map(({ name }) => name));
  const symbols = await vscode.commands.executeCommand<vscode.DocumentSymbol[] | undefined>(
    'vscode.executeDocumentSymbolProvider',
    editor.document.uri,
  );
  const found = symbolAt(symbols ?? [], editor.selection.active);
  return found.find((name) => names.has(name));
}

/** Names of the symbols around a place, innermost first. */
function symbolAt(symbols: readonly vscode.DocumentSymbol[], place: vscode.Position): readonly string[] {
  return symbols
    .filter(({ range }) => range.contains(place))
    .flatMap((symbol) => [...symbolAt(symbol.children, place), symbol.name]);
}

function noRecipe(): string {
  return vscode.l10n.t('This file holds weights without a graph: it is measured, yet not quantized here.');
}

async function chooseLayer(view: ModelView): Promise<LayerRow | undefined> {
  const items = view.layers
    .filter(({ storedAs }) => storedAs === undefined)
    .map((layer) => ({ label: layer.name, description: `${layer.op} ${layer.shape.join('×')}`, layer }));
  const placeHolder = vscode.l10n.t('What if which layer were quantized?');
  return (await vscode.window.showQuickPick(items, { placeHolder, matchOnDescription: true }))?.layer;
}

/** The open list. */
class WhatIfList {
  private readonly picker = vscode.window.createQuickPick<FormatItem>();
  private readonly cancellation = new vscode.CancellationTokenSource();
  private readonly cells = new Map<string, WhatIfAnswer['cells'][number]>();
  private readonly refusals = new Map<string, string>();
  /** Why a format that was typed cannot be measured. */
  private readonly problems = new Map<string, string>();
  private asymmetric = false;
  /** A format that was typed and is not among those listed. */
  private typed: string | undefined;

  constructor(
    private readonly server: Server,
    private readonly model: vscode.Uri,
    private readonly layer: LayerRow,
  ) {}

  show(): Promise<{ readonly format: string; readonly refusal: string | undefined } | undefined> {
    const { picker } = this;
    picker.title = vscode.l10n.t(
      'What if: {0} ({1} {2})',
      this.layer.name,
      this.layer.op,
      this.layer.shape.join('×'),
    );
    picker.placeholder = storesGraph(this.model)
      ? vscode.l10n.t('Type to filter, or a format such as int5.group64.asym; Enter puts it into the recipe')
      : vscode.l10n.t('Type to filter, or a format such as int5.group64.asym');
    picker.matchOnDescription = true;
    picker.onDidChangeValue((value) => this.type(value.trim()));
    picker.onDidTriggerButton(() => {
      this.asymmetric = !this.asymmetric;
      this.render();
      void this.ask(this.listed());
    });
    this.render();
    void this.ask(this.listed());
    return new Promise((resolve) => {
      picker.onDidAccept(() => {
        const format = picker.selectedItems[0]?.format;
        if (format === undefined) return;
        resolve({ format, refusal: this.refusals.get(format) });
        picker.hide();
      });
      picker.onDidHide(() => {
        resolve(undefined);
        this.cancellation.cancel();
        this.cancellation.dispose();
        picker.dispose();
      });
      picker.show();
    });
  }

  private listed(): readonly string[] {
    const ending = this.asymmetric ? '.asym' : '';
    return [...scopes.flatMap((scope) => bits.map((width) => `int${width}.${scope}${ending}`)), ...others];
  }

  private isBeginning(value: string): boolean {
    return this.listed().some((format) => format.startsWith(value));
  }

  private type(value: string): void {
    const isNew = typedFormat.test(value) && !this.listed().includes(value);
    this.typed = isNew ? value : undefined;
    if (isNew && !this.cells.has(value) && !this.problems.has(value)) void this.ask([value]);
    else this.render();
  }

  /** Measures formats that were not asked yet; for what cannot be measured the reason is kept. */
  private async ask(formats: readonly string[]): Promise<void> {
    const missing = formats.filter((format) => !this.cells.has(format) && !this.problems.has(format));
    if (missing.length === 0) return;
    this.picker.busy = true;
    try {
      const answer = await this.server.whatIf(
        { modelUri: this.model.toString(), layer: this.layer.name, formats: missing },
        this.cancellation.token,
      );
      for (const cell of answer.cells) this.cells.set(cell.format, cell);
      for (const [format, reason] of Object.entries(answer.notExported)) this.refusals.set(format, reason);
      const [alone, ...more] = missing;
      const [problem] = answer.problems;
      if (alone !== undefined && more.length === 0 && answer.cells.length === 0 && problem !== undefined)
        this.problems.set(alone, problem);
      if (answer.cells.length === 0 && this.cells.size === 0) this.picker.placeholder = answer.problems[0];
    } catch (error) {
      if (this.cancellation.token.isCancellationRequested) return;
      this.picker.placeholder = error instanceof Error ? error.message : String(error);
    }
    this.picker.busy = false;
    this.render();
  }

  private render(): void {
    const { picker } = this;
    const [active] = picker.activeItems;
    picker.buttons = [
      {
        iconPath: new vscode.ThemeIcon(this.asymmetric ? 'symbol-ruler' : 'mirror'),
        tooltip: this.asymmetric
          ? vscode.l10n.t('Asymmetric: with zero points. Change to symmetric')
          : vscode.l10n.t('Symmetric: without zero points. Change to asymmetric'),
      },
    ];
    const items = this.items();
    picker.items = items;
    const again = items.find(({ format }) => format !== undefined && format === active?.format);
    if (again) picker.activeItems = [again];
  }

  private items(): readonly FormatItem[] {
    const ending = this.asymmetric ? '.asym' : '';
    const item = (format: string): FormatItem => ({
      label: format,
      description: this.description(format),
      format,
      ...(format === this.typed ? { alwaysShow: true } : {}),
    });
    const problem = this.typed === undefined ? undefined : this.problems.get(this.typed);
    const separator = (label: string): FormatItem => ({ label, kind: vscode.QuickPickItemKind.Separator });
    return [
      ...(this.typed !== undefined && this.cells.has(this.typed) ? [item(this.typed)] : []),
      // Without a format: the row tells and cannot be chosen. On the way to a format that is listed it stays silent.
      ...(this.typed !== undefined && problem !== undefined && !this.isBeginning(this.typed)
        ? [{ label: this.typed, detail: problem, iconPath: new vscode.ThemeIcon('error'), alwaysShow: true }]
        : []),
      ...scopes.flatMap((scope) => [
        separator(scopeText(scope)),
        ...bits.map((width) => item(`int${width}.${scope}${ending}`)),
      ]),
      separator(vscode.l10n.t('other formats')),
      ...others.map(item),
    ];
  }

  private description(format: string): string {
    const cell = this.cells.get(format);
    if (!cell) return vscode.l10n.t('measuring…');
    const parts = [
      `${cellText(cell)} ${verdictGlyph(cell.verdict)} ${verdictText(cell.verdict)}`,
      ...(cell.bytes === undefined
        ? []
        : [vscode.l10n.t('{0} B of {1} B', cell.bytes.toLocaleString(), this.layer.bytes.toLocaleString())]),
      ...(this.refusals.has(format) ? [vscode.l10n.t('measured only')] : []),
    ];
    return parts.join(' · ');
  }
}

function scopeText(scope: (typeof scopes)[number]): string {
  if (scope === 'tensor') return vscode.l10n.t('one scale for the tensor');
  if (scope === 'channel') return vscode.l10n.t('one scale per channel');
  return vscode.l10n.t('one scale per {0} weights', scope.slice('group'.length));
}
