/** Quick fixes and refactorings: they edit the recipe, never the model. */
import {
  type CodeAction,
  type CodeActionContext,
  CodeActionKind,
  type Diagnostic,
  type Range,
} from 'vscode-languageserver-types';
import { nodeAt, symbolAt } from '../../engine/format/onnx-text';
import { chooseLayer } from '../../engine/format/recipe-match';
import { clientCommands } from '../../protocol/lsp-ext';
import type { FixKind, LayerReport } from '../../protocol/reports';
import { plannedWeightFormat } from '../../rules/planned';
import { isFloat } from '../../rules/stored-type';
import { editorWords, fixTitles } from '../../rules/words';
import { type DiagnosticData, label } from '../convert';
import { changesSomething, type ReadRecipe, recipeChange, workspaceEdit } from '../recipe-actions';
import { ruleAt } from '../recipe-places';
import type { Snapshot } from '../snapshot';

export const quantizeKind = `${CodeActionKind.RefactorRewrite}.quantize`;

/** Actions that make code of a recipe. */
const exportKind = `${CodeActionKind.RefactorRewrite}.exportCode`;

export const codeActionKinds = [CodeActionKind.QuickFix, quantizeKind, exportKind];

const layerKinds: readonly FixKind[] = ['quantize-int4', 'quantize-int8', 'keep-float'];

export interface ActionRequest {
  readonly range: Range;
  readonly context: CodeActionContext;
}

/** Fixes of the diagnostics at a range, then what can be done with the layer there. */
export function codeActions(snapshot: Snapshot, request: ActionRequest, read: ReadRecipe): CodeAction[] {
  const corrections = request.context.diagnostics.flatMap((one) => correction(snapshot, one));
  const fixes = request.context.diagnostics.flatMap((diagnostic) => {
    const { fixes: kinds, layer } = dataOf(diagnostic);
    return kinds.flatMap((kind, index) =>
      action(snapshot, kind, layer, read, {
        kind: CodeActionKind.QuickFix,
        diagnostics: [diagnostic],
        ...(index === 0 ? { isPreferred: true } : {}),
      }),
    );
  });
  const layer = layerAt(snapshot, request.range);
  const fixed = new Set(fixes.map((fix) => fix.title));
  const rewrites = layer
    ? kindsFor(snapshot, layer).flatMap((kind) =>
        action(snapshot, kind, layer.name, read, { kind: quantizeKind }),
      )
    : [];
  const all = [...corrections, ...fixes, ...rewrites.filter(({ title }) => !fixed.has(title))];
  return [...all, ...exportActions(snapshot)].filter((one) => wanted(one, request.context.only));
}

/** What a recipe decides, as Python: the command asks for the library. */
function exportActions(snapshot: Snapshot): CodeAction[] {
  if (snapshot.kind !== 'recipe' || !snapshot.client.own) return [];
  const title = editorWords.exportRecipe;
  const command = { title, command: clientCommands.exportCode, arguments: [snapshot.document.uri] };
  if (snapshot.parsed.recipe?.model !== undefined) return [{ title, kind: exportKind, command }];
  return [];
}

/** Replaces the pattern of a rule by the layer that was most likely meant. */
function correction({ document }: Snapshot, diagnostic: Diagnostic): CodeAction[] {
  const data: Partial<DiagnosticData> =
    typeof diagnostic.data === 'object' && diagnostic.data !== null ? diagnostic.data : {};
  const { replacement } = data;
  if (typeof replacement !== 'string') return [];
  const newText = JSON.stringify(replacement);
  return [
    {
      title: editorWords.changeTo(label(newText)),
      kind: CodeActionKind.QuickFix,
      diagnostics: [diagnostic],
      isPreferred: true,
      edit: { changes: { [document.uri]: [{ range: diagnostic.range, newText }] } },
    },
  ];
}

function action(
  snapshot: Snapshot,
  kind: FixKind,
  layer: string | undefined,
  read: ReadRecipe,
  parts: Partial<CodeAction>,
): CodeAction[] {
  const { model, client } = snapshot;
  if (!model) return [];
  const title = layer === undefined ? fixTitles[kind] : editorWords.fixLayer(kind, label(layer));
  const recipeUri = snapshot.kind === 'recipe' ? snapshot.document.uri : undefined;
  const change = recipeChange({ model: model.path, recipeUri, actions: [{ kind, layer }] }, read);
  if (change.value) {
    // An edit without changes would be a button that does nothing.
    if (!changesSomething(change.value)) return [];
    return [{ title, ...parts, edit: workspaceEdit(change.value, client), ...showing(snapshot) }];
  }
  if (!client.disabledActions) return [];
  return [{ title, ...parts, disabled: { reason: editorWords.recipeBrokenReason } }];
}

/** From a text view the edit reaches another file, which is shown afterwards: that is where undo works. */
function showing({ kind, client, model }: Snapshot): Pick<CodeAction, 'command'> {
  if (kind !== 'text' || !client.own) return {};
  return {
    command: { title: editorWords.openRecipe, command: clientCommands.openRecipe, arguments: [model?.uri] },
  };
}

/** Per-channel weights are offered where the plan has one scale per tensor. */
function kindsFor({ model }: Snapshot, layer: LayerReport): readonly FixKind[] {
  if (!isFloat(layer)) return [];
  const recipe = model?.recipe?.recipe;
  const planned = recipe ? plannedWeightFormat(layer, recipe) : 'int8.tensor';
  return planned?.endsWith('.tensor') ? [...layerKinds, 'per-channel-weights'] : layerKinds;
}

/** True for an action of a kind that was asked for. */
export function wanted({ kind = '' }: CodeAction, only: readonly string[] | undefined): boolean {
  return !only || only.some((asked) => kind === asked || kind.startsWith(`${asked}.`));
}

/** The layer that a place in a text or recipe speaks of. */
export function layerAt(snapshot: Snapshot, range: Range): LayerReport | undefined {
  const offset = snapshot.document.offsetAt(range.start);
  if (snapshot.kind === 'text') {
    const { document } = snapshot.parsed;
    const node = nodeAt(document, offset);
    const symbol = symbolAt(document, offset);
    const byWeight = symbol?.kind === 'value' ? snapshot.layers.byWeight(symbol.token.name) : undefined;
    return (node && snapshot.layers.layerOf(node)) ?? byWeight;
  }
  const rule = ruleAt(snapshot.parsed, offset);
  const { recipe } = snapshot.parsed;
  if (!rule || !recipe) return undefined;
  // Only where the rule speaks of one layer is it clear which one is meant.
  const decided = (snapshot.model?.report?.layers ?? []).filter(
    (layer) => chooseLayer(recipe, layer.name).rule === rule.index,
  );
  return decided.length === 1 ? decided[0] : undefined;
}

function dataOf(diagnostic: Diagnostic): { readonly layer?: string; readonly fixes: readonly FixKind[] } {
  const data: Partial<DiagnosticData> =
    typeof diagnostic.data === 'object' && diagnostic.data !== null ? diagnostic.data : {};
  const given: unknown = data.fixes;
  const fixes = Array.isArray(given) ? given.filter(isFix) : [];
  return { layer: typeof data.layer === 'string' ? data.layer : undefined, fixes };
}

function isFix(fix: unknown): fix is FixKind {
  return typeof fix === 'string' && Object.hasOwn(fixTitles, fix);
}
