/**
 * Blocks that quantize the network of a class, a variable or an export call: actions that insert them, a lens, and the
 * list behind it, which also says why a block cannot be inserted.
 */
import {
  type CodeAction,
  CodeActionKind,
  type CodeLens,
  type Position,
  type Range,
  type TextEdit,
  type WorkspaceEdit,
} from 'vscode-languageserver-types';
import { type InsertionKind, type Offer, offersAt } from '../../../codegen/insert';
import type { InsertScript } from '../../../codegen/insert-networks';
import { networkSpans, placeAt } from '../../../codegen/insert-place';
import { counted } from '../../../codegen/insert-tensor';
import { clientCommands, type InsertionBlock, type InsertionsReply } from '../../../protocol/lsp-ext';
import { insertionWords, scriptWords } from '../../../rules/words-script-editor';
import { moduleTrees } from '../../../script/module-tree';
import { label } from '../../convert';
import { previewedEdit } from '../../previewed-edit';
import { scriptPlan } from '../../script-plan';
import type { ScriptSnapshot } from '../../snapshot';

/** Actions that write code which was not there. */
export const insertKind = `${CodeActionKind.RefactorRewrite}.insert`;

export function insertActions(snapshot: ScriptSnapshot, range: Range): CodeAction[] {
  const offset = snapshot.places.offset(snapshot.document.offsetAt(range.start));
  return offers(snapshot, offset).flatMap((offer): CodeAction[] => {
    const title = titleOf(offer);
    if ('edits' in offer) {
      const edit = editOf(snapshot, offer.edits, title);
      return edit ? [{ title, kind: insertKind, edit }] : [];
    }
    if (!snapshot.client.disabledActions) return [];
    return [{ title, kind: insertKind, disabled: { reason: sentence(reasonOf(offer)) } }];
  });
}

/** One on every class of a network, export call, and network that has neither. */
export function insertLenses(snapshot: ScriptSnapshot): CodeLens[] {
  const { settings, client, script, places, document } = snapshot;
  if (!settings.codeLens.insert || !client.own || !script.parsed.module.complete) return [];
  return networkSpans(insertScript(snapshot)).flatMap((span): CodeLens[] => {
    const range = places.range(span);
    if (!range) return [];
    const command = {
      title: scriptWords.insertLens,
      command: clientCommands.insertQuantization,
      arguments: [document.uri, range.start],
    };
    return [{ range, command }];
  });
}

/** Every kind of block for the network at a place; for the only one of the script where the place speaks of none. */
export function insertions(snapshot: ScriptSnapshot, position: Position): InsertionsReply {
  const { script, places, document } = snapshot;
  if (!script.parsed.module.complete) return { blocks: [], trouble: 'broken' };
  const asked = places.offset(document.offsetAt(position));
  const here = placeAt(insertScript(snapshot), asked) ? asked : onlyNetwork(snapshot);
  if (here === undefined) return { blocks: [], trouble: 'no-network' };
  return {
    blocks: offers(snapshot, here).flatMap((offer): readonly InsertionBlock[] => {
      const { kind } = offer;
      const told = { title: titleOf(offer), detail: insertionWords.does[kind] };
      if (!('edits' in offer)) return [{ ...told, reason: reasonOf(offer) }];
      const edit = editOf(snapshot, offer.edits, told.title);
      return edit ? [{ ...told, edit }] : [];
    }),
  };
}

/** What blocks are made from, imports of the workspace included. */
function insertScript({ script: { text, program, file }, imported }: ScriptSnapshot): InsertScript {
  return { text, program, file, resolve: imported() };
}

function onlyNetwork(snapshot: ScriptSnapshot): number | undefined {
  const script = insertScript(snapshot);
  const spans = networkSpans(script);
  const models = new Set(spans.map(([start]) => placeAt(script, start)?.model));
  return models.size === 1 ? spans[0]?.[0] : undefined;
}

function offers(snapshot: ScriptSnapshot, offset: number): readonly Offer[] {
  const script = insertScript(snapshot);
  const place = placeAt(script, offset);
  if (!place) return [];
  const input = {
    ...script,
    module: snapshot.script.parsed.module,
    trees: moduleTrees({ file: snapshot.script.file, program: script.program }, script.resolve),
    pipelines: snapshot.data(),
    plan: scriptPlan(snapshot, place.className),
  };
  return offersAt(input, offset);
}

/** One edit that is shown before it is made; undefined where some of it lies in no document. */
function editOf(
  { places, client }: ScriptSnapshot,
  edits: Extract<Offer, { readonly edits: unknown }>['edits'],
  title: string,
): WorkspaceEdit | undefined {
  const changes = new Map<string, TextEdit[]>();
  for (const { start, end, text: newText } of edits) {
    const there = places.location([start, end]);
    if (!there) return undefined;
    const edit = { range: there.range, newText };
    changes.set(there.uri, [...(changes.get(there.uri) ?? []), edit]);
  }
  const documents = [...changes].map(([uri, list]) => ({ uri, edits: list }));
  return previewedEdit(documents, title, client);
}

function reasonOf({ lack, name }: Extract<Offer, { readonly lack: unknown }>): string {
  return insertionWords.lacks[lack](label(name));
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function titleOf(offer: Offer): string {
  const left = 'floats' in offer ? offer.floats : [];
  return left.length > 0 ? scriptWords.insertQuantizeLinear(counted(left)) : titles[offer.kind];
}

const titles: Readonly<Record<InsertionKind, string>> = {
  static: scriptWords.insertStatic,
  training: scriptWords.insertTraining,
  onnxruntime: scriptWords.insertQuantizeStatic,
  dynamic: scriptWords.insertDynamic,
  torchao: scriptWords.insertQuantize,
};
