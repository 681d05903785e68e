/** The two requests by which editors pull diagnostics: of one document, and of the whole workspace. */
import {
  type Connection,
  type DocumentDiagnosticReport,
  DocumentDiagnosticReportKind,
  type FullDocumentDiagnosticReport,
  type WorkspaceDiagnosticReport,
  type WorkspaceDocumentDiagnosticReport,
} from 'vscode-languageserver';
import type { Diagnostic } from 'vscode-languageserver-types';
import { fingerprintOf } from '../engine/base/fingerprint';
import { type CancellationToken, guarded } from './dispatch';
import type { WorkspaceDiagnostics } from './workspace-diagnostics';

/** Diagnostics of a document's newest version; empty where there is nothing to say. */
export type DiagnosticsOf = (
  params: { readonly textDocument: { readonly uri: string } },
  token: CancellationToken,
) => Promise<Diagnostic[]>;

export function listenPulls(
  connection: Connection,
  ofDocument: DiagnosticsOf,
  workspace: WorkspaceDiagnostics,
): void {
  const { diagnostics } = connection.languages;
  diagnostics.on((params, token) =>
    guarded<DocumentDiagnosticReport>(connection.console, 'diagnostics', full([]), async () => {
      const report = full(await ofDocument(params, token));
      const { resultId = '' } = report;
      return resultId === params.previousResultId
        ? { kind: DocumentDiagnosticReportKind.Unchanged, resultId }
        : report;
    }),
  );
  diagnostics.onWorkspace((params, token, _, partial) =>
    guarded<WorkspaceDiagnosticReport>(
      connection.console,
      'workspace diagnostics',
      { items: [] },
      async () => {
        const previous = new Map(params.previousResultIds.map(({ uri, value }) => [uri, value]));
        const all: WorkspaceDocumentDiagnosticReport[] = [];
        await workspace.report(previous, token, (items) => {
          if (partial) partial.report({ items });
          else all.push(...items);
        });
        return { items: all };
      },
    ),
  );
}

function full(items: Diagnostic[]): FullDocumentDiagnosticReport {
  const resultId = fingerprintOf(JSON.stringify(items));
  return { kind: DocumentDiagnosticReportKind.Full, resultId, items };
}
