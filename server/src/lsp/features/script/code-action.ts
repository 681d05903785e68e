/** Actions on a script: fixes of its findings, comments that silence them, and recipe edits for the layers of a line. */
import {
  type CodeAction,
  CodeActionKind,
  type Diagnostic,
  type Range,
  type TextEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver-types';
import { clientCommands } from '../../../protocol/lsp-ext';
import type { FixKind } from '../../../protocol/reports';
import type { RuledFinding } from '../../../rules/script/index';
import type { ScriptEdit } from '../../../rules/script/script-rule';
import { isFloat } from '../../../rules/stored-type';
import { editorWords, fixTitles } from '../../../rules/words';
import { scriptWords } from '../../../rules/words-script-editor';
import { label } from '../../convert';
import { changesSomething, type ReadRecipe, recipeChange, workspaceEdit } from '../../recipe-actions';
import { type TiedLayers, tiedAt } from '../../script-layers';
import type { ScriptSnapshot } from '../../snapshot';
import { type ActionRequest, quantizeKind, wanted } from '../code-action';
import { readerActions, readerKind } from './data';
import { insertActions, insertKind } from './insert';
import { nameOf, naming } from './models';
import { ignoreHere, ignoreInFile } from './suppress';

export const fixAllKind = `${CodeActionKind.SourceFixAll}.quantlens`;

/** Actions that settle which model a script belongs to. */
export const chooseKind = `${CodeActionKind.RefactorRewrite}.model`;

const layerKinds: readonly FixKind[] = ['quantize-int4', 'quantize-int8', 'keep-float'];

export function scriptActions(
  snapshot: ScriptSnapshot,
  request: ActionRequest,
  read: ReadRecipe,
): CodeAction[] {
  const asked = (kind: string) => wanted({ title: '', kind }, request.context.only);
  const found = asked(CodeActionKind.QuickFix) ? findingsIn(snapshot, request) : [];
  return [
    ...found.flatMap((one) => fixes(snapshot, one)),
    ...found.flatMap((one) => silencing(snapshot, one)),
    ...(asked(quantizeKind) ? layerActions(snapshot, request.range, read) : []),
    ...(asked(chooseKind) ? choices(snapshot, request.range) : []),
    ...(asked(readerKind) ? readerActions(snapshot, request.range) : []),
    ...(asked(insertKind) ? insertActions(snapshot, request.range) : []),
    // Sources are run on saving; nobody looks for them at a place.
    ...(request.context.only && asked(fixAllKind) ? fixAll(snapshot) : []),
  ];
}

interface Placed {
  readonly diagnostic: Diagnostic;
  readonly ruled: RuledFinding;
}

/** Findings behind the diagnostics of a request, by code and place. */
function findingsIn({ script, places }: ScriptSnapshot, { context }: ActionRequest): readonly Placed[] {
  return context.diagnostics.flatMap((diagnostic): Placed[] => {
    const ruled = script.findings.find(({ rule, finding }) => {
      const range = rule.code === diagnostic.code ? places.range(finding.span) : undefined;
      return range !== undefined && sameRange(range, diagnostic.range);
    });
    return ruled ? [{ diagnostic, ruled }] : [];
  });
}

function sameRange(one: Range, other: Range): boolean {
  return (['start', 'end'] as const).every(
    (side) => one[side].line === other[side].line && one[side].character === other[side].character,
  );
}

function fixes(snapshot: ScriptSnapshot, { diagnostic, ruled }: Placed): CodeAction[] {
  const { fix } = ruled.finding;
  const edit = fix && editOf(snapshot, fix.edits);
  if (!edit) return [];
  return [
    {
      title: fix.title,
      kind: CodeActionKind.QuickFix,
      diagnostics: [diagnostic],
      ...(fix.safe ? { isPreferred: true } : {}),
      edit,
    },
  ];
}

function silencing(snapshot: ScriptSnapshot, { diagnostic, ruled }: Placed): CodeAction[] {
  const { code } = ruled.rule;
  const { script, places } = snapshot;
  const start = places.offset(0);
  const here = ignoreHere(script, code, ruled.finding.span);
  const action = (title: string, edits: readonly ScriptEdit[]): CodeAction[] => {
    const edit = editOf(snapshot, edits);
    return edit ? [{ title, kind: CodeActionKind.QuickFix, diagnostics: [diagnostic], edit }] : [];
  };
  return [
    ...(here ? action(scriptWords.ignoreHere(code), [here]) : []),
    ...action(scriptWords.ignoreInFile(code), [ignoreInFile(script, code, start)]),
  ];
}

/** One edit of all safe fixes; of two that overlap the first. */
function fixAll(snapshot: ScriptSnapshot): CodeAction[] {
  const edits: ScriptEdit[] = [];
  for (const { finding } of snapshot.script.findings) {
    const { fix } = finding;
    if (!fix?.safe || !fix.edits.every(({ span }) => snapshot.places.range(span))) continue;
    if (fix.edits.some((edit) => edits.some((other) => overlap(edit, other)))) continue;
    edits.push(...fix.edits);
  }
  const edit = edits.length > 0 ? editOf(snapshot, edits) : undefined;
  return edit ? [{ title: scriptWords.fixAll, kind: fixAllKind, edit }] : [];
}

function overlap(one: ScriptEdit, other: ScriptEdit): boolean {
  return one.span[0] <= other.span[1] && other.span[0] <= one.span[1];
}

/** Edits of the program as edits of the documents it consists of. */
function editOf({ places }: ScriptSnapshot, edits: readonly ScriptEdit[]): WorkspaceEdit | undefined {
  const changes: Record<string, TextEdit[]> = {};
  for (const { span, text } of edits) {
    const place = places.location(span);
    if (!place) return undefined;
    changes[place.uri] = [...(changes[place.uri] ?? []), { range: place.range, newText: text }];
  }
  return { changes };
}

/** Where several models fit, a comment on top of the script says which one is meant. */
function choices(snapshot: ScriptSnapshot, range: Range): CodeAction[] {
  const { script, places, document } = snapshot;
  const found = tiedAt(snapshot, places.offset(document.offsetAt(range.start)));
  if (!found || found.tie.alsoFits.length === 0) return [];
  return [found.tie.model, ...found.tie.alsoFits].flatMap((model): CodeAction[] => {
    const edit = naming(snapshot, model, found.tie.model);
    return edit
      ? [{ title: scriptWords.chooseModel(label(nameOf(script.file, model))), kind: chooseKind, edit }]
      : [];
  });
}

/** What can be decided about the layers that the call on this line makes: the recipe beside their model is edited. */
function layerActions(snapshot: ScriptSnapshot, range: Range, read: ReadRecipe): CodeAction[] {
  const found = tiedAt(snapshot, snapshot.places.offset(snapshot.document.offsetAt(range.start)));
  if (!found || !/\.onnx$/i.test(found.tie.model)) return [];
  const names = found.layers.filter(isFloat).map(({ name }) => name);
  if (names.length === 0 || names.length > MAX_LAYERS) return [];
  return layerKinds.flatMap((kind) => layerAction(snapshot, found, kind, names, read));
}

/** A decision about more layers than this is one about the model. */
const MAX_LAYERS = 64;

function layerAction(
  { client }: ScriptSnapshot,
  { model }: TiedLayers,
  kind: FixKind,
  names: readonly string[],
  read: ReadRecipe,
): CodeAction[] {
  const [only] = names;
  const title =
    only !== undefined && names.length === 1
      ? editorWords.fixLayer(kind, label(only))
      : scriptWords.severalLayers(fixTitles[kind], names.length);
  const { value } = recipeChange(
    { model: model.path, actions: names.map((layer) => ({ kind, layer })) },
    read,
  );
  if (!value) {
    if (!client.disabledActions) return [];
    return [{ title, kind: quantizeKind, disabled: { reason: editorWords.recipeBrokenReason } }];
  }
  if (!changesSomething(value)) return [];
  const command = {
    title: editorWords.openRecipe,
    command: clientCommands.openRecipe,
    arguments: [model.uri],
  };
  return [
    { title, kind: quantizeKind, edit: workspaceEdit(value, client), ...(client.own ? { command } : {}) },
  ];
}
