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
  // An editor takes edits that need confirmation off the list until they are ticked one by one. One that changes nothing
  // brings up the list; the rest is ticked in it.
  const [first] = documents;
  const start = first?.edits[0]?.range.start;
  const asking = start ? [{ range: { start, end: start }, newText: '', annotationId: 'asking' }] : [];
  return {
    documentChanges: documents.map(({ uri, edits }) => ({
      textDocument: { uri, version: null },
      edits: [
        ...(uri === first?.uri ? asking : []),
        ...edits.map((edit) => ({ ...edit, annotationId: 'generated' })),
      ],
    })),
    changeAnnotations: {
      generated: { label, needsConfirmation: false },
      asking: { label, needsConfirmation: true },
    },
  };
}
