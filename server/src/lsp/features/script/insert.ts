/** Actions that insert a block which quantizes the network of a class, a variable or an export call. */
import { type CodeAction, CodeActionKind, type Range, type TextEdit } from 'vscode-languageserver-types';
import { type InsertionKind, insertionsAt } from '../../../codegen/insert';
import { placeAt } from '../../../codegen/insert-place';
import { scriptWords } from '../../../rules/words-script-editor';
import { previewedEdit } from '../../previewed-edit';
import { scriptPlan } from '../../script-plan';
import type { ScriptSnapshot } from '../../snapshot';

/** Actions that write code which was not there. */
export const insertKind = `${CodeActionKind.RefactorRewrite}.insert`;

export function insertActions(snapshot: ScriptSnapshot, range: Range): CodeAction[] {
  const { script, places, document } = snapshot;
  const offset = places.offset(document.offsetAt(range.start));
  const { program, parsed, text } = script;
  const place = placeAt({ text, program }, offset);
  if (!place) return [];
  const input = {
    text,
    module: parsed.module,
    program,
    trees: script.trees(),
    pipelines: snapshot.data(),
    plan: scriptPlan(snapshot, place.className),
  };
  return insertionsAt(input, offset).flatMap(({ kind, edits }): CodeAction[] => {
    const title = titles[kind];
    const changes = new Map<string, TextEdit[]>();
    for (const { start, end, text: newText } of edits) {
      const there = places.location([start, end]);
      if (!there) return [];
      const edit = { range: there.range, newText };
      changes.set(there.uri, [...(changes.get(there.uri) ?? []), edit]);
    }
    const documents = [...changes].map(([uri, list]) => ({ uri, edits: list }));
    return [{ title, kind: insertKind, edit: previewedEdit(documents, title, snapshot.client) }];
  });
}

const titles: Readonly<Record<InsertionKind, string>> = {
  static: scriptWords.insertStatic,
  training: scriptWords.insertTraining,
  onnxruntime: scriptWords.insertQuantizeStatic,
  torchao: scriptWords.insertQuantize,
};
