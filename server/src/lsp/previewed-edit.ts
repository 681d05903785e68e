/** Edits that write code of their own: the editor shows them before they are made, where it can. */
import type { TextEdit, WorkspaceEdit } from 'vscode-languageserver-types';
import type { ClientFacts } from './client-facts';

/** Edits of one document, with the document's version where it is known. */
export interface DocumentEdits {
  readonly uri: string;
  readonly edits: readonly TextEdit[];
}

/** One workspace edit that waits for confirmation; without the means for that a plain one, which undo takes back. */
export function previewedEdit(
  documents: readonly DocumentEdits[],
  label: string,
  client: Pick<ClientFacts, 'documentChanges' | 'changeAnnotations'>,
): WorkspaceEdit {
  if (!client.documentChanges || !client.changeAnnotations)
    return { changes: Object.fromEntries(documents.map(({ uri, edits }) => [uri, [...edits]])) };
  const annotationId = 'generated';
  return {
    documentChanges: documents.map(({ uri, edits }) => ({
      textDocument: { uri, version: null },
      edits: edits.map((edit) => ({ ...edit, annotationId })),
    })),
    changeAnnotations: { [annotationId]: { label, needsConfirmation: true } },
  };
}
