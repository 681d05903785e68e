/** Quick fixes and refactorings: they edit the recipe, never the model. */
import {
  type CodeAction,
  type CodeActionContext,
  CodeActionKind,
  type Diagnostic,
  type Range,
} from 'vscode-languageserver-types';
import { nodeAt } from '../../engine/format/onnx-text';
import { chooseLayer } from '../../engine/format/recipe-match';
import type { FixKind } from '../../protocol/reports';
import type { DiagnosticData } from '../convert';
import { type RecipeText, recipeChange } from '../recipe-actions';
import { ruleAt } from '../recipe-places';
import type { Snapshot } from '../snapshot';

export const quantizeKind = `${CodeActionKind.RefactorRewrite}.quantize`;

export const codeActionKinds = [CodeActionKind.QuickFix, quantizeKind];

const titles: Readonly<Record<FixKind, string>> = {
  'quantize-int4': 'Quantize to int4',
  'quantize-int8': 'Quantize to int8',
  'keep-float': 'Keep in float',
  'per-channel-weights': 'Use per-channel weights',
  'fold-batchnorm': 'Fold BatchNormalization',
};

const layerKinds: readonly FixKind[] = [
  'quantize-int4',
  'quantize-int8',
  'keep-float',
  'per-channel-weights',
];

export interface ActionRequest {
  readonly range: Range;
  readonly context: CodeActionContext;
}

/** Fixes of the diagnostics at a range, then what can be done with the layer there. */
export function codeActions(
  snapshot: Snapshot,
  request: ActionRequest,
  read: (uri: string, file: string) => RecipeText | undefined,
): CodeAction[] {
  const { model } = snapshot;
  if (!model) return [];
  const make = (kind: FixKind, layer: string | undefined, parts: Partial<CodeAction>): CodeAction[] => {
    const change = recipeChange(model.path, [{ kind, layer }], read);
    if (!change.value)
      return [
        {
          title: title(kind, layer),
          ...parts,
          disabled: { reason: 'The recipe has errors; fix them first.' },
        },
      ];
    return [{ title: title(kind, layer), ...parts, edit: change.value.edit }];
  };
  const fixes = request.context.diagnostics.flatMap((diagnostic) => {
    const data = dataOf(diagnostic);
    return data.fixes.flatMap((kind, index) =>
      make(kind, data.layer, {
        kind: CodeActionKind.QuickFix,
        diagnostics: [diagnostic],
        isPreferred: index === 0,
      }),
    );
  });
  const layer = layerAt(snapshot, request.range);
  const fixed = new Set(fixes.map((fix) => fix.title));
  const others =
    layer === undefined ? [] : layerKinds.flatMap((kind) => make(kind, layer, { kind: quantizeKind }));
  const rewrites = others.filter((action) => !fixed.has(action.title) && changes(action));
  return [...fixes.filter(changes), ...rewrites].filter((action) => wanted(action, request.context.only));
}

function title(kind: FixKind, layer: string | undefined): string {
  return layer === undefined ? titles[kind] : `${titles[kind]}: ${layer}`;
}

/** An edit without changes would be a button that does nothing. */
function changes(action: CodeAction): boolean {
  return (
    action.disabled !== undefined ||
    (action.edit?.documentChanges ?? []).some((change) => 'kind' in change || change.edits.length > 0)
  );
}

function wanted(action: CodeAction, only: readonly string[] | undefined): boolean {
  const { kind = '' } = action;
  return !only || only.some((asked) => kind === asked || kind.startsWith(`${asked}.`));
}

function layerAt(snapshot: Snapshot, range: Range): string | undefined {
  const offset = snapshot.document.offsetAt(range.start);
  if (snapshot.kind === 'text') {
    const node = nodeAt(snapshot.parsed.document, offset);
    return node && snapshot.layers.layerOf(node)?.name;
  }
  const rule = ruleAt(snapshot.parsed, offset);
  const { recipe } = snapshot.parsed;
  if (!rule || !recipe) return undefined;
  // Only where the rule speaks of one layer is it clear which one is meant.
  const decided = (snapshot.model?.report?.layers ?? []).filter(
    (layer) => chooseLayer(recipe, layer.name).rule === rule.index,
  );
  return decided.length === 1 ? decided[0]?.name : undefined;
}

function dataOf(diagnostic: Diagnostic): { readonly layer?: string; readonly fixes: readonly FixKind[] } {
  const data: Partial<DiagnosticData> =
    typeof diagnostic.data === 'object' && diagnostic.data !== null ? diagnostic.data : {};
  const fixes = (data.fixes ?? []).filter((fix): fix is FixKind => Object.hasOwn(titles, fix));
  return { layer: data.layer, fixes };
}
